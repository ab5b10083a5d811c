import { samePace, sameRoute, sameSession } from "./equal.ts";
import type { BGPState, Peer, Route } from "./model.ts";

/** What gobgpd refused of what it was told: as each was wanted, undefined where it was to go. */
export interface Refused {
  readonly peers: ReadonlyMap<string, Peer | undefined>;
  readonly routes: ReadonlyMap<string, Route | undefined>;
}

export const NONE_REFUSED: Refused = { peers: new Map(), routes: new Map() };

/** Finds what was refused: what is still not as wanted when all was told. */
export function refusedOf(want: BGPState, actual: BGPState): Refused {
  return {
    peers: differing(want.peers, actual.peers, samePeer),
    routes: differing(want.routes, actual.routes, sameRoute),
  };
}

/** Gives `want` with what was refused left as it is; the same object where nothing of that is wanted any more as it was. */
export function leaveRefused(want: BGPState, actual: BGPState, refused: Refused): BGPState {
  const peers = left(want.peers, actual.peers, refused.peers, samePeer);
  const routes = left(want.routes, actual.routes, refused.routes, sameRoute);
  return peers === want.peers && routes === want.routes ? want : { ...want, peers, routes };
}

type Same<T> = (a: T, b: T) => boolean;

function differing<T>(want: ReadonlyMap<string, T>, actual: ReadonlyMap<string, T>, same: Same<T>) {
  const found = new Map<string, T | undefined>();
  for (const [key, wanted] of want) if (!alike(wanted, actual.get(key), same)) found.set(key, wanted);
  for (const key of actual.keys()) if (!want.has(key)) found.set(key, undefined);
  return found;
}

function left<T>(
  want: ReadonlyMap<string, T>,
  actual: ReadonlyMap<string, T>,
  refused: ReadonlyMap<string, T | undefined>,
  same: Same<T>,
): ReadonlyMap<string, T> {
  const still = [...refused].filter(([key, wanted]) => alike(want.get(key), wanted, same));
  if (still.length === 0) return want;
  const result = new Map(want);
  for (const [key] of still) {
    const there = actual.get(key);
    if (there === undefined) result.delete(key);
    else result.set(key, there);
  }
  return result;
}

function alike<T>(a: T | undefined, b: T | undefined, same: Same<T>): boolean {
  return a === undefined || b === undefined ? a === b : same(a, b);
}

function samePeer(a: Peer, b: Peer): boolean {
  return sameSession(a, b) && samePace(a, b);
}
