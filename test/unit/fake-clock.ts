import { setImmediate } from "node:timers/promises";
import type { Cancel, Clock } from "../../src/clock.ts";

/** A clock that a test moves by hand. */
export class FakeClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];
  /** What `wallNow` gives at time 0. */
  readonly #epochMs = Date.UTC(2026, 0, 1);

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#epochMs + this.#now;
  }

  after(delayMs: number, run: () => void): Cancel {
    const timer = { at: this.#now + Math.max(0, delayMs), run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** When the next timer is due, as `now` tells time; undefined without any. */
  get next(): number | undefined {
    return this.#timers.length === 0 ? undefined : Math.min(...this.#timers.map(({ at }) => at));
  }

  get pending(): number {
    return this.#timers.length;
  }

  /** Moves on, running what is due in order, and after each timer whatever was waiting for it. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await setImmediate();
    for (let next = this.next; next !== undefined && next <= until; next = this.next) {
      this.#now = Math.max(this.#now, next);
      const timer = this.#timers.find(({ at }) => at === next);
      this.#timers = this.#timers.filter((other) => other !== timer);
      timer?.run();
      await setImmediate();
    }
    this.#now = until;
    await setImmediate();
  }
}
