import fc from "fast-check";
import { expect, test } from "vitest";
import { endpointSlices, type Kept, keyOf, namespaces, nodes, type Resource, services } from "./resource.ts";

/** JSON in the shape of an object, with a stranger in any place. */
const hostile = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      metadata: fc.oneof(
        fc.jsonValue(),
        fc.record({
          name: fc.oneof(fc.string(), fc.jsonValue()),
          labels: fc.jsonValue(),
          annotations: fc.jsonValue(),
          finalizers: fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue())),
          creationTimestamp: fc.jsonValue(),
        }),
      ),
      spec: fc.oneof(
        fc.jsonValue(),
        fc.record({ ports: fc.jsonValue(), selector: fc.jsonValue(), clusterIPs: fc.array(fc.jsonValue()) }),
      ),
      status: fc.oneof(
        fc.jsonValue(),
        fc.record({
          loadBalancer: fc.oneof(fc.jsonValue(), fc.record({ ingress: fc.jsonValue() })),
          conditions: fc.array(fc.jsonValue()),
          addresses: fc.array(fc.jsonValue()),
        }),
      ),
      endpoints: fc.oneof(
        fc.jsonValue(),
        fc.array(fc.record({ conditions: fc.jsonValue(), nodeName: fc.jsonValue() })),
      ),
      addressType: fc.jsonValue(),
    },
    { requiredKeys: [] },
  ),
);

test.each<Resource<Kept>>([services, endpointSlices, namespaces, nodes] as Resource<Kept>[])(
  "whatever comes in, $kind gives an object of its type",
  (resource) => {
    const shape = typesOf(resource.keep({}));
    fc.assert(
      fc.property(hostile, (raw) => {
        const object = resource.keep(raw);
        expect(typesOf(object)).toMatchObject(shape);
        expect(typeof keyOf(object.meta)).toBe("string");
        expect(typeof (resource.wanted?.(object) ?? true)).toBe("boolean");
      }),
      { numRuns: 500 },
    );
  },
);

/** The type of each field, those of `meta` too. */
function typesOf(object: object): object {
  const type = (value: unknown) => (Array.isArray(value) ? "array" : typeof value);
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key, key === "meta" ? typesOf(value as object) : type(value)]),
  );
}

test("a Service is kept with what Herald uses of it", () => {
  const raw = {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "web",
      namespace: "shop",
      uid: "u1",
      resourceVersion: "7",
      generation: 3,
      creationTimestamp: "2026-01-02T03:04:05Z",
      deletionTimestamp: "2026-01-02T03:05:05Z",
      labels: { app: "web" },
      annotations: { "heraldlb.io/pool": "a", "kubectl.kubernetes.io/last-applied-configuration": "{long}" },
      finalizers: ["service.kubernetes.io/load-balancer-cleanup", "heraldlb.io/in-use"],
      managedFields: [{ manager: "kubectl" }],
    },
    spec: {
      type: "LoadBalancer",
      loadBalancerClass: "heraldlb.io/herald",
      clusterIPs: ["10.0.0.1", "fd00::1"],
      ipFamilies: ["IPv4", "IPv6"],
      ipFamilyPolicy: "PreferDualStack",
      externalTrafficPolicy: "Local",
      ports: [{ port: 53, protocol: "UDP", nodePort: 30000 }, { port: 80 }],
      selector: { app: "web" },
    },
    status: {
      loadBalancer: { ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }, { hostname: "elsewhere.example" }] },
      conditions: [
        { type: "heraldlb.io/Assigned", status: "True", reason: "Assigned", message: "", lastTransitionTime: "t" },
      ],
    },
  };
  expect(services.keep(raw)).toEqual({
    meta: {
      namespace: "shop",
      name: "web",
      uid: "u1",
      resourceVersion: "7",
      createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
      deleting: true,
      labels: { app: "web" },
      annotations: { "heraldlb.io/pool": "a" },
      finalizers: ["heraldlb.io/in-use"],
    },
    generation: 3,
    type: "LoadBalancer",
    loadBalancerClass: "heraldlb.io/herald",
    clusterIPs: ["10.0.0.1", "fd00::1"],
    ipFamilies: ["IPv4", "IPv6"],
    ipFamilyPolicy: "PreferDualStack",
    externalTrafficPolicy: "Local",
    ports: [
      { protocol: "UDP", port: 53 },
      { protocol: "TCP", port: 80 },
    ],
    selector: { app: "web" },
    ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }, { hostname: "elsewhere.example" }],
    conditions: [
      { type: "heraldlb.io/Assigned", status: "True", reason: "Assigned", message: "", lastTransitionTime: "t" },
    ],
  });
});

test.each([
  { name: "ready", conditions: { ready: true, serving: true }, want: true },
  { name: "terminating, but serving", conditions: { ready: false, serving: true, terminating: true }, want: true },
  { name: "unready", conditions: { ready: false, serving: false }, want: false },
  { name: "unready, from a writer that knows no serving", conditions: { ready: false }, want: false },
  { name: "of unknown state", conditions: {}, want: true },
])("an endpoint that is $name: serving $want", ({ conditions, want }) => {
  const { endpoints } = endpointSlices.keep({ endpoints: [{ nodeName: "n1", conditions }] });
  expect(endpoints).toEqual([{ nodeName: "n1", serving: want }]);
});

test("a Namespace is kept with its labels", () => {
  const raw = { metadata: { name: "shop", labels: { team: "a" } }, spec: { finalizers: ["kubernetes"] } };
  expect(namespaces.keep(raw).meta).toMatchObject({ name: "shop", labels: { team: "a" }, finalizers: [] });
});

test("a Node without network says so", () => {
  const conditions = [{ type: "NetworkUnavailable", status: "True" }];
  const addresses = [
    { type: "Hostname", address: "n1" },
    { type: "InternalIP", address: "192.0.2.11" },
  ];
  const node = nodes.keep({
    metadata: { name: "n1" },
    spec: { unschedulable: true },
    status: { conditions, addresses },
  });
  expect(node).toMatchObject({ networkUnavailable: true, unschedulable: true, internalIPs: ["192.0.2.11"] });
  expect(keyOf(node.meta)).toBe("n1");
});
