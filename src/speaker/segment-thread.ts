import { Worker } from "node:worker_threads";
import type { FromSegmentThread, SegmentInput, SegmentThreadConfig, ToSegmentThread } from "./segment-messages.ts";

/** Heap of the segment thread in MB: small, so that its garbage collections stay short. */
const HEAP_MB = 128;

/** The segment thread, as the main thread sees it. */
export class SegmentThread {
  readonly #worker: Worker;
  readonly #left = Promise.withResolvers<void>();
  /** Rejects when the thread fails: the speaker can't go on without it. */
  readonly failed: Promise<never>;

  constructor(config: SegmentThreadConfig, heard: (message: FromSegmentThread) => void) {
    // The sources run as they are in development, and as .js in dist.
    const file = import.meta.url.endsWith(".ts") ? "./segment-worker.ts" : "./segment-worker.js";
    this.#worker = new Worker(new URL(file, import.meta.url), {
      workerData: config,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 8 },
    });
    this.#worker.on("message", (message: FromSegmentThread) => {
      if (message.what === "left") this.#left.resolve();
      else heard(message);
    });
    this.failed = new Promise((_, reject) => {
      this.#worker.on("error", (cause) => reject(new Error("the segment thread failed", { cause })));
      this.#worker.on("exit", () => this.#left.resolve());
    });
    this.failed.catch(() => {}); // whoever waits for it hears of it
  }

  update(segments: readonly SegmentInput[]): void {
    this.#worker.postMessage({ what: "update", segments } satisfies ToSegmentThread);
  }

  /** Hands everything over and ends the thread. */
  async leave(): Promise<void> {
    this.#worker.postMessage({ what: "leave" } satisfies ToSegmentThread);
    await this.#left.promise;
    await this.#worker.terminate();
  }
}
