import { expect, test } from "vitest";
import { leanServices } from "./lean-services.ts";

const condition = (type: string, reason: string) => ({
  type,
  status: "True",
  reason,
  message: `of ${type}`,
  lastTransitionTime: "2026-01-02T03:04:05Z",
});
const raw = (more: { spec?: object; annotations?: object; ingress?: readonly object[] } = {}) => ({
  metadata: {
    namespace: "shop",
    name: "web",
    uid: "u1",
    resourceVersion: "7",
    labels: { app: "web" },
    annotations: {
      "heraldlb.io/assigned-ips": "192.0.2.1,2001:DB8:0::1",
      "heraldlb.io/assigned-pool": "a",
      ...more.annotations,
    },
    finalizers: ["service.kubernetes.io/load-balancer-cleanup"],
  },
  spec: {
    type: "LoadBalancer",
    clusterIPs: ["10.0.0.1"],
    externalTrafficPolicy: "Local",
    ports: [{ port: 80 }],
    ...more.spec,
  },
  status: {
    loadBalancer: { ingress: more.ingress ?? [{ ip: "192.0.2.1" }, { ip: "2001:DB8:0::1" }, { ip: "192.0.2.9" }] },
    conditions: [condition("heraldlb.io/Assigned", "Assigned"), condition("heraldlb.io/Announced", "Layer2")],
  },
});

test("of a Service is kept what a speaker goes by", () => {
  expect(leanServices.keep(raw())).toEqual({
    meta: { namespace: "shop", name: "web", uid: "u1", resourceVersion: "7" },
    isLoadBalancer: true,
    externalTrafficPolicy: "Local",
    ips: ["192.0.2.1", "2001:db8::1"],
    assignedPool: "a",
    announced: { status: "True", reason: "Layer2", message: "of heraldlb.io/Announced" },
  });
});

test.each([
  { name: "of another class", of: { spec: { loadBalancerClass: "x/y" } }, wanted: true },
  { name: "of another type", of: { spec: { type: "ClusterIP" } }, wanted: false },
  { name: "without a status", of: { ingress: [] }, wanted: true },
  { name: "without Herald's record", of: { annotations: { "heraldlb.io/assigned-ips": null } }, wanted: true },
])("a Service $name holds no IP", ({ of, wanted }) => {
  const service = leanServices.keep(raw(of));
  expect(service.ips).toEqual([]);
  expect(leanServices.wanted?.(service)).toBe(wanted);
});

test("whatever comes in, it is a Service without IPs", () => {
  for (const odd of [undefined, null, 1, "x", [], { metadata: 1, spec: [], status: { conditions: {} } }])
    expect(leanServices.keep(odd)).toMatchObject({ ips: [], announced: undefined, isLoadBalancer: false });
});
