import { setImmediate } from "node:timers/promises";
import type { Cancel, Clock } from "../clock.ts";
import { ApiError } from "./api-error.ts";
import { type BackOff, backOffMs } from "./back-off.ts";

export interface WorkQueueDeps {
  readonly clock: Clock;
  readonly random: () => number;
  /** Of each key's failures in a row; 100 ms doubling up to 30 s by default. */
  readonly backOff?: BackOff;
}

/** So many keys of which nothing has to be waited for are handled in a row; then whoever else waits gets a turn. */
const IN_A_ROW = 100;

export interface RunOptions {
  /** How many keys are handled at the same time. */
  readonly workers: number;
  handle(key: string): Promise<void>;
  /** Hears of each failure, and when the key is tried again. */
  failed(key: string, error: unknown, retryInMs: number): void;
  readonly signal: AbortSignal;
}

/**
 * Keys that wait to be handled, first come, first served. A key waits once however often it is added, is never handled
 * twice at the same time, and is handled again after an `add` that came while it was: no wake is lost. So it holds no
 * more than there are different keys.
 */
export class WorkQueue {
  readonly #deps: WorkQueueDeps;
  readonly #backOff: BackOff;
  readonly #waiting = new Set<string>();
  /** Where the first one waits. A new iterator for each would pass by all that were taken out before, one by one. */
  #front = this.#waiting.values();
  /** Keys in the workers' hands; true: added meanwhile. */
  readonly #handled = new Map<string, boolean>();
  readonly #later = new Map<string, { readonly at: number; readonly cancel: Cancel }>();
  readonly #retries = new Map<string, Cancel>();
  readonly #failures = new Map<string, number>();
  #wake: () => void = () => {};

  constructor(deps: WorkQueueDeps) {
    this.#deps = deps;
    this.#backOff = deps.backOff ?? { baseMs: 100, capMs: 30_000 };
  }

  /** How many keys wait to be handled now; those in a worker's hands or waiting for a time do not count. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** How many keys have failed and wait to be tried again. */
  get retrying(): number {
    return this.#retries.size;
  }

  /** Has the key handled as soon as a worker is free, whatever it waits for. */
  add(key: string): void {
    if (this.#handled.has(key)) this.#handled.set(key, true);
    else {
      this.#waiting.add(key);
      this.#wake();
    }
  }

  /** Adds the key after `delayMs`. Of several such times only the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    const at = this.#deps.clock.now() + delayMs;
    const known = this.#later.get(key);
    if (known !== undefined && known.at <= at) return;
    known?.cancel();
    const cancel = this.#deps.clock.after(delayMs, () => {
      this.#later.delete(key);
      this.add(key);
    });
    this.#later.set(key, { at, cancel });
  }

  /** Handles keys until aborted; resolves when the last worker is done. What then waits is forgotten. */
  async run({ workers, handle, failed, signal }: RunOptions): Promise<void> {
    const wake = () => this.#wake();
    signal.addEventListener("abort", wake);
    const busy = new Set<Promise<void>>();
    for (let taken = 1; !signal.aborted; ) {
      const key = busy.size < workers ? this.#next() : undefined;
      if (key === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const work = this.#handle(key, { handle, failed, signal }).finally(() => {
        busy.delete(work);
        this.#wake();
      });
      busy.add(work);
      if (taken++ % IN_A_ROW === 0) await setImmediate();
    }
    signal.removeEventListener("abort", wake);
    await Promise.all(busy);
    this.#clear();
  }

  #next(): string | undefined {
    if (this.#waiting.size === 0) return undefined;
    let { value: key } = this.#front.next();
    if (key === undefined) {
      this.#front = this.#waiting.values();
      key = this.#front.next().value;
    }
    if (key !== undefined) this.#waiting.delete(key);
    return key;
  }

  async #handle(key: string, { handle, failed, signal }: Omit<RunOptions, "workers">): Promise<void> {
    this.#handled.set(key, false);
    this.#retries.get(key)?.();
    this.#retries.delete(key);
    try {
      await handle(key);
      this.#failures.delete(key);
    } catch (error) {
      if (!signal.aborted) failed(key, error, this.#retryLater(key, error));
    } finally {
      const again = this.#handled.get(key);
      this.#handled.delete(key);
      if (again) this.add(key);
    }
  }

  /** Gives the time after which the key is added again. */
  #retryLater(key: string, error: unknown): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const delayMs = Math.max(Math.round(backOffMs(this.#backOff, failures, this.#deps.random)), asked);
    const cancel = this.#deps.clock.after(delayMs, () => {
      this.#retries.delete(key);
      this.add(key);
    });
    this.#retries.set(key, cancel);
    return delayMs;
  }

  #clear(): void {
    for (const cancel of this.#retries.values()) cancel();
    for (const { cancel } of this.#later.values()) cancel();
    for (const held of [this.#waiting, this.#retries, this.#later, this.#failures]) held.clear();
  }
}
