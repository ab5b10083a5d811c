import { isStatus } from "./api-error.ts";
import { type KubeClient, MERGE_PATCH } from "./client.ts";
import type { Kept } from "./resource.ts";
import { type Built, patchStatus } from "./status-patch.ts";

/** How a write went; after a conflict another try follows at once. */
export type WriteResult = "written" | "conflict" | "failed";

export interface StatusWrite<T extends Kept> {
  readonly client: Pick<KubeClient, "request">;
  /** Counts how it went. */
  readonly wrote: (result: WriteResult) => void;
  readonly path: string;
  /** As it was last seen; absent: it has to be asked for. */
  readonly object?: T;
  keep(raw: unknown): T;
  /** Gives a patch, or undefined where there is nothing to write. */
  build(current: T): Built;
  /** Which patch it is; a merge patch by default. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

/**
 * Writes a status in one request where the object is still as it was last seen, and reads it anew where it is not. Gives
 * whether something was written: not so either where the object is gone.
 */
export async function writeStatus<T extends Kept>(write: StatusWrite<T>): Promise<boolean> {
  const { wrote, object } = write;
  try {
    const written = object ? await writeSeen(write, object) : await writeAnew(write);
    if (written) wrote("written");
    return written;
  } catch (error) {
    wrote("failed");
    throw error;
  }
}

async function writeSeen<T extends Kept>(write: StatusWrite<T>, object: T): Promise<boolean> {
  const { client, wrote, path, contentType = MERGE_PATCH, signal } = write;
  const patch = await write.build(object);
  if (patch === undefined) return false;
  const { metadata } = patch as { readonly metadata?: object };
  const body = { ...patch, metadata: { ...metadata, resourceVersion: object.meta.resourceVersion } };
  try {
    await client.request({ method: "PATCH", path: `${path}/status`, contentType, body, unread: true, signal });
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    if (!isStatus(error, 409)) throw error;
    wrote("conflict");
    return await writeAnew(write);
  }
}

async function writeAnew<T extends Kept>(write: StatusWrite<T>): Promise<boolean> {
  const { client, path, keep, build, contentType = MERGE_PATCH, signal } = write;
  return await patchStatus(client, path, (raw) => build(keep(raw)), { contentType, signal });
}
