import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";

/** How long work may keep everybody else waiting, in ms. */
const TURN_MS = 10;

/** Does long work step by step, and lets others have their turns; gives its result, or undefined where it was aborted. */
export async function inTurns<T>(
  steps: Generator<undefined, T>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T | undefined> {
  let untilMs = clock.now() + TURN_MS;
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (clock.now() < untilMs) continue;
    await setImmediate();
    if (signal.aborted) return undefined;
    untilMs = clock.now() + TURN_MS;
  }
}
