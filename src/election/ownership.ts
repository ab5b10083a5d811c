import { rendezvousHash } from "./rendezvous-hash.ts";
import { type Contender, compareContenders, compareTier, topTier } from "./tier.ts";

/** A claim as its owner's frames have it. */
export interface Claim {
  readonly epoch: bigint;
  /** Its owner answers until a successor claims. */
  readonly yielding: boolean;
}

/** A claim of another node that lives and is not starting. */
export interface RivalClaim extends Claim {
  readonly node: string;
}

/** All that one speaker knows about one IP when it decides. Times are on its monotonic clock, in ms. */
export interface Situation {
  readonly self: string;
  readonly ip: string;
  readonly nowMs: number;
  /** Somebody may own the IP, by the API. */
  readonly wanted: boolean;
  readonly mine?: Claim | undefined;
  readonly rivals: readonly RivalClaim[];
  /** The candidates within reach, oneself included where one is a candidate. */
  readonly contenders: readonly Contender[];
  /** A candidate that is just starting and held the IP before: it will adopt it. */
  readonly heldBy?: string | undefined;
  /** Since when nobody claims or holds the IP; or, where a rival yields it, since when. */
  readonly sinceMs: number;
  /** From when on the claims of all neighbours are in, or are waited for no longer. */
  readonly settledAtMs: number;
  /** How long each contender in rank waits for the one before it. */
  readonly stepMs: number;
}

/** What to do about one IP, and why. The reasons are for people: events, `explain`. */
export type Decision =
  | { readonly do: "Keep"; readonly yielding: boolean; readonly reason: "Owner" | "HigherTier" | "NotCandidate" }
  /** `yielding`: from the beginning, since a higher tier let it pass. `from`: the owner that is relieved. */
  | { readonly do: "Claim"; readonly reason: "Free"; readonly yielding: boolean }
  | { readonly do: "Claim"; readonly reason: "Yielded"; readonly yielding: false; readonly from: RivalClaim }
  | { readonly do: "Drop"; readonly reason: "NoCandidate" }
  | { readonly do: "Lose"; readonly reason: "HigherEpoch" | "BetterRank"; readonly to: string }
  | { readonly do: "Wait"; readonly reason: "NotFirst" | "ClaimsMissing"; readonly untilMs: number }
  | { readonly do: "Nothing"; readonly reason: "NoCandidate" | "NotCandidate" | "OwnedElsewhere" | "HeldByStarting" };

/** Decides about one IP: rules 0 to 5 of docs/wire.md, in their order. */
export function decide(situation: Situation): Decision {
  const { wanted, mine, rivals, heldBy } = situation;
  if (!wanted) return mine ? { do: "Drop", reason: "NoCandidate" } : { do: "Nothing", reason: "NoCandidate" };
  if (mine) return loses(situation, mine) ?? keep(situation);
  if (rivals.length > 0) return relieve(situation);
  if (heldBy !== undefined) return { do: "Nothing", reason: "HeldByStarting" };
  return takeFree(situation);
}

/** Orders two claims of one IP: epoch, then rendezvous hash; negative: `a` keeps the IP. Both owners compute the same. */
export function compareClaims(a: RivalClaim, b: RivalClaim, ip: string): number {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? -1 : 1;
  return rendezvousHash(b.node, ip) - rendezvousHash(a.node, ip) || (a.node < b.node ? -1 : 1);
}

/** Rule 1: of two live claims the later one stands. Tiers, ages and snapshots have no say: both ends must agree. */
function loses({ self, ip, rivals }: Situation, mine: Claim): Decision | undefined {
  const own = { ...mine, node: self };
  let winner: RivalClaim = own;
  for (const rival of rivals) if (compareClaims(rival, winner, ip) < 0) winner = rival;
  if (winner === own) return undefined;
  return { do: "Lose", reason: winner.epoch > mine.epoch ? "HigherEpoch" : "BetterRank", to: winner.node };
}

/** Rules 2 and 3: an owner keeps, and says so when it would rather be relieved. */
function keep({ self, contenders }: Situation): Decision & { readonly do: "Keep" } {
  const me = contenders.find((contender) => contender.node === self);
  if (me === undefined) return { do: "Keep", yielding: true, reason: "NotCandidate" };
  if (contenders.some((other) => compareTier(other, me) < 0))
    return { do: "Keep", yielding: true, reason: "HigherTier" };
  return { do: "Keep", yielding: false, reason: "Owner" };
}

/** Rule 4: what a live node claims stays with it, unless it yields. */
function relieve(situation: Situation): Decision {
  const { rivals, contenders } = situation;
  if (rivals.some((rival) => !rival.yielding)) return { do: "Nothing", reason: "OwnedElsewhere" };
  const top = topTier(contenders).filter((one) => rivals.every((rival) => rival.node !== one.node));
  const from = rivals.reduce((best, rival) => (compareClaims(rival, best, situation.ip) < 0 ? rival : best));
  return inTurn(situation, top) ?? { do: "Claim", reason: "Yielded", yielding: false, from };
}

/**
 * Rule 5: what nobody holds goes to the first in rank; the next steps in where the first does not. The lower tiers
 * come after the top one rather than never: a preferred node that does not know of the IP must not leave it unanswered.
 */
function takeFree(situation: Situation): Decision {
  const { nowMs, settledAtMs, contenders } = situation;
  const turn = inTurn(situation, contenders);
  if (turn !== undefined) return turn;
  if (nowMs < settledAtMs) return { do: "Wait", reason: "ClaimsMissing", untilMs: settledAtMs };
  return { do: "Claim", reason: "Free", yielding: keep(situation).yielding };
}

/** Says how long to wait for those before oneself, and undefined when it is one's turn. */
function inTurn({ self, ip, nowMs, sinceMs, stepMs }: Situation, among: readonly Contender[]): Decision | undefined {
  const me = among.find((one) => one.node === self);
  if (me === undefined) return { do: "Nothing", reason: "NotCandidate" };
  const before = among.filter((one) => one !== me && compareContenders(one, me, ip) < 0).length;
  const untilMs = sinceMs + before * stepMs;
  return nowMs < untilMs ? { do: "Wait", reason: "NotFirst", untilMs } : undefined;
}
