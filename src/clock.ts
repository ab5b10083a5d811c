/** Ends a timer; ending it twice, or after it ran, does nothing. */
export type Cancel = () => void;

/** Time and timers, passed in so that tests move them by hand. */
export interface Clock {
  /** Milliseconds on a monotonic clock; only differences mean something. */
  now(): number;
  /** Milliseconds since 1970, for what people or the API read. */
  wallNow(): number;
  /** Runs once after `delayMs`. */
  after(delayMs: number, run: () => void): Cancel;
}

/** The machine's clock. Its timers do not keep the process alive by themselves. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.max(0, delayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** How work that comes again and again leaves the processor, or a server, to others. */
export interface Rest {
  /** After the work it rests so many times as long as the work took. */
  readonly share: number;
  /** But never longer than this, in ms: where the process was suspended meanwhile the work did not take so long. */
  readonly maxMs: number;
}

/** Gives how long to rest after work that took `tookMs`, in ms. */
export function restMs({ share, maxMs }: Rest, tookMs: number): number {
  return Math.min(maxMs, share * tookMs);
}
