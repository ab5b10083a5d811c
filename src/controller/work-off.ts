import type { WorkQueue } from "../kube/work-queue.ts";
import type { QueueName } from "./metrics.ts";
import type { TermDeps } from "./term.ts";

/** How a queue of objects is worked off. */
export interface Work {
  /** As the metrics name the queue. */
  readonly queue: QueueName;
  readonly workers: number;
  /** What is written, and the log's field for whose it is: "the status of a Service", "service". */
  readonly what: string;
  readonly field: "service" | "pool";
  handle(key: string): Promise<void>;
  readonly signal: AbortSignal;
}

/** Handles keys until aborted; what fails is counted and logged, and tried again. */
export async function workOff(queue: WorkQueue, work: Work, { log, metrics }: TermDeps): Promise<void> {
  const { queue: name, workers, what, field, handle, signal } = work;
  await queue.run({
    workers,
    handle,
    failed: (key, error, retryInMs) => {
      metrics.retried(name);
      log.warn(`${what} was not written; it is tried again`, { [field]: key, error, retryInMs });
    },
    signal,
  });
}
