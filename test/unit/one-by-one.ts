import type { WatchEvent } from "../../src/kube/client.ts";

/** Gives the events of a watch one by one. */
export async function* oneByOne(watch: AsyncIterable<readonly WatchEvent[]>): AsyncGenerator<WatchEvent, void> {
  for await (const together of watch) yield* together;
}
