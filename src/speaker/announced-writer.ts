import { CONDITION } from "../api/names.ts";
import { type Cancel, type Clock, type Rest, restMs } from "../clock.ts";
import { Budgets } from "../kube/budgets.ts";
import { type KubeClient, STRATEGIC_MERGE_PATCH } from "../kube/client.ts";
import { type ConditionText, conditionPatch, saysTheSame } from "../kube/conditions.ts";
import { servicePath } from "../kube/paths.ts";
import { keyOf } from "../kube/resource.ts";
import { compareVersions } from "../kube/version.ts";
import { WorkQueue } from "../kube/work-queue.ts";
import { type WriteResult, writeStatus } from "../kube/write-status.ts";
import type { Log } from "../log.ts";
import { type Announcement, type AnnouncementView, announcement, writerOf } from "./announcement.ts";
import { type LeanService, leanServices } from "./lean-services.ts";
import { Pace } from "./pace.ts";

export interface AnnouncedWriterDeps {
  readonly client: Pick<KubeClient, "request">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly services: { list(): readonly LeanService[]; get(key: string): LeanService | undefined };
  /** What this node knows now; undefined: not enough to say anything. */
  readonly view: () => AnnouncementView | undefined;
  readonly wrote: (result: WriteResult) => void;
  /** Hears of each condition that was written: as it was before, and as it is. */
  readonly told: (service: LeanService, before: ConditionText | undefined, after: ConditionText | undefined) => void;
}

/** Writes a second, whatever happens: a node that takes over 10 000 IPs must not flood the API server. */
const WRITES_PER_SECOND = 50;
const WORKERS = 4;
/** After a change Services are looked at no sooner than this, in ms, so that changes that come together are one look. */
const LOOK_MS = 250;
/**
 * A look at all Services comes no sooner than this for each of them, in ms: of 10 000 after a second. To write them takes
 * minutes, and what has changed for so many is still being announced.
 */
const LOOK_AT_EACH_MS = 0.1;
/** After a look the next one waits: a storm of changes takes no whole CPU. */
const LOOK_REST: Rest = { share: 8, maxMs: 5_000 };
/** What may be over in a moment is written when it has stayed the same for this long, in ms. */
const SETTLE_MS = 5_000;
/** Writes of one Service: what needs more is a quarrel between nodes that can't hear each other. */
const QUARREL = { burst: 5, refillMs: 60_000, most: 20_000 };

/**
 * Keeps the condition Announced of those Services that are this node's to write. It looks at what changed, writes what
 * does not say what it shall, and tries on where that fails.
 */
export class AnnouncedWriter {
  readonly queue: WorkQueue;
  readonly #deps: AnnouncedWriterDeps;
  readonly #pace: Pace;
  readonly #budgets = new Budgets(QUARREL);
  /** What does not say what it shall and may be over in a moment: what it shall say, and since when. */
  readonly #unsettled = new Map<string, { readonly text: string; readonly sinceMs: number }>();
  /** The version that was overwritten, by Service: until the store has a newer one there is nothing new to see. */
  readonly #overwritten = new Map<string, string>();
  /** Until when Services that are quarrelled about are left alone. */
  readonly #heldUntilMs = new Map<string, number>();
  #failing = false;
  #dirty: Set<string> | "All" = "All";
  #timer: Cancel | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #settling: Cancel | undefined;
  #ended = false;

  constructor(deps: AnnouncedWriterDeps) {
    this.#deps = deps;
    this.#pace = new Pace(deps.clock, WRITES_PER_SECOND);
    this.queue = new WorkQueue(deps);
  }

  /** Has these Services looked at soon, or all. */
  look(keys: readonly string[] | "All"): void {
    if (keys === "All") this.#dirty = "All";
    else if (this.#dirty !== "All") for (const key of keys) this.#dirty.add(key);
    if (this.#ended || this.#timer !== undefined) return;
    const { clock, services } = this.#deps;
    const allMs = this.#dirty === "All" ? services.list().length * LOOK_AT_EACH_MS : 0;
    const waitMs = Math.max(LOOK_MS, allMs, this.#notBeforeMs - clock.now());
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined;
      const startedMs = this.#deps.clock.now();
      this.#lookNow();
      const endedMs = this.#deps.clock.now();
      this.#notBeforeMs = endedMs + restMs(LOOK_REST, endedMs - startedMs);
    });
  }

  /** Writes until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await this.queue.run({
      workers: WORKERS,
      handle: (key) => this.#handle(key, signal),
      failed: (key, error) => this.#noteFailure(key, error),
      signal,
    });
    this.#ended = true;
    this.#timer?.();
    this.#settling?.();
  }

  #lookNow(): void {
    const view = this.#deps.view();
    if (view === undefined) return; // whoever makes it known has all looked at
    const dirty = this.#dirty;
    this.#dirty = new Set();
    const { services } = this.#deps;
    const found = dirty === "All" ? services.list() : [...dirty].flatMap((key) => services.get(key) ?? []);
    for (const service of found) this.#lookAt(service, view);
    for (const key of dirty === "All" ? [...this.#unsettled.keys(), ...this.#overwritten.keys()] : dirty)
      if (services.get(key) === undefined) {
        this.#forget(key);
        this.#heldUntilMs.delete(key);
      }
  }

  #lookAt(service: LeanService, view: AnnouncementView): void {
    const key = keyOf(service.meta);
    const { clock } = this.#deps;
    const found = announcement(service, view, clock.wallNow());
    if (saysTheSame(service.announced, found.wanted)) {
      this.#forget(key);
      return;
    }
    if (this.#isBehind(key, service)) return;
    if (writerOf(service, found, view) !== view.self) {
      this.#unsettled.delete(key);
      return;
    }
    if (this.#isSettled(key, found)) this.queue.add(key);
  }

  /** Tells whether this is the Service as it was before this node wrote it. */
  #isBehind(key: string, { meta }: LeanService): boolean {
    const overwritten = this.#overwritten.get(key);
    return overwritten !== undefined && compareVersions(meta.resourceVersion, overwritten) <= 0;
  }

  /** Tells whether what a Service shall say may be written now. */
  #isSettled(key: string, { settled, wanted }: Announcement): boolean {
    if (settled) this.#unsettled.delete(key);
    return settled || this.#settleMs(key, wanted === undefined ? "" : wanted.message) <= 0;
  }

  /** For how long the Service has to be left as it is. */
  #settleMs(key: string, message: string): number {
    const { clock } = this.#deps;
    const text = message.replaceAll(TIME, "");
    const known = this.#unsettled.get(key);
    const sinceMs = known?.text === text ? known.sinceMs : clock.now();
    this.#unsettled.set(key, { text, sinceMs });
    const leftMs = sinceMs + SETTLE_MS - clock.now();
    if (leftMs > 0) this.#lookAgainAfter(leftMs);
    return leftMs;
  }

  #lookAgainAfter(delayMs: number): void {
    if (this.#ended) return;
    this.#settling ??= this.#deps.clock.after(delayMs, () => {
      this.#settling = undefined;
      this.look([...this.#unsettled.keys()]);
    });
  }

  #forget(key: string): void {
    this.#unsettled.delete(key);
    this.#overwritten.delete(key);
  }

  async #handle(key: string, signal: AbortSignal): Promise<void> {
    const { client, clock, services: store, wrote } = this.#deps;
    const service = store.get(key);
    if (service === undefined || !this.#isDue(service) || !this.#mayWrite(key)) return;
    await this.#pace.turn(signal);
    if (signal.aborted) return;
    let told: readonly [before: ConditionText | undefined, after: ConditionText | undefined] | undefined;
    const written = await writeStatus({
      client,
      path: servicePath(key),
      object: store.get(key) ?? service,
      keep: leanServices.keep,
      contentType: STRATEGIC_MERGE_PATCH, // the one condition alone: the others are not kept
      wrote,
      signal,
      build: (current) => {
        const view = this.#deps.view();
        if (view === undefined || current.meta.uid !== service.meta.uid || !current.isLoadBalancer) return undefined;
        const found = announcement(current, view, clock.wallNow());
        if (writerOf(current, found, view) !== view.self || !this.#isSettled(key, found)) return undefined;
        const { announced } = current;
        const patch = conditionPatch(CONDITION.announced, announced, found.wanted, clock.wallNow());
        if (patch === undefined) return undefined;
        told = [announced, found.wanted];
        this.#overwritten.set(key, current.meta.resourceVersion);
        return patch;
      },
    }).catch((error: unknown) => {
      this.#overwritten.delete(key);
      throw error;
    });
    if (!written || told === undefined) return;
    this.#noteWritten(key);
    this.#deps.told(service, ...told);
  }

  /** Tells whether what was found when it was queued still holds. */
  #isDue(service: LeanService): boolean {
    const view = this.#deps.view();
    if (view === undefined) return false;
    const key = keyOf(service.meta);
    const found = announcement(service, view, this.#deps.clock.wallNow());
    if (saysTheSame(service.announced, found.wanted) || this.#isBehind(key, service)) return false;
    return writerOf(service, found, view) === view.self && this.#isSettled(key, found);
  }

  /** Tells whether the Service may be written now; where not it is looked at again later. */
  #mayWrite(key: string): boolean {
    const waitMs = (this.#heldUntilMs.get(key) ?? Number.NEGATIVE_INFINITY) - this.#deps.clock.now();
    if (waitMs > 0) this.queue.addAfter(key, waitMs);
    else this.#heldUntilMs.delete(key);
    return waitMs <= 0;
  }

  #noteWritten(key: string): void {
    const { clock, log } = this.#deps;
    const waitMs = this.#budgets.spend(key, clock.now());
    if (waitMs > 0) this.#heldUntilMs.set(key, clock.now() + waitMs);
    if (this.#failing) log.info("conditions of Services are written again");
    this.#failing = false;
  }

  #noteFailure(service: string, error: unknown): void {
    if (!this.#failing) this.#deps.log.warn("conditions of Services can't be written; trying on", { service, error });
    this.#failing = true;
  }
}

/** A message that is waited for has another time each second. */
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g;
