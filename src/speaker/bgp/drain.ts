/**
 * How far a node is with leaving on purpose. Draining: its routes say that they are about to go (GRACEFUL_SHUTDOWN, RFC 8326),
 * and routers that have others take those. Drained: they are withdrawn.
 */
export type DrainPhase = "Serving" | "Draining" | "Drained";

/** Says how far it is; `sinceMs`: when it began, undefined where the node is not to leave. `delayMs` 0: nothing is announced beforehand. */
export function drainPhase(sinceMs: number | undefined, delayMs: number, nowMs: number): DrainPhase {
  if (sinceMs === undefined) return "Serving";
  return nowMs - sinceMs < delayMs ? "Draining" : "Drained";
}
