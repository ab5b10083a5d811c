import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { metaOf } from "../../test/unit/bgp-world.ts";
import { servingNodes } from "../election/candidates.ts";
import { type Kept, keyOf } from "../kube/resource.ts";
import { Store } from "../kube/store.ts";
import { HeldIPs } from "./held-ips.ts";
import type { LeanService } from "./lean-services.ts";
import type { LeanSlice } from "./lean-slices.ts";

const NAMES = ["a", "b", "c"];
const IPS = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];

const aService = (name: string): fc.Arbitrary<LeanService> =>
  fc
    .record({
      ips: fc.subarray(IPS),
      assignedPool: fc.constantFrom("p", "q"),
      externalTrafficPolicy: fc.constantFrom<"Cluster" | "Local">("Cluster", "Local"),
    })
    .map((rest) => ({
      meta: { ...metaOf(name), namespace: "default" },
      isLoadBalancer: true,
      announced: undefined,
      ...rest,
    }));
const aSlice = (service: string): fc.Arbitrary<LeanSlice> =>
  fc
    .record({
      addressType: fc.constantFrom("IPv4", "IPv6"),
      endpoints: fc.array(fc.record({ nodeName: fc.constantFrom("n1", "n2"), serving: fc.boolean() }), {
        maxLength: 2,
      }),
    })
    .map((rest) => ({ meta: { ...metaOf(service), namespace: "default" }, service: `default/${service}`, ...rest }));
const aChange = fc.constantFrom(...NAMES).chain((name) =>
  fc.record(
    {
      name: fc.constant(name),
      service: fc.option(aService(name), { nil: undefined }),
      slice: fc.array(aSlice(name), { maxLength: 1 }),
    },
    { requiredKeys: ["name"] },
  ),
);

/** What the Services hold, by the rules and from nothing. */
function expected(services: readonly LeanService[], slices: readonly LeanSlice[]) {
  const all = new Set(services.flatMap(({ ips }) => ips));
  return new Map(
    [...all].map((ip) => {
      const family = ip.includes(":") ? "IPv6" : "IPv4";
      const holders = services.filter(({ ips }) => ips.includes(ip));
      const serving = servingNodes(
        holders.map(({ meta, externalTrafficPolicy }) => ({
          externalTrafficPolicy,
          endpoints: slices
            .filter(({ service, addressType }) => service === keyOf(meta) && addressType === family)
            .flatMap(({ endpoints }) => endpoints),
        })),
      );
      return [ip, { serving, assignedPool: holders[0]?.assignedPool }];
    }),
  );
}

test("whatever changed before, what is held is as the Services and slices are now", () => {
  fc.assert(
    fc.property(fc.array(aChange, { maxLength: 12 }), fc.integer({ min: 1, max: 3 }), (changes, atOnce) => {
      const services = new Store<LeanService>({ ip: ({ ips }) => ips });
      const slices = new Store<LeanSlice>({ service: ({ service }) => [service] });
      const held = new HeldIPs({
        services: () => services.list(),
        holdersOf: (ip) => services.by("ip", ip),
        slicesOf: (service) => slices.by("service", service),
      });
      services.onChange(({ before, after }) => {
        for (const service of [before, after]) held.touch(service?.ips ?? []);
      });
      slices.onChange(({ before, after }) => {
        const service = services.get((after ?? before)?.service ?? "");
        held.touch(service?.ips ?? []);
      });
      let version = 1;
      const put = <T extends Kept>(store: Store<T>, key: string, object: T | undefined) => {
        const resourceVersion = String(++version);
        if (object === undefined) store.remove(key, resourceVersion);
        else store.put({ ...object, meta: { ...object.meta, resourceVersion } });
      };
      let was = held.now();
      for (const [n, change] of changes.entries()) {
        if (change.slice !== undefined) put(slices, `default/${change.name}`, change.slice[0]);
        if ("service" in change) put(services, `default/${change.name}`, change.service);
        if (n % atOnce !== 0) continue;
        const is = held.now();
        const now = expected(services.list(), slices.list());
        expect(new Map(is)).toEqual(now);
        // What says the same as before is the same object: nobody has to look at it again.
        for (const [ip, one] of is) if (isDeepStrictEqual(one, was.get(ip))) expect(one).toBe(was.get(ip));
        was = is;
      }
    }),
    { numRuns: 300 },
  );
});
