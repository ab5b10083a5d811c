import { describe, expect, test } from "vitest";
import { type Claim, compareClaims, decide, type RivalClaim, type Situation } from "./ownership.ts";
import { rank } from "./rank.ts";
import type { Contender } from "./tier.ts";

const IP = "192.0.2.10";
const NODES = rank(
  ["n1", "n2", "n3"].map((node) => ({ node, score: 0 })),
  IP,
).map(({ node }) => node);
const [first = "", second = "", third = ""] = NODES;

const contender = (node: string, more: Partial<Contender> = {}): Contender => ({
  node,
  leaving: false,
  restarting: false,
  notForwarding: false,
  rejoining: false,
  score: 0,
  ...more,
});
const all = NODES.map((node) => contender(node));
const claim = (epoch: bigint, yielding = false): Claim => ({ epoch, yielding });
const rival = (node: string, epoch: bigint, yielding = false): RivalClaim => ({ node, ...claim(epoch, yielding) });
const situation = (more: Partial<Situation>): Situation => ({
  self: first,
  ip: IP,
  nowMs: 1000,
  wanted: true,
  rivals: [],
  contenders: all,
  sinceMs: 1000,
  settledAtMs: 0,
  stepMs: 300,
  ...more,
});

describe("rule 0: no candidate", () => {
  test.each([
    {
      name: "what I claim is dropped",
      more: { wanted: false, mine: claim(1n) },
      want: { do: "Drop", reason: "NoCandidate" },
    },
    { name: "else nothing is done", more: { wanted: false }, want: { do: "Nothing", reason: "NoCandidate" } },
  ])("$name", ({ more, want }) => expect(decide(situation(more))).toEqual(want));
});

describe("rule 1: two claims", () => {
  test.each([
    {
      name: "the higher epoch keeps",
      more: { mine: claim(3n), rivals: [rival(second, 1n)] },
      want: { do: "Keep", yielding: false, reason: "Owner" },
    },
    {
      name: "the lower epoch loses",
      more: { mine: claim(1n), rivals: [rival(second, 3n)] },
      want: { do: "Lose", reason: "HigherEpoch", to: second },
    },
    {
      name: "of equal epochs the better rank keeps",
      more: { mine: claim(1n), rivals: [rival(third, 1n)] },
      want: { do: "Keep", yielding: false, reason: "Owner" },
    },
    {
      name: "of equal epochs the worse rank loses",
      more: { self: second, mine: claim(1n), rivals: [rival(first, 1n)] },
      want: { do: "Lose", reason: "BetterRank", to: first },
    },
    {
      name: "of three the latest keeps",
      more: { mine: claim(1n), rivals: [rival(second, 3n), rival(third, 5n)] },
      want: { do: "Lose", reason: "HigherEpoch", to: third },
    },
    {
      name: "a better tier does not count",
      more: {
        mine: claim(1n),
        contenders: [contender(first, { score: 9 }), contender(second)],
        rivals: [rival(second, 2n)],
      },
      want: { do: "Lose", reason: "HigherEpoch", to: second },
    },
    {
      name: "nor does it that the other yields",
      more: { mine: claim(1n), rivals: [rival(second, 3n, true)] },
      want: { do: "Lose", reason: "HigherEpoch", to: second },
    },
  ])("$name", ({ more, want }) => expect(decide(situation(more))).toEqual(want));

  test("both ends agree who keeps", () => {
    for (const [a, b] of [
      [1n, 1n],
      [1n, 2n],
      [2n, 1n],
    ] as const) {
      const order = compareClaims(rival(first, a), rival(second, b), IP);
      expect(Math.sign(compareClaims(rival(second, b), rival(first, a), IP))).toBe(-Math.sign(order));
    }
  });
});

describe("rules 2 and 3: an owner", () => {
  const yields = (reason: string) => ({ do: "Keep", yielding: true, reason });
  const keeps = { do: "Keep", yielding: false, reason: "Owner" };
  test.each([
    { name: "keeps, whatever its rank", more: { self: third }, want: keeps },
    {
      name: "yields where it is no candidate any more",
      more: { contenders: all.slice(1) },
      want: yields("NotCandidate"),
    },
    {
      name: "yields where it is no candidate and nobody is there",
      more: { contenders: [] },
      want: yields("NotCandidate"),
    },
    {
      name: "yields to a preferred node",
      more: { contenders: [contender(first), contender(third, { score: 1 })] },
      want: yields("HigherTier"),
    },
    {
      name: "yields when it leaves",
      more: { contenders: [contender(first, { leaving: true }), contender(second)] },
      want: yields("HigherTier"),
    },
    {
      name: "yields when it does not forward",
      more: { contenders: [contender(first, { notForwarding: true }), contender(second)] },
      want: yields("HigherTier"),
    },
    {
      name: "does not yield to a preferred node that is rejoining",
      more: { contenders: [contender(first), contender(third, { score: 1, rejoining: true })] },
      want: keeps,
    },
    { name: "keeps when all leave", more: { contenders: all.map((one) => ({ ...one, leaving: true })) }, want: keeps },
  ])("$name", ({ more, want }) => expect(decide(situation({ mine: claim(1n), ...more }))).toEqual(want));
});

describe("rule 4: a live node claims it", () => {
  const elsewhere = { do: "Nothing", reason: "OwnedElsewhere" };
  const takes = (from: RivalClaim) => ({ do: "Claim", reason: "Yielded", yielding: false, from });
  const waits = (untilMs: number) => ({ do: "Wait", reason: "NotFirst", untilMs });
  test.each([
    { name: "it keeps, though it is last in rank", more: { rivals: [rival(third, 1n)] }, want: elsewhere },
    { name: "it keeps, though it is no candidate of mine", more: { rivals: [rival("stranger", 1n)] }, want: elsewhere },
    {
      name: "one of two does not yield",
      more: { rivals: [rival(second, 1n, true), rival(third, 1n)] },
      want: elsewhere,
    },
    {
      name: "it yields: the first takes it",
      more: { rivals: [rival(third, 1n, true)] },
      want: takes(rival(third, 1n, true)),
    },
    {
      name: "it yields: the second waits a step",
      more: { self: second, rivals: [rival(third, 1n, true)] },
      want: waits(1300),
    },
    {
      name: "the second's step is over",
      more: { self: second, nowMs: 1300, rivals: [rival(third, 1n, true)] },
      want: takes(rival(third, 1n, true)),
    },
    {
      name: "the one that yields does not count",
      more: { self: second, rivals: [rival(first, 1n, true)] },
      want: takes(rival(first, 1n, true)),
    },
    {
      name: "it yields, and a higher tier than mine is there",
      more: { contenders: [contender(first), contender(second, { score: 1 })], rivals: [rival(third, 1n, true)] },
      want: { do: "Nothing", reason: "NotCandidate" },
    },
  ])("$name", ({ more, want }) => expect(decide(situation(more))).toEqual(want));
});

describe("rule 5: nobody holds it", () => {
  const takes = { do: "Claim", reason: "Free", yielding: false };
  test.each([
    { name: "the first takes it at once", more: {}, want: takes },
    {
      name: "the second waits a step",
      more: { self: second },
      want: { do: "Wait", reason: "NotFirst", untilMs: 1300 },
    },
    {
      name: "the third waits two",
      more: { self: third, nowMs: 1599 },
      want: { do: "Wait", reason: "NotFirst", untilMs: 1600 },
    },
    { name: "the third's steps are over", more: { self: third, nowMs: 1600 }, want: takes },
    { name: "not heard: not waited for", more: { self: second, contenders: all.slice(1) }, want: takes },
    {
      name: "no candidate: leaves it",
      more: { contenders: all.slice(1) },
      want: { do: "Nothing", reason: "NotCandidate" },
    },
    { name: "one that starts held it", more: { heldBy: second }, want: { do: "Nothing", reason: "HeldElsewhere" } },
    {
      name: "claims are missing",
      more: { settledAtMs: 1200 },
      want: { do: "Wait", reason: "ClaimsMissing", untilMs: 1200 },
    },
    {
      name: "a lower tier comes after the top one",
      more: { contenders: [contender(first), contender(second, { score: 1 })] },
      want: { do: "Wait", reason: "NotFirst", untilMs: 1300 },
    },
    {
      name: "and yields from the beginning",
      more: { nowMs: 1300, contenders: [contender(first), contender(second, { score: 1 })] },
      want: { ...takes, yielding: true },
    },
  ])("$name", ({ more, want }) => expect(decide(situation(more))).toEqual(want));
});
