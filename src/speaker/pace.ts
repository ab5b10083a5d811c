import type { Clock } from "../clock.ts";
import { pause } from "../kube/back-off.ts";

/** Lets so many through each second and no more, in the order in which they come. */
export class Pace {
  readonly #clock: Pick<Clock, "now" | "after" | "wallNow">;
  readonly #gapMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#gapMs = 1000 / perSecond;
  }

  /** Resolves when it is the caller's turn, or at once when aborted. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.now();
    const atMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = atMs + this.#gapMs;
    if (atMs > nowMs) await pause(this.#clock, atMs - nowMs, signal);
  }
}
