import type { NodePeers, PeerOutcome } from "../../bgp/peers.ts";
import type { ReconcilerView } from "../../bgp/reconciler.ts";

/** Gives what becomes of the BGPPeers as things are at the node: some that could be opened stay closed for now. */
export function outcomesNow(
  outcomes: NodePeers["outcomes"],
  { sessions, sessionsAtMs, cannotListen }: ReconcilerView,
): NodePeers["outcomes"] {
  const open = new Set(sessions.map(({ neighbor }) => neighbor));
  const now = (outcome: PeerOutcome): PeerOutcome => {
    if (!outcome.opened) return outcome;
    const { neighbor, peer, passwordUnread } = outcome;
    if (peer.passive && cannotListen !== undefined)
      return { opened: false, neighbor, reason: "CannotListen", message: cannotListen };
    if (passwordUnread !== undefined && sessionsAtMs !== undefined && !open.has(neighbor))
      return { opened: false, neighbor, reason: "SecretsUnreadable", message: passwordUnread };
    return outcome;
  };
  return new Map([...outcomes].map(([name, outcome]) => [name, now(outcome)]));
}
