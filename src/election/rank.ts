import type { Candidate } from "./candidates.ts";
import { rendezvousHash } from "./rendezvous-hash.ts";

/** Orders two nodes for an IP by rendezvous hash, then by name; negative: `a` is the better one. */
export function compareHash(a: string, b: string, ip: string): number {
  return rendezvousHash(b, ip) - rendezvousHash(a, ip) || (a < b ? -1 : a > b ? 1 : 0);
}

/** Orders candidates for an IP: preference first, then rendezvous hash; the same on every speaker. */
export function rank(candidates: readonly Candidate[], ip: string): Candidate[] {
  return candidates.toSorted((a, b) => b.score - a.score || compareHash(a.node, b.node, ip));
}
