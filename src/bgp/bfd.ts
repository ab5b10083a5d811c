import { isEstablished, type Session } from "./daemon.ts";
import type { BGPState, Peer } from "./model.ts";

/**
 * BFD runs beside an established session, and only there. What gobgpd's BFD (4.8) does while the session is down harms the
 * next one: when it fails then, it ends that session in the moment in which it opens, and some routers let it wait for
 * minutes before they take another; and it binds to the first discriminator that it hears and drops all others, against
 * RFC 5880 section 6.8.6, where FRR takes another as the session opens.
 */

/** Gives what is wanted now where all in all `wanted` is: BFD for the sessions that are established. */
export function withBFDWhereUp(wanted: BGPState, sessions: readonly Session[]): BGPState {
  const up = new Set(sessions.filter(isEstablished).map(({ neighbor }) => neighbor));
  const waits = ({ bfd, neighbor }: Peer) => bfd !== undefined && !up.has(neighbor);
  return changed(wanted, waits, (peer) => ({ ...peer, bfd: undefined }));
}

/**
 * Gives what gobgpd holds, with the peers whose session fell while BFD watched it as peers that nobody can want: only one
 * that is made anew remembers no failure of BFD.
 */
export function spoiltByFalls(held: BGPState, sessions: readonly Session[]): BGPState {
  const down = new Set(sessions.filter((one) => !isEstablished(one)).map(({ neighbor }) => neighbor));
  const fell = ({ bfd, neighbor }: Peer) => bfd !== undefined && down.has(neighbor);
  return changed(held, fell, (peer) => ({ ...peer, localASN: 0 }));
}

function changed(state: BGPState, which: (peer: Peer) => boolean, change: (peer: Peer) => Peer): BGPState {
  if (![...state.peers.values()].some(which)) return state;
  const peers = new Map([...state.peers].map(([neighbor, peer]) => [neighbor, which(peer) ? change(peer) : peer]));
  return { ...state, peers };
}
