import fc from "fast-check";
import { expect, test } from "vitest";
import type { Service } from "../api/objects.ts";
import { services } from "../kube/resource.ts";
import { demandOf, isOurs } from "./demand.ts";

function service({ annotations = {}, spec = {} }: { annotations?: object; spec?: object }): Service {
  const metadata = { namespace: "n", name: "s", labels: { app: "web" }, annotations };
  return services.keep({ metadata, spec: { type: "LoadBalancer", ...spec } });
}

test.each([
  { name: "of Herald's class", spec: { loadBalancerClass: "heraldlb.io/herald" }, ours: true, classOnly: true },
  { name: "of no class", spec: {}, ours: true, classOnly: false },
  { name: "of another class", spec: { loadBalancerClass: "example.com/x" }, ours: false, classOnly: false },
  {
    name: "of another type",
    spec: { type: "NodePort", loadBalancerClass: "heraldlb.io/herald" },
    ours: false,
    classOnly: false,
  },
])("a Service $name: $ours, with class-only $classOnly", ({ spec, ours, classOnly }) => {
  expect([isOurs(service({ spec }), false), isOurs(service({ spec }), true)]).toEqual([ours, classOnly]);
});

test.each([
  { name: "whole", noted: ["p", "192.0.2.1,2001:db8::1", "2026-01-01T00:00:00Z"], want: ["p", 2] },
  { name: "with blanks", noted: ["p", " 192.0.2.1 , x", "2026-01-01T00:00:00Z"], want: ["p", 1] },
  { name: "without a pool", noted: ["", "192.0.2.1", "2026-01-01T00:00:00Z"], want: undefined },
  { name: "without a time", noted: ["p", "192.0.2.1", "yesterday"], want: undefined },
  { name: "without an address", noted: ["p", "010.0.0.1,::ffff:1.2.3.4", "2026-01-01T00:00:00Z"], want: undefined },
])("a record $name is read as $want", ({ noted: [pool, ips, at], want }) => {
  const annotations = {
    "heraldlb.io/assigned-pool": pool,
    "heraldlb.io/assigned-ips": ips,
    "heraldlb.io/assigned-at": at,
  };
  const { record } = demandOf(service({ annotations }));
  expect(record && [record.pool, record.ips.length]).toEqual(want);
});

test.each([
  { ipFamilies: ["IPv4"], clusterIPs: ["10.0.0.1"], want: ["IPv4"] },
  { ipFamilies: ["IPv6", "IPv4"], clusterIPs: ["fd00::1", "10.0.0.1"], want: ["IPv6", "IPv4"] },
  { ipFamilies: ["IPv6", "IPv4"], clusterIPs: ["fd00::1"], want: ["IPv6"] },
  { ipFamilies: ["IPv6"], clusterIPs: [], want: ["IPv6"] },
  { ipFamilies: [], clusterIPs: [], want: ["IPv4"] },
])("of families $ipFamilies with ClusterIPs $clusterIPs addresses are asked for in $want", ({ want, ...spec }) => {
  expect(demandOf(service({ spec })).families).toEqual(want);
});

test("namespace, labels and the request come along; nothing asked for is nothing", () => {
  const bare = demandOf(service({}));
  expect(bare).toMatchObject({ key: "n/s", namespace: "n", labels: { app: "web" }, reassign: false });
  expect(Object.keys(bare)).not.toEqual(expect.arrayContaining(["request"]));
  expect(bare).not.toHaveProperty("sharing");
  expect(demandOf(service({ annotations: { "heraldlb.io/pool": "p" } })).request).toEqual({ pool: "p", ips: [] });
});

test.each([
  { value: "true", want: true },
  { value: "True", want: false },
  { value: "false", want: false },
  { value: "", want: false },
])("reassign $value is $want", ({ value, want }) => {
  expect(demandOf(service({ annotations: { "heraldlb.io/reassign": value } })).reassign).toBe(want);
});

test("a sharing key comes with all that decides with whom it may be shared", () => {
  const annotations = { "heraldlb.io/sharing-key": " web ", "heraldlb.io/sharing-namespaces": "b, a,,b ," };
  const ports = [{ protocol: "UDP", port: 53 }, { port: 53 }, { protocol: "TCP", port: 53 }];
  const spec = { ports, selector: { b: "2", a: "1" }, externalTrafficPolicy: "Local" };
  expect(demandOf(service({ annotations, spec })).sharing).toEqual({
    key: "web",
    ports: ["TCP/53", "UDP/53"],
    policy: "Local",
    selector: '[["a","1"],["b","2"]]',
    namespaces: ["a", "b"],
  });
});

test.each([
  { key: "", namespaces: "*", want: undefined },
  { key: "  ", namespaces: "*", want: undefined },
  { key: "k", namespaces: undefined, want: [] },
  { key: "k", namespaces: " ", want: [] },
  { key: "k", namespaces: "*", want: "*" },
  { key: "k", namespaces: "a, *", want: "*" },
])("key $key with namespaces $namespaces shares with $want", ({ key, namespaces, want }) => {
  const annotations = { "heraldlb.io/sharing-key": key, "heraldlb.io/sharing-namespaces": namespaces };
  expect(demandOf(service({ annotations })).sharing?.namespaces).toEqual(want);
});

test("the order of a selector's labels says nothing, its values do", () => {
  const selectorOf = (selector: object) =>
    demandOf(service({ annotations: { "heraldlb.io/sharing-key": "k" }, spec: { selector } })).sharing?.selector;
  // The API server takes no label that begins with an underscore, and an object of JavaScript none of this name.
  const label = fc.string().filter((text) => text !== "__proto__");
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(label, label), { selector: ([key]) => key, maxLength: 4 }), (labels) => {
      const same = selectorOf(Object.fromEntries([...labels].reverse()));
      expect(same).toBe(selectorOf(Object.fromEntries(labels)));
      expect(same === "").toBe(labels.length === 0);
      expect(selectorOf({ ...Object.fromEntries(labels), more: "x" })).not.toBe(same);
    }),
  );
  expect(selectorOf({ a: "b,c" })).not.toBe(selectorOf({ a: "b", c: "" }));
});

test("whatever is written on a Service, reading it does not throw", () => {
  const name = fc.constantFrom(
    ...["pool", "ips", "sharing-key", "sharing-namespaces", "reassign", "assigned-pool", "assigned-ips", "assigned-at"],
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("192.0.2.1", "*", "true", "2026-01-01", ",".repeat(9999)),
  );
  const annotations = fc.dictionary(
    name.map((one) => `heraldlb.io/${one}`),
    text,
  );
  fc.assert(
    fc.property(annotations, fc.jsonValue(), (annotations, spec) => {
      const demand = demandOf(service({ annotations, spec: Object(spec) as object }));
      expect(demand.families.length).toBeGreaterThan(0);
      expect(demand.record?.ips.length ?? 0).toBeLessThanOrEqual(2);
    }),
  );
});
