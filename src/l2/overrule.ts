import { type Contender, compareTier, contenderOf, topTier } from "../election/tier.ts";

/** An owner whose view of the API may be behind. */
interface Doubt {
  readonly owner: string;
  /** This node's versions when it first found that the owner should not own. */
  readonly versions: ReadonlyMap<string, bigint>;
  readonly sinceMs: number;
}

/**
 * Watches for owners that keep an IP by a view of the API older than this node's. Versions are compared kind by kind, so
 * that progress of one never hides a watch that stands still.
 */
export class Overrule {
  readonly #afterMs: number;
  readonly #doubts = new Map<string, Doubt>();

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  clear(): void {
    this.#doubts.clear();
  }

  forget(ip: string): void {
    this.#doubts.delete(ip);
  }

  /** Begins to doubt, unless it does already; gives from when on the owner may be overruled. */
  doubt(ip: string, owner: string, versions: ReadonlyMap<string, bigint>, nowMs: number): number {
    const known = this.#doubts.get(ip);
    if (known?.owner === owner) return known.sinceMs + this.#afterMs;
    this.#doubts.set(ip, { owner, versions, sinceMs: nowMs });
    return nowMs + this.#afterMs;
  }

  /** Says whether the owner's versions are still behind those that began the doubt. */
  isBehind(ip: string, theirs: ReadonlyMap<string, bigint>): boolean {
    const doubt = this.#doubts.get(ip);
    if (doubt === undefined) return false;
    if (theirs.size === 0) return doubt.versions.size > 0;
    // A kind that only one of the two tells is another release's.
    return [...doubt.versions].some(([kind, version]) => (theirs.get(kind) ?? version) < version);
  }
}

/** Says whether the API would have another own the IP: by candidacy or preference, which the owner may not have seen yet. */
export function shouldNotOwn(owner: string, contenders: readonly Contender[]): boolean {
  const found = contenderOf(contenders, owner);
  const [top] = topTier(contenders);
  if (found === undefined || top === undefined) return top !== undefined;
  return top.score > found.score && compareTier(top, found) < 0;
}
