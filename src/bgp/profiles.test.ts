import fc from "fast-check";
import { expect, test } from "vitest";
import { entryOf } from "../../test/unit/bgp-world.ts";
import type { BGPAnnounce } from "../api/announce.ts";
import type { RouteAttributes } from "./model.ts";
import { additionsFor, groupOf, numberAudiences } from "./profiles.ts";
import { readRule, unite } from "./rules.ts";

const PEERS = ["a", "b", "c"];
const anEntry: fc.Arbitrary<BGPAnnounce> = fc
  .record(
    {
      peers: fc.subarray(PEERS, { minLength: 1 }),
      localPref: fc.constantFrom(0, 50, 100, 200),
      med: fc.constantFrom(0, 10, 20),
      communities: fc.subarray(["65000:1", "65000:2", "large:65000:1:2", "large:1:2:3", "no-export"]),
    },
    { requiredKeys: [] },
  )
  .map(entryOf);
const entries = fc.array(anEntry, { minLength: 1, maxLength: 4 });

/** What a peer sees in the end; undefined: nothing. */
function seenBy(peer: string, all: readonly BGPAnnounce[], draining = false): RouteAttributes | undefined {
  const { attributes, audience } = groupOf(all.map((entry) => readRule(entry, draining)));
  if (audience === undefined) return plain(attributes);
  const additions = additionsFor(audience, peer, true);
  if (additions === undefined) return undefined;
  const localPref = additions.localPref ?? attributes.localPref;
  const med = additions.med ?? attributes.med;
  return plain({ ...unite([attributes, additions]), localPref, med });
}

/** A local preference of 100 is seen as none. */
function plain(attributes: RouteAttributes): RouteAttributes {
  return { ...attributes, localPref: attributes.localPref ?? 100 };
}

test("every peer sees just what the entries for it say, united", () => {
  fc.assert(
    fc.property(entries, fc.boolean(), (all, draining) => {
      for (const peer of PEERS) {
        const own = all.filter(({ peers }) => peers === undefined || peers.includes(peer));
        const rules = own.map((entry) => readRule(entry, draining));
        expect(seenBy(peer, all, draining)).toEqual(own.length === 0 ? undefined : unite(rules));
      }
    }),
  );
});

test.each([
  {
    name: "communities are united",
    a: { communities: ["65000:2"] },
    b: { communities: ["65000:1"] },
    want: { communities: [0xfde8_0001, 0xfde8_0002] },
  },
  { name: "the highest localPref wins", a: { localPref: 50 }, b: { localPref: 80 }, want: { localPref: 80 } },
  { name: "no localPref is one of 100", a: { localPref: 50 }, b: {}, want: { localPref: 100 } },
  { name: "the lowest med wins", a: { med: 0 }, b: { med: 5 }, want: { med: 0 } },
  { name: "no med says nothing", a: {}, b: { med: 5 }, want: { med: 5 } },
  {
    name: "large ones and names are read",
    a: { communities: ["large:65000:1:2", "no-export"] },
    b: {},
    want: { communities: [0xffff_ff01], largeCommunities: ["65000:1:2"] },
  },
])("of two entries: $name", ({ a, b, want }) => {
  expect(seenBy("a", [entryOf(a), entryOf(b)])).toMatchObject(want);
});

test("while draining all is announced with GRACEFUL_SHUTDOWN and local preference 0", () => {
  const all = [entryOf({ localPref: 200, communities: ["65000:1"] }), entryOf({ peers: ["a"], localPref: 300 })];
  const { attributes, audience } = groupOf(all.map((entry) => readRule(entry, true)));
  expect(attributes).toMatchObject({ communities: [0xfde8_0001, 0xffff_0000], localPref: 0 });
  expect(audience).toBeUndefined();
});

test("where all entries are for all peers, none is marked", () => {
  const { audience } = groupOf(
    [entryOf({ med: 1 }), entryOf({ communities: ["65000:1"] })].map((e) => readRule(e, false)),
  );
  expect(audience).toBeUndefined();
});

test("draining, or another community for all, leaves the audience as it is", () => {
  const audienceOf = (entry: Partial<BGPAnnounce>, draining: boolean) =>
    groupOf([readRule(entryOf({ peers: ["a"], ...entry }), draining)]).audience?.key;
  expect(audienceOf({ localPref: 200 }, true)).toBe(audienceOf({}, false));
  expect(audienceOf({ communities: ["65000:1"] }, false)).toBe(audienceOf({}, false));
});

test("no addition is of local preference 0, which gobgpd can't set, and none goes to a peer of another AS", () => {
  fc.assert(
    fc.property(entries, fc.constantFrom(...PEERS), (all, peer) => {
      const { audience } = groupOf(all.map((entry) => readRule(entry, false)));
      if (audience === undefined) return;
      expect(additionsFor(audience, peer, true)?.localPref).not.toBe(0);
      expect(additionsFor(audience, peer, false)?.localPref).toBeUndefined();
    }),
  );
});

test("neither order nor repetition of the entries matters", () => {
  fc.assert(
    fc.property(
      entries.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length })),
      ),
      ([all, shuffled]) => {
        expect(groupOf(shuffled.map((e) => readRule(e, false)))).toEqual(groupOf(all.map((e) => readRule(e, false))));
      },
    ),
  );
});

test("an audience that comes or goes renumbers no other", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 20 }), fc.string(), (keys, other) => {
      const numbers = numberAudiences(keys);
      const more = numberAudiences([other, ...keys]);
      expect(keys.map((key) => more.get(key))).toEqual(keys.map((key) => numbers.get(key)));
    }),
  );
});

test("two audiences with the same hash have two numbers, in whatever order they come", () => {
  const numbers = numberAudiences(["liquid", "costarring"]); // equal in FNV-1a
  expect(numbers.get("liquid")).toBe((numbers.get("costarring") ?? 0) + 1);
  expect(numberAudiences(["costarring", "liquid"])).toEqual(numbers);
});
