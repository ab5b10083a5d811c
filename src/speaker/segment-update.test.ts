import fc from "fast-check";
import { expect, test } from "vitest";
import type { Candidate } from "../election/candidates.ts";
import { PersistentMap } from "../persistent-map.ts";
import type { SegmentInput } from "./segment-messages.ts";
import { applyUpdate, isEmpty, updateOf } from "./segment-update.ts";

const NO_IPS = PersistentMap.from<readonly Candidate[]>([]);
const ip = fc.nat(5).map((i) => `192.0.2.${i}`);
const node = fc.constantFrom("n1", "n2", "n3");
const candidates = fc.uniqueArray(fc.record({ node, score: fc.nat(1) }), { selector: (one) => one.node });
const record = fc.record({
  node,
  incarnation: fc.bigInt(0n, 2n),
  claims: fc.array(fc.tuple(ip, fc.bigInt(0n, 2n))).map((all) => PersistentMap.from(new Map(all))),
  mac: fc.constantFrom(Uint8Array.of(2, 0, 0, 0, 0, 1), Uint8Array.of(2, 0, 0, 0, 0, 2)),
  address: fc.constantFrom("192.0.2.11", ""),
  address6: fc.constantFrom("2001:db8::11", ""),
});
const input: fc.Arbitrary<SegmentInput> = fc.record({
  interface: fc.constant("eth0"),
  address: fc.constantFrom("192.0.2.100", "192.0.2.101"),
  address6: fc.constantFrom("", "fe80::1"),
  gateways: fc.subarray(["192.0.2.1", "fe80::ff"]),
  recordedMac: fc.constant("02:00:00:00:00:01"),
  snapshot: fc.record({
    versions: fc
      .dictionary(fc.constantFrom("Node", "Service"), fc.constantFrom("1", "2"))
      .map((all) => new Map(Object.entries(all))),
    ips: fc.array(fc.tuple(ip, candidates)).map((all) => PersistentMap.from(all)),
    records: fc.uniqueArray(record, { selector: (one) => one.node }),
    ready: fc.subarray(["n1", "n2"]).map((nodes) => new Set(nodes)),
  }),
});

/** All of it in other objects. */
function copyOf({ snapshot, ...rest }: SegmentInput): SegmentInput {
  const { ips, records, ...others } = snapshot;
  const copied = PersistentMap.from([...ips].map(([ip, found]) => [ip, structuredClone(found)]));
  const again = records.map(({ claims, ...record }) => {
    return { ...structuredClone(record), claims: PersistentMap.from(claims) };
  });
  return { ...structuredClone(rest), snapshot: { ...structuredClone(others), ips: copied, records: again } };
}

test("an update brings what was before to what is now, and an empty one was not needed", () =>
  fc.assert(
    fc.property(fc.option(input, { nil: undefined }), input, (before, after) => {
      const update = updateOf(before, after);
      expect(applyUpdate(before, structuredClone(update))).toEqual(after);
      expect(updateOf(after, after)).toMatchObject({ ips: new Map(), goneIPs: [], records: [] });
      expect(isEmpty(after, updateOf(after, copyOf(after)))).toBe(true);
      if (isEmpty(before, update)) expect({ ...before }).toEqual(after);
    }),
  ));

test("what is not new stays the same object, so that it is not looked at again", () => {
  const records = [{ node: "n2", incarnation: 1n, claims: PersistentMap.from([["192.0.2.1", 3n]]) }];
  const before = {
    interface: "eth0",
    address: "192.0.2.100",
    address6: "",
    gateways: [],
    recordedMac: undefined,
    snapshot: { versions: new Map(), ips: NO_IPS, records },
  };
  const after = copyOf({ ...before, address: "192.0.2.101" });
  const { snapshot } = applyUpdate(before, updateOf(before, after));
  expect(snapshot.records[0]).toBe(records[0]);
  expect(snapshot.ips).toBe(before.snapshot.ips);
});

test("of a record's claims those are told that changed", () => {
  const claims = PersistentMap.from<bigint>(Array.from({ length: 100 }, (_, n) => [`192.0.2.${n}`, 1n] as const));
  const inputOf = (claims: PersistentMap<bigint>): SegmentInput => ({
    interface: "eth0",
    address: "192.0.2.100",
    address6: "",
    gateways: [],
    recordedMac: undefined,
    snapshot: { versions: new Map(), ips: NO_IPS, records: [{ node: "n2", incarnation: 1n, claims }] },
  });
  const changed = claims.with([
    ["192.0.2.7", 2n],
    ["192.0.2.8", undefined],
  ]);
  const update = updateOf(inputOf(claims), inputOf(changed));
  expect(update.records).toMatchObject([{ claims: new Map([["192.0.2.7", 2n]]), goneClaims: ["192.0.2.8"] }]);
});

test.each<{ name: string; change: Partial<SegmentInput> | { readonly snapshot: Partial<SegmentInput["snapshot"]> } }>([
  { name: "the address", change: { address: "192.0.2.9" } },
  { name: "the IPv6 address", change: { address6: "fe80::9" } },
  { name: "the gateways", change: { gateways: [] } },
  { name: "an IP", change: { snapshot: { ips: PersistentMap.from([["192.0.2.1", []]]) } } },
  { name: "a version", change: { snapshot: { versions: new Map([["Node", "2"]]) } } },
  {
    name: "a record",
    change: { snapshot: { records: [{ node: "n2", incarnation: 2n, claims: PersistentMap.from<bigint>([]) }] } },
  },
  {
    name: "where a node is",
    change: {
      snapshot: {
        records: [{ node: "n2", incarnation: 1n, claims: PersistentMap.from<bigint>([]), address: "192.0.2.3" }],
      },
    },
  },
  { name: "who is ready", change: { snapshot: { ready: new Set(["n2"]) } } },
])("$name alone is news", ({ change }) => {
  const before: SegmentInput = {
    interface: "eth0",
    address: "192.0.2.8",
    address6: "fe80::8",
    gateways: ["192.0.2.254"],
    recordedMac: undefined,
    snapshot: {
      versions: new Map([["Node", "1"]]),
      ips: NO_IPS,
      records: [{ node: "n2", incarnation: 1n, claims: PersistentMap.from<bigint>([]), address: "192.0.2.2" }],
      ready: new Set(["n1"]),
    },
  };
  const after = { ...before, ...change, snapshot: { ...before.snapshot, ...change.snapshot } };
  const update = updateOf(before, after);
  expect(isEmpty(before, update)).toBe(false);
  expect(applyUpdate(before, update)).toEqual(after);
});
