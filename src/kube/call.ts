import type { Clock } from "../clock.ts";

/** The life of one request: ends by time, by the caller's signal or by `close`, whichever comes first. */
export class Call {
  readonly #clock: Clock;
  readonly #signals: readonly AbortSignal[];
  readonly #abort = () => this.#destroy(this.reason as Error);
  #destroy: (reason: Error) => void = () => {};
  #cancel = () => {};
  limitMs = 0;
  timedOut = false;

  constructor(clock: Clock, ...signals: readonly (AbortSignal | undefined)[]) {
    this.#clock = clock;
    this.#signals = signals.filter((signal) => signal !== undefined);
    for (const signal of this.#signals) signal.addEventListener("abort", this.#abort);
  }

  get aborted(): boolean {
    return this.#signals.some((signal) => signal.aborted);
  }

  get reason(): unknown {
    return this.#signals.find((signal) => signal.aborted)?.reason;
  }

  throwIfAborted(): void {
    for (const signal of this.#signals) signal.throwIfAborted();
    if (this.timedOut) throw new Error("timed out");
  }

  /** Gives it `limitMs` from now on. */
  limit(limitMs: number): void {
    this.#cancel();
    this.limitMs = limitMs;
    this.#cancel = this.#clock.after(limitMs, () => {
      this.timedOut = true;
      this.#destroy(new Error("timed out"));
    });
  }

  onAbort(destroy: (reason: Error) => void): void {
    this.#destroy = destroy;
  }

  /** Lets go of the timer and the signals. */
  end(): void {
    this.#cancel();
    for (const signal of this.#signals) signal.removeEventListener("abort", this.#abort);
  }
}
