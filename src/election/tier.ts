import { compareHash } from "./rank.ts";

/** A candidate that is there to be asked, and all that speaks for or against it. Everything is soft: somebody always is first. */
export interface Contender {
  readonly node: string;
  /** It wants to go: leaving or restarting. */
  readonly leaving: boolean;
  /** Its node proxy does not forward. */
  readonly notForwarding: boolean;
  /** It was dead less than a while ago. Never set for oneself. */
  readonly rejoining: boolean;
  /** Preference. */
  readonly score: number;
}

/** Orders two contenders by tier alone; negative: `a` is in the higher tier, 0: they are in the same. */
export function compareTier(a: Contender, b: Contender): number {
  return (
    Number(a.leaving) - Number(b.leaving) ||
    Number(a.notForwarding) - Number(b.notForwarding) ||
    Number(a.rejoining) - Number(b.rejoining) ||
    b.score - a.score
  );
}

/** Orders two contenders for an IP: tier, then rendezvous hash. */
export function compareContenders(a: Contender, b: Contender, ip: string): number {
  return compareTier(a, b) || compareHash(a.node, b.node, ip);
}

/** Gives the contenders that no other is above, in the order given. */
export function topTier(contenders: readonly Contender[]): Contender[] {
  let top: Contender[] = [];
  for (const contender of contenders) {
    const first = top[0];
    const order = first === undefined ? -1 : compareTier(contender, first);
    if (order < 0) top = [contender];
    else if (order === 0) top.push(contender);
  }
  return top;
}
