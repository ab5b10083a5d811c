import type { Desired } from "./desired.ts";
import type { BGPState } from "./model.ts";

/**
 * Gives what a node shall hold, with the AS that its BGP runs as, where a BGPPeer still has that one: all sessions start anew
 * with another. Routers see no difference, as each peer has its own `localASN`.
 */
export function keepAS({ state, asns }: Pick<Desired, "state" | "asns">, actual: BGPState): BGPState {
  const running = actual.global?.asn;
  if (state.global === undefined || running === undefined || !asns.has(running)) return state;
  return { ...state, global: { ...state.global, asn: running } };
}
