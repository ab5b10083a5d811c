import { Worker } from "node:worker_threads";
import { HeraldError } from "../errors.ts";
import type { NodeConditions } from "../l2/segment.ts";
import type {
  FromSegmentThread,
  Leave,
  SegmentInput,
  SegmentReport,
  SegmentState,
  SegmentThreadConfig,
  ToSegmentThread,
} from "./segment-messages.ts";
import { isEmpty, updateOf } from "./segment-update.ts";
import { toldClaims } from "./told-claims.ts";

/** Heap of the segment thread in MB: small, so that its garbage collections stay short. */
const HEAP_MB = 128;
/** Longer than the thread's own limit for a leave: whatever it hangs in, the process ends. */
const LEAVE_MS = 5_000;

/** What the segment thread tells, its states made whole. */
export type Heard =
  | { readonly what: "state"; readonly segments: readonly SegmentState[]; readonly longestSleepMs: number }
  | Exclude<FromSegmentThread, { readonly what: "state" | "left" }>;

/** The segment thread, as the main thread sees it. */
export class SegmentThread {
  readonly #worker: Worker;
  readonly #left = Promise.withResolvers<void>();
  /** What it was told last, by interface. */
  #told = new Map<string, SegmentInput>();
  #claims = new Map<string, SegmentState["claims"]>();
  #conditions: NodeConditions = { evacuating: false, notForwarding: false };
  /** Rejects with SegmentThreadFailed when the thread ends by itself: the speaker can't go on without it. */
  readonly failed: Promise<never>;

  constructor(config: SegmentThreadConfig, heard: (message: Heard) => void) {
    // The sources run as they are in development, and as .js in dist.
    const file = import.meta.url.endsWith(".ts") ? "./segment-worker.ts" : "./segment-worker.js";
    this.#worker = new Worker(new URL(file, import.meta.url), {
      workerData: config,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 8 },
    });
    this.#worker.on("message", (message: FromSegmentThread) => {
      if (message.what === "left") this.#left.resolve();
      else if (message.what === "state") heard({ ...message, segments: this.#whole(message.segments) });
      else heard(message);
    });
    this.failed = new Promise((_, reject) => {
      const fail = (cause: unknown) =>
        reject(new HeraldError("SegmentThreadFailed", "the thread that keeps the protocol's time failed", { cause }));
      this.#worker.on("error", fail);
      this.#worker.on("exit", (code) => {
        fail(new Error(`it ended with code ${code}`)); // after an error or a leave nobody hears of it
        this.#left.resolve();
      });
    });
    this.failed.catch(() => {}); // whoever waits for it hears of it
  }

  /** Tells what is new since the last time; `retry`: and has interfaces that can't be used tried again. */
  update(segments: readonly SegmentInput[], retry: boolean): void {
    const closed = [...this.#told.keys()].some((name) => segments.every((segment) => segment.interface !== name));
    const updates = segments.flatMap((segment) => {
      const before = this.#told.get(segment.interface);
      const update = updateOf(before, segment);
      return isEmpty(before, update) ? [] : [update];
    });
    this.#told = new Map(segments.map((segment) => [segment.interface, segment]));
    if (updates.length === 0 && !closed && !retry) return;
    this.#tell({ what: "update", interfaces: [...this.#told.keys()], updates });
  }

  /** Tells what is asked of this node or wrong with it, where it is not so already. */
  setConditions(conditions: NodeConditions): void {
    const { evacuating, notForwarding } = this.#conditions;
    if (conditions.evacuating === evacuating && conditions.notForwarding === notForwarding) return;
    this.#conditions = conditions;
    this.#tell({ what: "conditions", conditions });
  }

  /** Ends the thread, in a way that loses nothing. */
  async leave(how: Leave): Promise<void> {
    this.#tell({ what: "leave", how });
    const deadline = setTimeout(() => this.#left.resolve(), LEAVE_MS);
    await this.#left.promise;
    clearTimeout(deadline);
    await this.#worker.terminate();
  }

  #tell(message: ToSegmentThread): void {
    this.#worker.postMessage(message);
  }

  #whole(reports: readonly SegmentReport[]): readonly SegmentState[] {
    const before = this.#claims;
    const states = reports.map(({ claims, ...report }) => ({
      ...report,
      claims: toldClaims(before.get(report.interface), claims),
    }));
    this.#claims = new Map(states.map((state) => [state.interface, state.claims]));
    return states;
  }
}
