import { isEstablished, type Session } from "./daemon.ts";
import type { BGPState, Peer } from "./model.ts";

/**
 * BFD runs beside an established session, and only there. What gobgpd's BFD (4.8) does while the session is down harms the
 * next one: when it fails then, it ends that session in the moment in which it opens, and some routers let it wait for
 * minutes before they take another; and it binds to the router's discriminator of before, where FRR takes another as the
 * session opens (stuck-bfd.ts).
 */

/** A session is up for this long before its BFD begins, in ms: a busy FRR goes on with that of the session before meanwhile. */
export const SETTLE_MS = 1_000;

/** Knows which sessions are up, and since when. */
export class UpSessions {
  #up: ReadonlyMap<string, { readonly sinceMs: number; readonly flaps: number }> = new Map();
  #nowMs = Number.NEGATIVE_INFINITY;

  take(sessions: readonly Session[], nowMs: number): void {
    const before = this.#up;
    const up = sessions.filter(isEstablished).map(({ neighbor, flaps }) => {
      const known = before.get(neighbor);
      return [neighbor, { sinceMs: known?.flaps === flaps ? known.sinceMs : nowMs, flaps }] as const;
    });
    this.#up = new Map(up);
    this.#nowMs = nowMs;
  }

  has(neighbor: string): boolean {
    return this.#up.has(neighbor);
  }

  isSettled(neighbor: string): boolean {
    return (this.#up.get(neighbor)?.sinceMs ?? Number.POSITIVE_INFINITY) + SETTLE_MS <= this.#nowMs;
  }

  /** When another is settled, if it stays up; Infinity: all that are up are. */
  get dueMs(): number {
    const due = [...this.#up.values()].map(({ sinceMs }) => sinceMs + SETTLE_MS);
    return Math.min(...due.filter((dueMs) => dueMs > this.#nowMs), Number.POSITIVE_INFINITY);
  }

  /** What `withBFDWhereUp` goes by, as a text to compare. */
  toString(): string {
    const neighbors = [...this.#up.keys()].sort();
    return neighbors.map((neighbor) => `${neighbor} ${this.isSettled(neighbor)}`).join();
  }
}

/** Gives what is wanted now where all in all `wanted` is: BFD for the sessions that are settled, or up and have it. */
export function withBFDWhereUp(wanted: BGPState, held: BGPState, up: UpSessions): BGPState {
  const hasIt = (neighbor: string) => up.has(neighbor) && held.peers.get(neighbor)?.bfd !== undefined;
  const waits = ({ bfd, neighbor }: Peer) => bfd !== undefined && !up.isSettled(neighbor) && !hasIt(neighbor);
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
