import fc from "fast-check";
import { expect, test } from "vitest";
import { ipPools, speakers } from "./herald-resources.ts";

test.each([ipPools, speakers])("whatever comes in, a $kind is kept or left empty, and nothing throws", (resource) => {
  const field = fc.constantFrom(
    ...["metadata", "spec", "status", "addresses", "announce", "layer2", "nodeSelector", "matchExpressions", "values"],
    ...["claims", "interfaces", "subnets", "ips", "conditions", "ipv4"],
  );
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(null, true, 3, "text"),
      fc.dictionary(field, tie("json")),
      fc.array(tie("json"), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(field, json), (raw) => {
      expect(resource.keep(raw).meta.name).toBe("");
    }),
    { numRuns: 500 },
  );
});

test("an IPPool gets the defaults of its CRD", () => {
  expect(ipPools.keep({ spec: { addresses: ["192.0.2.1"] } }).spec).toEqual({
    addresses: ["192.0.2.1"],
    autoAssign: true,
    announce: [{ layer2: {} }],
  });
});

test("an IPPool keeps all that its spec says", () => {
  const nodeSelector = {
    matchLabels: { rack: "a" },
    matchExpressions: [{ key: "zone", operator: "NotIn", values: ["b"] }],
  };
  const spec = {
    addresses: ["192.0.2.1"],
    autoAssign: false,
    announce: [{ layer2: { interfaces: ["eth0"], nodeSelector } }],
  };
  expect(ipPools.keep({ spec }).spec).toEqual(spec);
  expect(ipPools.keep({ spec: { addresses: [], announce: [] } }).spec.announce).toEqual([]);
});

test("a Speaker keeps all that its status says", () => {
  const status = {
    version: "1.0.0",
    incarnation: "12",
    interfaces: [{ name: "eth0", mac: "02:00:5e:00:00:01", subnets: ["192.0.2.11/24"], defaultRoute: true }],
    layer2: { claims: [{ interface: "eth0", ips: ["192.0.2.10=17"] }] },
  };
  expect(speakers.keep({ status }).status).toEqual(status);
});
