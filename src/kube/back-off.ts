import type { Clock } from "../clock.ts";

/** How delays grow from failure to failure, in milliseconds. */
export interface BackOff {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * Gives the delay after the n-th failure in a row (n from 1): it doubles up to the cap, and chance takes up to half of
 * it away, so that many clients of one server do not come back together.
 */
export function backOffMs({ baseMs, capMs }: BackOff, failures: number, random: () => number): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30)) * (1 - random() / 2);
}

/** Resolves after `delayMs`, or at once when `signal` is or gets aborted; never rejects. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal.addEventListener("abort", done);
  });
}
