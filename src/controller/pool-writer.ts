import type { IPPool } from "../api/ippool.ts";
import { API_VERSION } from "../api/names.ts";
import type { Cancel } from "../clock.ts";
import type { AddressBook } from "../ipam/address-book.ts";
import { ipPools } from "../kube/herald-resources.ts";
import { poolPath } from "../kube/paths.ts";
import { WorkQueue } from "../kube/work-queue.ts";
import { writeStatus } from "../kube/write-status.ts";
import { poolEvents } from "./pool-events.ts";
import { poolPatch } from "./pool-patch.ts";
import type { WriterDeps } from "./term.ts";
import { workOff } from "./work-off.ts";

/** A pool's status is written no more often than this, so that many assignments are one write. */
const EVERY_MS = 1000;

/** Writes what the address book says of the pools into their status. */
export class PoolWriter {
  readonly queue: WorkQueue;
  readonly #deps: WriterDeps;
  readonly #book: AddressBook;
  /** When the status of each pool was written last, on the monotonic clock. */
  readonly #writtenMs = new Map<string, number>();
  #usageTimer: Cancel | undefined;

  constructor(deps: WriterDeps, book: AddressBook) {
    this.#deps = deps;
    this.#book = book;
    this.queue = new WorkQueue(deps);
  }

  /** Looks at all pools now: each is compared with the others, so one that changes may alter what another says. */
  lookAtAll(): void {
    for (const { name } of this.#book.pools) this.queue.add(name);
  }

  /** Looks at a pool's status after a while: somebody has written it, mostly this. */
  lookLater(name: string): void {
    this.queue.addAfter(name, EVERY_MS);
  }

  /** Looks after a while at how full the pools are; `also` runs then too. */
  usageChanged(also: () => void): void {
    this.#usageTimer ??= this.#deps.clock.after(EVERY_MS, () => {
      this.#usageTimer = undefined;
      void this.#deps.turns.look(() => {
        this.lookAtAll();
        also();
      });
    });
  }

  gone(name: string): void {
    this.#writtenMs.delete(name);
  }

  async run(signal: AbortSignal): Promise<void> {
    const work = { queue: "pools", workers: 1, what: "the status of an IPPool", field: "pool" } as const;
    const handle = (key: string) => this.#handle(key, signal);
    await workOff(this.queue, { ...work, handle, signal }, this.#deps);
    this.#usageTimer?.();
  }

  async #handle(name: string, signal: AbortSignal): Promise<void> {
    const object = this.#deps.watched.pools.get(name);
    if (object === undefined) return;
    let before = object;
    let after: IPPool | undefined;
    const written = await writeStatus({
      ...this.#deps,
      wrote: (result) => this.#deps.metrics.wrote("IPPool", result),
      path: poolPath(name),
      object,
      keep: ipPools.keep,
      signal,
      build: (current) =>
        this.#deps.turns.look(() => {
          before = current;
          const report = this.#book.report(name);
          // What the book has not heard of yet comes as a change of its own.
          if (!report || current.meta.uid !== object.meta.uid || current.generation !== object.generation)
            return undefined;
          const patch = poolPatch(current, report, this.#deps.clock.wallNow());
          if (patch === undefined || !this.#mayWrite(name)) return undefined;
          after = { ...current, status: { ...current.status, ...patch.status } };
          return patch;
        }),
    });
    if (!written || !after) return;
    this.#writtenMs.set(name, this.#deps.clock.now());
    this.#tell(before, after);
  }

  /** Tells whether the status may be written now; where not the pool is looked at again later. */
  #mayWrite(name: string): boolean {
    const waitMs = (this.#writtenMs.get(name) ?? Number.NEGATIVE_INFINITY) + EVERY_MS - this.#deps.clock.now();
    if (waitMs > 0) this.queue.addAfter(name, waitMs);
    return waitMs <= 0;
  }

  #tell(before: IPPool, after: IPPool): void {
    const { name, uid } = after.meta;
    const about = { apiVersion: API_VERSION, kind: "IPPool", namespace: "", name, uid };
    for (const { type, reason, note } of poolEvents(before.status, after.status)) {
      this.#deps.events.record(about, type, reason, note);
      this.#deps.log.info("a pool has changed", { pool: name, reason, why: note });
    }
  }
}
