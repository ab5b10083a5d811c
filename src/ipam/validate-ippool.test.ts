import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { formatIP } from "./addresses.ts";
import { validateIPPool } from "./validate-ippool.ts";

const layer2 = (fields: object) => ({ addresses: ["192.0.2.1"], announce: [{ layer2: fields }] });
const bgp = (fields: object, addresses = ["192.0.2.0/24"]) => ({
  addresses,
  announce: [{ layer2: {} }, { bgp: fields }],
});
const found = (spec: unknown) => validateIPPool(spec).map(({ path, message }) => `${path} ${message}`);

test.each<{ name: string; spec: object }>([
  { name: "both families", spec: { addresses: ["192.0.2.0/28", "2001:db8::/112", "2001:db8:1::1-2001:db8:1::9"] } },
  { name: "neighbours", spec: { addresses: ["192.0.2.0/28", "192.0.2.16-192.0.2.20", "192.0.2.21"] } },
  { name: "an exclude", spec: { addresses: ["192.0.2.0/28"], exclude: ["192.0.2.1", "192.0.2.8 - 192.0.3.9"] } },
  { name: "all of it excluded", spec: { addresses: ["192.0.2.0/28"], exclude: ["0.0.0.0/0"] } },
  { name: "excludes that overlap", spec: { addresses: ["::/0"], exclude: ["::1", "::/64"] } },
  { name: "selectors", spec: { ...layer2({}), namespaceSelector: {}, serviceSelector: { matchLabels: { a: "b" } } } },
  { name: "interfaces", spec: layer2({ interfaces: ["eth0", "/eth[1-9]/"] }) },
  { name: "preferred nodes", spec: layer2({ preferredNodes: [{ weight: 100, selector: {} }] }) },
  { name: "no announcing", spec: { addresses: ["192.0.2.1"], announce: [] } },
  { name: "routes as wide as an entry", spec: bgp({ aggregationLength: 24 }) },
  { name: "routes that a range is made of", spec: bgp({ aggregationLength: 26 }, ["192.0.2.64-192.0.2.191"]) },
  { name: "one route for all", spec: bgp({ aggregationLength: 0 }, ["0.0.0.0/0"]) },
  { name: "the other family", spec: bgp({ aggregationLength: 0, aggregationLengthV6: 64 }, ["2001:db8::/64"]) },
  { name: "communities", spec: bgp({ communities: ["65000:100", "large:1:2:3", "no-export"] }) },
])("a pool with $name is good", ({ spec }) => expect(found(spec)).toEqual([]));

test.each(["ippool.yaml", "ippool-all-fields.yaml"])("the sample %s is good", (file) => {
  const path = new URL(`../../config/samples/${file}`, import.meta.url);
  expect(found(parse(readFileSync(path, "utf8")).spec)).toEqual([]);
});

test.each<{ name: string; spec: unknown; want: string[] }>([
  {
    name: "several bad entries",
    spec: { addresses: ["192.0.2.1", "everything", "::1%eth0"] },
    want: [
      'spec.addresses[1] "everything" is not an address, a CIDR or a range; write one like "192.0.2.10", "192.0.2.0/28" or "192.0.2.10-192.0.2.20"',
      'spec.addresses[2] "::1%eth0" has a zone id; write ::1 without it',
    ],
  },
  {
    name: "overlaps",
    spec: { addresses: ["192.0.2.1", "192.0.2.128/25", "192.0.2.0-192.0.2.199", "::/1", "::1"] },
    want: [
      'spec.addresses[2] "192.0.2.0-192.0.2.199" overlaps spec.addresses[0] "192.0.2.1"; keep each address in one entry only',
      'spec.addresses[2] "192.0.2.0-192.0.2.199" overlaps spec.addresses[1] "192.0.2.128/25"; keep each address in one entry only',
      'spec.addresses[4] "::1" overlaps spec.addresses[3] "::/1"; keep each address in one entry only',
    ],
  },
  {
    name: "the same twice in two spellings",
    spec: { addresses: ["2001:db8::a", "2001:DB8:0::A"] },
    want: [
      'spec.addresses[1] "2001:DB8:0::A" overlaps spec.addresses[0] "2001:db8::a"; keep each address in one entry only',
    ],
  },
  {
    name: "bad excludes",
    spec: { addresses: ["192.0.2.0/28"], exclude: ["192.0.2.16", "::/0", "192.0.2.1", "192.0.2.1", "192.0.2.3-"] },
    want: [
      'spec.exclude[3] "192.0.2.1" repeats spec.exclude[2]; remove it',
      'spec.exclude[4] "192.0.2.3-" has no end; write a range like "192.0.2.10-192.0.2.20"',
      'spec.exclude[0] "192.0.2.16" has no address of the pool; correct it, or remove it',
      'spec.exclude[1] "::/0" has no address of the pool; correct it, or remove it',
    ],
  },
  {
    name: "an exclude beside a bad entry",
    spec: { addresses: ["192.0.2.0/33"], exclude: ["192.0.2.1"] },
    want: [
      'spec.addresses[0] "192.0.2.0/33" has a bad prefix length; write a number from 0 to 32 after the slash, without leading zeros',
    ],
  },
  {
    name: "routes wider than its entries",
    spec: bgp({ aggregationLength: 23, aggregationLengthV6: 48 }, [
      "192.0.0.0/16",
      "192.2.2.1-192.2.2.4",
      "2001:db8::/64",
    ]),
    want: [
      'spec.announce[1].bgp.aggregationLength aggregationLength 23 is wider than "192.2.2.1-192.2.2.4": its routes would reach beyond; write at least 32',
      'spec.announce[1].bgp.aggregationLengthV6 aggregationLengthV6 48 is wider than "2001:db8::/64": its routes would reach beyond; write at least 64',
    ],
  },
  {
    name: "two ways to announce in one entry",
    spec: { addresses: ["192.0.2.1"], announce: [{}, { layer2: {}, bgp: {} }] },
    want: [
      "spec.announce[0] must have exactly one of layer2 and bgp; make it two entries for both",
      "spec.announce[1] must have exactly one of layer2 and bgp; make it two entries for both",
    ],
  },
  {
    name: "things said twice",
    spec: {
      ...bgp({ peers: ["a", "a"], communities: ["1:1", "1:1"] }),
      announce: [
        bgp({ peers: ["a", "a"], communities: ["1:1", "1:1"] }).announce[1],
        layer2({ interfaces: ["eth0", "eth0"] }).announce[0],
      ],
    },
    want: [
      'spec.announce[0].bgp.peers[1] "a" repeats spec.announce[0].bgp.peers[0]; remove it',
      'spec.announce[0].bgp.communities[1] "1:1" repeats spec.announce[0].bgp.communities[0]; remove it',
      'spec.announce[1].layer2.interfaces[1] "eth0" repeats spec.announce[1].layer2.interfaces[0]; remove it',
    ],
  },
])("of a pool with $name each problem is named", ({ spec, want }) => expect(found(spec)).toEqual(want));

test("a field that there isn't is named, and the rest checked", () => {
  const unknown = "is no field of an IPPool; correct its name, or remove it";
  expect(found({ addresses: ["::1"], exlude: [], announce: [{ layer2: { vlan: 3 } }] })).toEqual([
    `spec.exlude ${unknown}`,
    `spec.announce[0].layer2.vlan ${unknown}`,
  ]);
  expect(found({ adresses: ["::1"] }).length).toBe(2);
  expect(found({ addresses: ["::1"], serviceSelector: { matchLabels: { vlan: "3" } } })).toEqual([]);
});

const broken = { matchExpressions: [{ key: "rack", operator: "Exists", values: ["a"] }] };
const takesNone = "operator Exists takes no values; remove them";
test.each<{ spec: object; want: string }>([
  { spec: { namespaceSelector: broken }, want: "spec.namespaceSelector" },
  { spec: { serviceSelector: broken }, want: "spec.serviceSelector" },
  { spec: layer2({ nodeSelector: broken }), want: "spec.announce[0].layer2.nodeSelector" },
  {
    spec: layer2({ preferredNodes: [{ weight: 1, selector: broken }] }),
    want: "spec.announce[0].layer2.preferredNodes[0].selector",
  },
  { spec: bgp({ nodeSelector: broken }), want: "spec.announce[1].bgp.nodeSelector" },
])("a bad requirement is found in $want", ({ spec, want }) => {
  expect(found({ addresses: ["192.0.2.0/24"], ...spec })).toEqual([`${want}.matchExpressions[0] ${takesNone}`]);
});

test.each<{ name: string; spec: unknown; path: string }>([
  { name: "nothing", spec: undefined, path: "spec" },
  { name: "text", spec: "192.0.2.1", path: "spec" },
  { name: "no addresses", spec: {}, path: "spec" },
  { name: "an empty list", spec: { addresses: [] }, path: "spec.addresses" },
  {
    name: "257 entries",
    spec: { addresses: Array.from({ length: 257 }, (_, at) => `10.0.${at}.0`) },
    path: "spec.addresses",
  },
  { name: "a long entry", spec: { addresses: ["1".repeat(97)] }, path: "spec.addresses[0]" },
  { name: "a number", spec: { addresses: [1] }, path: "spec.addresses[0]" },
  { name: "a priority in words", spec: { addresses: ["::1"], priority: "high" }, path: "spec.priority" },
  { name: "a priority beyond 32 bits", spec: { addresses: ["::1"], priority: 2 ** 31 }, path: "spec.priority" },
  {
    name: "a weight of 0",
    spec: layer2({ preferredNodes: [{ weight: 0, selector: {} }] }),
    path: "spec.announce[0].layer2.preferredNodes[0].weight",
  },
  {
    name: "a prefix length of 33",
    spec: bgp({ aggregationLength: 33 }),
    path: "spec.announce[1].bgp.aggregationLength",
  },
  { name: "a MED beyond 32 bits", spec: bgp({ med: 2 ** 32 }), path: "spec.announce[1].bgp.med" },
])("of the wrong type or size: $name", ({ spec, path }) => {
  expect(validateIPPool(spec)[0]).toMatchObject({ path, message: expect.stringMatching(/./) });
});

test("whatever stands in a manifest, nothing throws, and each problem has a path and a message", () => {
  const entry = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.string({ unit: fc.constantFrom(..."012.:/-% f") }));
  const texts = fc.oneof(fc.array(entry, { maxLength: 6 }), fc.jsonValue());
  const selector = fc.oneof(fc.jsonValue(), fc.record({ matchExpressions: fc.jsonValue() }));
  const announce = fc.record(
    {
      layer2: fc.oneof(fc.record({ interfaces: texts, nodeSelector: selector }, { requiredKeys: [] }), fc.jsonValue()),
      bgp: fc.oneof(
        fc.record({ communities: texts, aggregationLength: fc.nat(33), nodeSelector: selector }, { requiredKeys: [] }),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  );
  const spec = fc.record(
    {
      addresses: texts,
      exclude: texts,
      priority: fc.jsonValue(),
      serviceSelector: selector,
      announce: fc.array(announce),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(spec, fc.jsonValue()), (value) => {
      for (const { path, message } of validateIPPool(value)) {
        expect(path).toMatch(/^spec/);
        expect(message).not.toBe("");
      }
    }),
    { numRuns: 1000 },
  );
});

test("a prefix length is taken exactly where its blocks lie inside the range", () => {
  fc.assert(
    fc.property(fc.nat(64), fc.nat(64), fc.integer({ min: 24, max: 32 }), (start, size, length) => {
      const entry = `${text(start)}-${text(start + size)}`;
      const block = 2 ** (32 - length);
      const inside = start % block === 0 && (start + size + 1) % block === 0;
      expect(found(bgp({ aggregationLength: length }, [entry]))).toHaveLength(inside ? 0 : 1);
    }),
  );
  function text(offset: number): string {
    return formatIP({ family: "IPv4", value: 0xc000_0200n + BigInt(offset) });
  }
});

test("overlaps are found exactly where two entries share an address", () => {
  const span = fc.tuple(fc.nat(30), fc.nat(4)).map(([start, size]) => ({ start, end: start + size }));
  fc.assert(
    fc.property(
      fc.uniqueArray(span, { minLength: 1, maxLength: 6, selector: ({ start, end }) => `${start}-${end}` }),
      (spans) => {
        const addresses = spans.map(
          ({ start, end }) => `2001:db8::${start.toString(16)}-2001:db8::${end.toString(16)}`,
        );
        const shared = spans.some((a, i) => spans.some((b, j) => i < j && a.start <= b.end && b.start <= a.end));
        expect(validateIPPool({ addresses }).length > 0).toBe(shared);
      },
    ),
  );
});
