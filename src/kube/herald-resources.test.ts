import fc from "fast-check";
import { Value } from "typebox/value";
import { expect, test } from "vitest";
import { IPPoolSpecSchema } from "../api/ippool.ts";
import { ipPools, speakers } from "./herald-resources.ts";

test.each([ipPools, speakers])("whatever comes in, a $kind is kept or left empty, and nothing throws", (resource) => {
  const field = fc.constantFrom(
    ...["metadata", "spec", "status", "addresses", "announce", "layer2", "nodeSelector", "matchExpressions", "values"],
    ...[
      "exclude",
      "namespaceSelector",
      "bgp",
      "communities",
      "preferredNodes",
      "selector",
      "aggregationLength",
      "priority",
    ],
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
  const spec = { addresses: ["192.0.2.1"] };
  const defaults = { exclude: [], autoAssign: true, avoidBuggyIPs: false, disabled: false, priority: 0 };
  expect(ipPools.keep({ spec }).spec).toEqual({ ...spec, ...defaults, announce: [{ layer2: {} }] });
  const bgp = { aggregationLength: 32, aggregationLengthV6: 128 };
  expect(ipPools.keep({ spec: { ...spec, announce: [{ bgp: {} }] } }).spec.announce).toEqual([{ bgp }]);
  expect(ipPools.keep({ spec }).spec).toEqual(Value.Default(IPPoolSpecSchema, spec));
});

test("an IPPool keeps all that its spec and its status say", () => {
  const selector = {
    matchLabels: { rack: "a" },
    matchExpressions: [{ key: "zone", operator: "NotIn", values: ["b"] }],
  };
  const spec = {
    addresses: ["192.0.2.1"],
    exclude: ["192.0.2.1"],
    autoAssign: false,
    avoidBuggyIPs: true,
    disabled: true,
    priority: -3,
    namespaceSelector: selector,
    serviceSelector: selector,
    announce: [
      { layer2: { interfaces: ["eth0"], nodeSelector: selector, preferredNodes: [{ weight: 50, selector }] } },
      {
        bgp: {
          peers: ["tor-a"],
          nodeSelector: selector,
          aggregationLength: 0,
          aggregationLengthV6: 64,
          localPref: 200,
          med: 4294967295,
          communities: ["65000:100"],
        },
      },
    ],
  };
  const usage = { total: 1, assigned: 0, available: 1 };
  const status = { ipv4: usage, ipv6: usage, stranded: 2, conditions: [] };
  const kept = ipPools.keep({ spec, status });
  expect(kept.spec).toEqual(spec);
  expect(kept.status).toEqual(status);
  expect(Object.keys(IPPoolSpecSchema.properties).toSorted()).toEqual(Object.keys(spec).toSorted());
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
