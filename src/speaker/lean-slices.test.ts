import fc from "fast-check";
import { expect, test } from "vitest";
import { servingNodes } from "../election/candidates.ts";
import { endpointSlices } from "../kube/resource.ts";
import { leanSlices } from "./lean-slices.ts";

const rawSlice = (endpoints: readonly unknown[], labels: object = { "kubernetes.io/service-name": "web" }) => ({
  metadata: { namespace: "shop", name: "web-1", uid: "u1", resourceVersion: "7", labels },
  addressType: "IPv4",
  endpoints,
});
const on = (nodeName: string | undefined, serving: boolean) => ({
  ...(nodeName !== undefined && { nodeName }),
  conditions: { ready: serving, serving },
});

test("of a slice is kept which nodes serve", () => {
  const endpoints = [on("n2", true), on("n1", true), on("n3", false), on("n2", true), on("n1", false)];
  expect(leanSlices.keep(rawSlice(endpoints))).toEqual({
    meta: { namespace: "shop", name: "web-1", resourceVersion: "7" },
    service: "shop/web",
    addressType: "IPv4",
    endpoints: [
      { nodeName: "n1", serving: true },
      { nodeName: "n2", serving: true },
    ],
  });
});

test("slices of which the same nodes serve share what they say of it", () => {
  const one = leanSlices.keep(rawSlice([on("n1", true), on("n2", true)]));
  const other = leanSlices.keep(rawSlice([on("n2", true), on("n3", false), on("n1", true)]));
  expect(other.endpoints).toBe(one.endpoints);
});

test("the nodes that serve are the same as by the whole slices", () => {
  const endpoint = fc.record({ node: fc.constantFrom("n1", "n2", "n3", "", undefined), serving: fc.boolean() });
  const slice = fc.array(endpoint, { maxLength: 5 }).map((all) => rawSlice(all.map((e) => on(e.node, e.serving))));
  const policy = fc.constantFrom("Cluster" as const, "Local" as const);
  fc.assert(
    fc.property(fc.array(slice, { maxLength: 3 }), policy, (slices, externalTrafficPolicy) => {
      const nodesOf = (keep: (raw: unknown) => Pick<ReturnType<typeof leanSlices.keep>, "endpoints">) =>
        servingNodes([{ externalTrafficPolicy, endpoints: slices.flatMap((raw) => keep(raw).endpoints) }]);
      expect(nodesOf(leanSlices.keep)).toEqual(nodesOf(endpointSlices.keep));
    }),
  );
});

test("a slice of no Service is not wanted", () => {
  const wanted = (labels: object) => leanSlices.wanted?.(leanSlices.keep(rawSlice([], labels)));
  expect([wanted({ "kubernetes.io/service-name": "web" }), wanted({ "kubernetes.io/service-name": "" })]).toEqual([
    true,
    false,
  ]);
});
