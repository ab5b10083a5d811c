import { isStatus } from "./api-error.ts";
import { type KubeClient, MERGE_PATCH } from "./client.ts";
import { record } from "./raw.ts";

/** A patch, or undefined where there is nothing to do; it may have to be waited for. */
export type Built = object | undefined | Promise<object | undefined>;

export interface PatchOptions {
  /** Which patch it is; a merge patch (RFC 7386) by default. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** How often somebody else may write in between before it is left to the caller's next try. */
const MAX_CONFLICTS = 5;

/**
 * Writes the status of the object at `path` by a patch, on the very version that `build` has seen. `build` gets the
 * object as it is and gives the patch (`status`, and `metadata.annotations` if it likes), or undefined where there is
 * nothing to do; after a conflict it is asked again. Gives whether something was written: not so either where the object
 * is gone. Rejects as `KubeClient.request` does.
 */
export async function patchStatus(
  client: Pick<KubeClient, "request">,
  path: string,
  build: (current: Readonly<Record<string, unknown>>) => Built,
  options: PatchOptions = {},
): Promise<boolean> {
  return await patch(client, path, `${path}/status`, build, options);
}

/** Writes what is not status in the same way: `metadata.finalizers`, say. */
export async function patchObject(
  client: Pick<KubeClient, "request">,
  path: string,
  build: (current: Readonly<Record<string, unknown>>) => Built,
  options: PatchOptions = {},
): Promise<boolean> {
  return await patch(client, path, path, build, options);
}

async function patch(
  client: Pick<KubeClient, "request">,
  path: string,
  target: string,
  build: (current: Readonly<Record<string, unknown>>) => Built,
  { contentType = MERGE_PATCH, ...options }: PatchOptions,
): Promise<boolean> {
  for (let conflicts = 0; ; conflicts++) {
    try {
      const current = record(await client.request({ method: "GET", path, ...options }));
      const patch = await build(current);
      if (patch === undefined) return false;
      const { resourceVersion } = record(current.metadata);
      const metadata = { ...record(record(patch).metadata), resourceVersion };
      const body = { ...patch, metadata };
      await client.request({ method: "PATCH", path: target, contentType, body, unread: true, ...options });
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      if (!isStatus(error, 409) || conflicts === MAX_CONFLICTS) throw error;
    }
  }
}
