import { DaemonError } from "./daemon.ts";
import type { GobgpChannel } from "./gobgp-channel.ts";
import type { WirePath } from "./gobgp-wire.ts";

/** So many paths go in one message: from a few hundred on, more makes nothing faster, and a bad one takes more with it. */
const BATCH = 250;

interface Batch {
  readonly table_type: "TABLE_TYPE_GLOBAL";
  readonly paths: readonly WirePath[];
}

/**
 * Adds paths, or takes them away, in one stream; each message is made when its turn comes, while gobgpd works off those
 * before it. gobgpd ends a stream at the first path that it does not take, and does not say which; then each message is sent
 * for itself, and a message that is refused path by path. So all others arrive; the first refusal is thrown at the end.
 */
export async function sendPaths<T>(
  channel: GobgpChannel,
  all: readonly T[],
  pathOf: (one: T) => WirePath,
): Promise<void> {
  if (all.length === 0) return;
  if ((await refusalOf(channel, batches(all, pathOf))) === undefined) return;
  let first: DaemonError | undefined;
  for (const batch of batches(all, pathOf)) {
    if ((await refusalOf(channel, [batch])) === undefined) continue;
    for (const path of batch.paths) {
      const refusal = await refusalOf(channel, [batchOf([path])]);
      if (refusal !== undefined) first ??= about(path, refusal);
    }
  }
  if (first !== undefined) throw first;
}

function* batches<T>(all: readonly T[], pathOf: (one: T) => WirePath): Generator<Batch> {
  for (let at = 0; at < all.length; at += BATCH) yield batchOf(all.slice(at, at + BATCH).map(pathOf));
}

function batchOf(paths: readonly WirePath[]): Batch {
  return { table_type: "TABLE_TYPE_GLOBAL", paths };
}

async function refusalOf(channel: GobgpChannel, messages: Iterable<Batch>): Promise<DaemonError | undefined> {
  try {
    await channel.send("AddPathStream", messages);
    return undefined;
  } catch (error) {
    if (error instanceof DaemonError && error.kind === "Refused") return error;
    throw error;
  }
}

function about({ nlri }: WirePath, refusal: DaemonError): DaemonError {
  const { prefix, prefix_len } = nlri.prefix ?? {};
  return new DaemonError("Refused", `route ${prefix}/${prefix_len}: ${refusal.message}`, { cause: refusal });
}
