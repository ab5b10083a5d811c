import type { IPPool } from "../api/ippool.ts";
import { IN_USE_FINALIZER } from "../api/names.ts";
import type { AddressBook } from "../ipam/address-book.ts";
import { poolPath } from "../kube/paths.ts";
import { record, texts } from "../kube/raw.ts";
import { patchObject } from "../kube/status-patch.ts";
import type { Store } from "../kube/store.ts";
import { WorkQueue } from "../kube/work-queue.ts";
import type { WriterDeps } from "./term.ts";
import { workOff } from "./work-off.ts";

/**
 * Keeps the finalizer on the pools that Services hold addresses of, so that a deleted one stays, and is announced, until
 * the last of them has let go.
 */
export class PoolFinalizers {
  readonly queue: WorkQueue;
  readonly #deps: WriterDeps;
  readonly #book: AddressBook;
  readonly #pools: Store<IPPool>;
  /** Pools that wait for their finalizer: what asks once more must not cut a failed write's back-off short. */
  readonly #wanting = new Set<string>();

  constructor(deps: WriterDeps, book: AddressBook) {
    this.#deps = deps;
    this.#book = book;
    this.#pools = deps.watched.pools;
    this.queue = new WorkQueue(deps);
  }

  /** Hears that a Service holds an address of the pool. Costs nothing where the finalizer is there. */
  held(name: string): void {
    const pool = this.#pools.get(name);
    if (!pool || isMarked(pool) || this.#wanting.has(name)) return;
    this.#wanting.add(name);
    this.queue.add(name);
  }

  /** Has a pool looked at if its finalizer is not as it should be. */
  lookAt(name: string): void {
    const pool = this.#pools.get(name);
    if (pool && this.#isWrong(pool)) this.queue.add(name);
  }

  /** Has all pools looked at whose finalizer is not as it should be. */
  lookAtAll(): void {
    for (const { meta } of this.#pools.list()) this.lookAt(meta.name);
  }

  async run(signal: AbortSignal): Promise<void> {
    const work = { queue: "finalizers", workers: 1, what: "the finalizer of an IPPool", field: "pool" } as const;
    const handle = (key: string) => this.#handle(key, signal);
    await workOff(this.queue, { ...work, handle, signal }, this.#deps);
  }

  async #handle(name: string, signal: AbortSignal): Promise<void> {
    const pool = this.#pools.get(name);
    const isWrong = await this.#deps.turns.look(() => pool !== undefined && this.#isWrong(pool));
    if (pool && isWrong) await this.#write(pool, signal);
    this.#wanting.delete(name);
  }

  async #write({ meta: { name, uid } }: IPPool, signal: AbortSignal): Promise<void> {
    const { client, metrics } = this.#deps;
    try {
      const build = (raw: Readonly<Record<string, unknown>>) =>
        this.#deps.turns.look(() => {
          const metadata = record(raw.metadata);
          const holders = this.#book.holders(name);
          if (metadata.uid !== uid || holders === undefined) return undefined;
          return finalizerPatch(texts(metadata.finalizers), holders > 0, metadata.deletionTimestamp !== undefined);
        });
      if (await patchObject(client, poolPath(name), build, { signal })) metrics.wrote("IPPool", "written");
    } catch (error) {
      metrics.wrote("IPPool", "failed");
      throw error;
    }
  }

  #isWrong(pool: IPPool): boolean {
    const holders = this.#book.holders(pool.meta.name);
    if (holders === undefined) return false;
    return isMarked(pool) ? holders === 0 : holders > 0 && !pool.meta.deleting;
  }
}

/** Gives the merge patch that sets or takes off Herald's finalizer beside others'; undefined where it is as wanted. */
export function finalizerPatch(
  finalizers: readonly string[],
  wanted: boolean,
  deleting: boolean,
): { metadata: { finalizers: readonly string[] } } | undefined {
  const others = finalizers.filter((one) => one !== IN_USE_FINALIZER);
  const isThere = others.length < finalizers.length;
  // The API server takes no new finalizers for what is being deleted.
  if (isThere === wanted || (wanted && deleting)) return undefined;
  return { metadata: { finalizers: wanted ? [...others, IN_USE_FINALIZER] : others } };
}

function isMarked({ meta }: IPPool): boolean {
  return meta.finalizers.includes(IN_USE_FINALIZER);
}
