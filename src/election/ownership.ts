import { rendezvousHash } from "./rendezvous-hash.ts";
import { type Contender, compareTier, contenderOf, topTier } from "./tier.ts";

/** A claim as its owner's frames have it. */
export interface Claim {
  readonly epoch: bigint;
  /** Its owner answers until a successor claims. */
  readonly yielding: boolean;
  /** Its owner has not announced it yet: it asks first whether a stranger has the IP (RFC 5227). */
  readonly tentative?: boolean | undefined;
}

/** A claim of another node. */
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
  /** The claims of nodes that live and are past their start. */
  readonly rivals: readonly RivalClaim[];
  /** The claims of nodes whose speaker is away while their kernel answers. */
  readonly absent?: readonly RivalClaim[];
  /** The candidates within reach, oneself included where one is a candidate. */
  readonly contenders: readonly Contender[];
  /** A candidate that is starting, or whose speaker is away, and that has the IP: it will go on with it. */
  readonly heldBy?: string | undefined;
  /** Since when nobody claims or holds the IP; or, where a rival yields it, since when. */
  readonly sinceMs: number;
  /** From when on the claims of all neighbours are in, or are waited for no longer. */
  readonly settledAtMs: number;
  /** How long each contender in rank waits for the one before it. */
  readonly stepMs: number;
  /** Nothing was heard of late, so all that seems free may be somebody's. */
  readonly cutOff?: boolean;
  /** From when on an owner that does not yield, and whose view of the API is behind, may be overruled. */
  readonly overruleAtMs?: number | undefined;
}

/** What to do about one IP, and why. The reasons are for people: events, `explain`. */
export type Decision =
  | { readonly do: "Keep"; readonly yielding: boolean; readonly reason: "Owner" | "HigherTier" | "NotCandidate" }
  /** `yielding`: from the beginning, since a higher tier let it pass. `from`: the owner that is relieved. */
  | { readonly do: "Claim"; readonly reason: "Free"; readonly yielding: boolean }
  | {
      readonly do: "Claim";
      readonly reason: "Yielded" | "Overruled";
      readonly yielding: false;
      readonly from: RivalClaim;
    }
  | { readonly do: "Drop"; readonly reason: "NoCandidate" }
  | { readonly do: "Lose"; readonly reason: "HigherEpoch" | "BetterRank"; readonly to: string }
  | { readonly do: "Wait"; readonly reason: "NotFirst" | "ClaimsMissing"; readonly untilMs: number }
  | {
      readonly do: "Nothing";
      readonly reason: "NoCandidate" | "NotCandidate" | "OwnedElsewhere" | "HeldElsewhere" | "CutOff";
    };

/** Decides about one IP: rules 0 to 5 of docs/wire.md, in their order. */
export function decide(situation: Situation): Decision {
  const { wanted, mine, rivals, heldBy } = situation;
  if (!wanted) return mine ? { do: "Drop", reason: "NoCandidate" } : { do: "Nothing", reason: "NoCandidate" };
  if (mine) return loses(situation, mine) ?? keep(situation);
  if (rivals.length > 0) return relieve(situation);
  if (heldBy !== undefined) return { do: "Nothing", reason: "HeldElsewhere" };
  return takeFree(situation);
}

/** Orders two claims of one IP: epoch, then rendezvous hash; negative: `a` keeps the IP. Both owners compute the same. */
export function compareClaims(a: RivalClaim, b: RivalClaim, ip: string): number {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? -1 : 1;
  return rendezvousHash(b.node, ip) - rendezvousHash(a.node, ip) || (a.node < b.node ? -1 : 1);
}

/** Rule 1: of two live claims the later one stands. Tiers, ages and snapshots have no say: both ends must agree. */
function loses({ self, ip, rivals, absent = [] }: Situation, mine: Claim): Decision | undefined {
  if (rivals.length + absent.length === 0) return undefined;
  const own = { ...mine, node: self };
  let winner: RivalClaim = own;
  for (const rival of [...rivals, ...absent]) if (compareClaims(rival, winner, ip) < 0) winner = rival;
  if (winner === own) return undefined;
  return { do: "Lose", reason: winner.epoch > mine.epoch ? "HigherEpoch" : "BetterRank", to: winner.node };
}

/** Rules 2 and 3: an owner keeps, and says so when it would rather be relieved. A restart of its own is no reason. */
function keep({ self, contenders }: Situation): Decision & { readonly do: "Keep" } {
  const found = contenderOf(contenders, self);
  if (found === undefined) return { do: "Keep", yielding: true, reason: "NotCandidate" };
  const me = { ...found, restarting: false };
  const [top] = topTier(contenders);
  if (top !== undefined && compareTier(top, me) < 0) return { do: "Keep", yielding: true, reason: "HigherTier" };
  return { do: "Keep", yielding: false, reason: "Owner" };
}

/** Rule 4: what a live node claims stays with it, unless it yields, or its view of the API is behind. */
function relieve(situation: Situation): Decision {
  const { rivals, contenders, overruleAtMs, sinceMs, cutOff } = situation;
  const yielded = rivals.every((rival) => rival.yielding);
  if (!yielded && overruleAtMs === undefined) return { do: "Nothing", reason: "OwnedElsewhere" };
  if (cutOff) return { do: "Nothing", reason: "CutOff" };
  const top = topTier(contenders).filter((one) => rivals.every((rival) => rival.node !== one.node));
  const from = rivals.reduce((best, rival) => (compareClaims(rival, best, situation.ip) < 0 ? rival : best));
  const turn = inTurn(situation, top, yielded ? sinceMs : (overruleAtMs ?? sinceMs));
  return turn ?? { do: "Claim", reason: yielded ? "Yielded" : "Overruled", yielding: false, from };
}

/**
 * Rule 5: what nobody holds goes to the first in rank; the next steps in where the first does not. The lower tiers
 * come after the top one rather than never: a preferred node that does not know of the IP must not leave it unanswered.
 */
function takeFree(situation: Situation): Decision {
  const { nowMs, settledAtMs, contenders, sinceMs, cutOff } = situation;
  if (cutOff) return { do: "Nothing", reason: "CutOff" };
  const turn = inTurn(situation, contenders, sinceMs);
  if (turn !== undefined) return turn;
  if (nowMs < settledAtMs) return { do: "Wait", reason: "ClaimsMissing", untilMs: settledAtMs };
  return { do: "Claim", reason: "Free", yielding: keep(situation).yielding };
}

/** Counts those that come before `me` by tier, then by rendezvous hash. */
function countBefore(me: Contender, among: readonly Contender[], ip: string): number {
  const own = rendezvousHash(me.node, ip);
  let before = 0;
  for (const other of among) {
    if (other === me) continue;
    const order = compareTier(other, me) || own - rendezvousHash(other.node, ip) || (other.node < me.node ? -1 : 1);
    if (order < 0) before++;
  }
  return before;
}

/** Says how long to wait for those before oneself, and undefined when it is one's turn. */
function inTurn(
  { self, ip, nowMs, stepMs }: Situation,
  among: readonly Contender[],
  fromMs: number,
): Decision | undefined {
  const me = contenderOf(among, self);
  if (me === undefined) return { do: "Nothing", reason: "NotCandidate" };
  const before = countBefore(me, among, ip);
  const untilMs = fromMs + before * stepMs;
  return nowMs < untilMs ? { do: "Wait", reason: "NotFirst", untilMs } : undefined;
}
