import type { DurationLimits } from "./durations.ts";

/** Bounds of the timers; docs/bgp.md says why. */
export const TIMER_LIMITS = {
  /** RFC 4271 section 4.2, in sixteen bits; gobgpd can't leave the hold timer out, which 0 would mean. */
  holdTime: { leastMs: 3000, mostMs: 65_535_000, wholeSeconds: true },
  keepaliveTime: { leastMs: 1000, mostMs: 65_535_000, wholeSeconds: true },
  connectRetryTime: { leastMs: 1000, mostMs: 65_535_000, wholeSeconds: true },
  /** Twelve bits (RFC 4724 section 3). */
  restartTime: { leastMs: 1000, mostMs: 4_095_000, wholeSeconds: true },
  /** Below, a busy node loses sessions that are well. */
  bfd: { leastMs: 50, mostMs: 60_000 },
} as const satisfies Record<string, DurationLimits>;
