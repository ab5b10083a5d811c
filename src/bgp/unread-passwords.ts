import type { BGPState, Peer } from "./model.ts";
import type { NodePeers } from "./peers.ts";

/**
 * Gives what gobgpd shall hold while passwords can't be read: a session that it has with a password goes on with that one,
 * and others stay closed.
 */
export function keepPasswords(state: BGPState, outcomes: NodePeers["outcomes"], actual: BGPState): BGPState {
  const unread = [...outcomes.values()].filter((one) => one.opened && one.passwordUnread !== undefined);
  if (unread.length === 0) return state;
  const peers = new Map<string, Peer>(state.peers);
  for (const { neighbor } of unread) {
    const peer = peers.get(neighbor);
    const password = actual.peers.get(neighbor)?.password;
    if (peer === undefined || password === undefined) peers.delete(neighbor);
    else peers.set(neighbor, { ...peer, password });
  }
  return { ...state, peers };
}
