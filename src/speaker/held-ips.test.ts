import fc from "fast-check";
import { expect, test } from "vitest";
import { metaOf } from "../../test/unit/bgp-world.ts";
import { ANNOTATION } from "../api/names.ts";
import type { EndpointSlice, Service } from "../api/objects.ts";
import { servingNodes } from "../election/candidates.ts";
import { heldIPs, type ServicesView } from "./held-ips.ts";

const NAMES = ["a", "b", "c"];
const IPS = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];

const aService = (name: string): fc.Arbitrary<Service> =>
  fc
    .record({
      ips: fc.subarray(IPS),
      pool: fc.constantFrom("p", "q"),
      externalTrafficPolicy: fc.constantFrom<"Cluster" | "Local">("Cluster", "Local"),
    })
    .map(({ ips, pool, externalTrafficPolicy }) => ({
      meta: {
        ...metaOf(name),
        namespace: "default",
        annotations: { [ANNOTATION.assignedIPs]: ips.join(), [ANNOTATION.assignedPool]: pool },
      },
      generation: 1,
      type: "LoadBalancer",
      clusterIPs: [],
      ipFamilies: ["IPv4", "IPv6"],
      ipFamilyPolicy: "PreferDualStack",
      externalTrafficPolicy,
      ports: [],
      selector: {},
      ingress: ips.map((ip) => ({ ip })),
      conditions: [],
    }));
const aSlice = (serviceName: string): fc.Arbitrary<EndpointSlice> =>
  fc
    .record({
      addressType: fc.constantFrom("IPv4", "IPv6"),
      endpoints: fc.array(fc.record({ nodeName: fc.constantFrom("n1", "n2"), serving: fc.boolean() }), {
        maxLength: 2,
      }),
    })
    .map((rest) => ({ meta: metaOf(serviceName), serviceName, ...rest }));
const aChange = fc.constantFrom(...NAMES).chain((name) =>
  fc.record(
    {
      name: fc.constant(name),
      service: fc.option(aService(name), { nil: undefined }),
      slices: fc.array(aSlice(name), { maxLength: 2 }),
    },
    { requiredKeys: ["name"] },
  ),
);

/** What the Services hold, by the rules and from nothing. */
function expected({ services, slicesOf }: ServicesView) {
  const ipsOf = ({ ingress }: Service) => ingress.flatMap(({ ip }) => ip ?? []);
  const ips = new Set(services.flatMap(ipsOf));
  return new Map(
    [...ips].map((ip) => {
      const family = ip.includes(":") ? "IPv6" : "IPv4";
      const holders = services.filter((service) => ipsOf(service).includes(ip));
      const serving = servingNodes(
        holders.map(({ meta, externalTrafficPolicy }) => ({
          externalTrafficPolicy,
          endpoints: slicesOf(`default/${meta.name}`)
            .filter(({ addressType }) => addressType === family)
            .flatMap(({ endpoints }) => endpoints),
        })),
      );
      return [ip, { serving, assignedPool: holders[0]?.meta.annotations[ANNOTATION.assignedPool] }];
    }),
  );
}

test("whatever changed before, what is held is as the Services and slices are now", () => {
  fc.assert(
    fc.property(fc.array(aChange, { maxLength: 12 }), (changes) => {
      const services = new Map<string, Service>();
      const slices = new Map<string, readonly EndpointSlice[]>();
      const none: readonly EndpointSlice[] = [];
      const view = () => ({
        services: NAMES.flatMap((name) => services.get(name) ?? []),
        slicesOf: (key: string) => slices.get(key) ?? none,
      });
      for (const change of changes) {
        const before = view();
        const was = heldIPs(before);
        if (change.slices !== undefined) slices.set(`default/${change.name}`, change.slices);
        if ("service" in change) {
          if (change.service === undefined) services.delete(change.name);
          else services.set(change.name, change.service);
        }
        const is = heldIPs(view());
        const plain = [...is].map(([ip, { serving, assignedPool }]) => [ip, { serving, assignedPool }] as const);
        expect(new Map(plain)).toEqual(expected(view()));
        const touched = [...before.services, ...view().services].filter(({ meta }) => meta.name === change.name);
        const theirs = touched.flatMap(({ ingress }) => ingress.map(({ ip }) => ip));
        const holders = (ip: string) => view().services.filter(({ ingress }) => ingress.some((one) => one.ip === ip));
        for (const [ip, held] of is)
          if (!theirs.includes(ip) && holders(ip).length === 1) expect(held).toBe(was.get(ip));
      }
    }),
    { numRuns: 300 },
  );
});
