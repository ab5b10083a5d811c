import fc from "fast-check";
import { expect, test } from "vitest";
import type { SegmentInput } from "./segment-messages.ts";
import { applyUpdate, isEmpty, updateOf } from "./segment-update.ts";

const ip = fc.nat(5).map((i) => `192.0.2.${i}`);
const node = fc.constantFrom("n1", "n2", "n3");
const candidates = fc.uniqueArray(fc.record({ node, score: fc.nat(1) }), { selector: (one) => one.node });
const record = fc.record({
  node,
  incarnation: fc.bigInt(0n, 2n),
  claims: fc.uniqueArray(fc.record({ ip, epoch: fc.bigInt(0n, 2n) }), { selector: (one) => one.ip }),
});
const input: fc.Arbitrary<SegmentInput> = fc.record({
  interface: fc.constant("eth0"),
  address: fc.constantFrom("192.0.2.100", "192.0.2.101"),
  snapshot: fc.record({
    versions: fc
      .dictionary(fc.constantFrom("Node", "Service"), fc.constantFrom("1", "2"))
      .map((all) => new Map(Object.entries(all))),
    ips: fc.array(fc.tuple(ip, candidates)).map((all) => new Map(all)),
    records: fc.uniqueArray(record, { selector: (one) => one.node }),
  }),
});

test("an update brings what was before to what is now, and an empty one was not needed", () =>
  fc.assert(
    fc.property(fc.option(input, { nil: undefined }), input, (before, after) => {
      const update = updateOf(before, after);
      expect(applyUpdate(before, structuredClone(update))).toEqual(after);
      expect(updateOf(after, after)).toMatchObject({ ips: new Map(), goneIPs: [], records: [] });
      expect(isEmpty(after, updateOf(after, structuredClone(after)))).toBe(true);
      if (isEmpty(before, update)) expect({ ...before }).toEqual(after);
    }),
  ));

test("what is not new stays the same object, so that it is not looked at again", () => {
  const records = [{ node: "n2", incarnation: 1n, claims: [{ ip: "192.0.2.1", epoch: 3n }] }];
  const before = {
    interface: "eth0",
    address: "192.0.2.100",
    snapshot: { versions: new Map(), ips: new Map(), records },
  };
  const after = structuredClone({ ...before, address: "192.0.2.101" });
  const { snapshot } = applyUpdate(before, updateOf(before, after));
  expect(snapshot.records[0]).toBe(records[0]);
  expect(snapshot.ips).toBe(before.snapshot.ips);
});
