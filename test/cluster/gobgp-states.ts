import fc from "fast-check";
import type { IPFamily } from "../../src/api/objects.ts";
import type { BGPState, ExportPolicy, Peer, Route, RouteAttributes } from "../../src/bgp/model.ts";

const uint32 = fc.nat(0xffff_ffff);
const asn = fc.integer({ min: 1, max: 0xffff_fffe });
const seconds = (min: number, max: number) => fc.integer({ min, max });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** The node's own addresses in gobgp-pair.ts. */
const NODE = { ipv4: "192.0.2.11", ipv6: "2001:db8::11" };
/** Nobody is at these addresses. */
const NEIGHBORS = ["192.0.2.101", "192.0.2.102", "2001:db8::101", "2001:db8::102"];
const PROFILES = [0, 1, 7, 0x7fff_ffff, 0xffff_ffff];

const attributes = (localPref: fc.Arbitrary<number>): fc.Arbitrary<RouteAttributes> =>
  fc.record({
    communities: fc.uniqueArray(fc.oneof(uint32, fc.constantFrom(0xffff_0000, 0xffff_ff01, 0xffff_ff02, 0xffff_029a)), {
      maxLength: 3,
    }),
    largeCommunities: fc.uniqueArray(
      fc.tuple(asn, uint32, uint32).map((numbers) => numbers.join(":")),
      { maxLength: 3 },
    ),
    localPref: maybe(localPref),
    med: maybe(uint32),
  });

export function peersAt(neighbor: string): fc.Arbitrary<Peer> {
  const ipv6 = neighbor.includes(":");
  return fc.record({
    neighbor: fc.constant(neighbor),
    unnumbered: fc.constant(false),
    peerASN: asn,
    localASN: asn,
    port: fc.integer({ min: 1, max: 65_535 }),
    localAddress: maybe(fc.constant(ipv6 ? NODE.ipv6 : NODE.ipv4)),
    bindInterface: maybe(fc.constant("eth0")),
    passive: fc.boolean(),
    multihopTTL: maybe(fc.integer({ min: 2, max: 255 })),
    password: maybe(fc.string({ minLength: 1, maxLength: 80, unit: "grapheme-ascii" })),
    holdTime: seconds(3, 65_535),
    keepaliveTime: seconds(1, 21_845),
    connectRetryTime: seconds(1, 65_535),
    gracefulRestart: maybe(seconds(1, 4095)),
    bfd: maybe(
      fc.record({
        transmitMs: fc.integer({ min: 50, max: 60_000 }),
        receiveMs: fc.integer({ min: 50, max: 60_000 }),
        detectMultiplier: fc.integer({ min: 1, max: 255 }),
      }),
    ),
    families: fc.subarray<IPFamily>(["IPv4", "IPv6"], { minLength: 1 }),
  });
}

const peers = fc.subarray(NEIGHBORS).chain((some) => fc.tuple(...some.map(peersAt)));

export const routes: fc.Arbitrary<Route> = fc
  .tuple(
    fc.oneof(
      fc.tuple(fc.nat(255), fc.integer({ min: 24, max: 32 })).map(([n, length]) => `10.0.${n}.0/${length}`),
      fc.nat(255).map((n) => `10.1.0.${n}/32`),
      fc.integer({ min: 1, max: 0xffff }).map((n) => `2001:db8:1::${n.toString(16)}/128`),
      fc.integer({ min: 1, max: 0xffff }).map((n) => `2001:db8:${n.toString(16)}::/64`),
    ),
    attributes(uint32),
    maybe(fc.constantFrom(...PROFILES)),
  )
  .map(([prefix, seen, profile]) => ({ prefix, ...seen, profile }));

export const exportPolicies: fc.Arbitrary<ExportPolicy> = fc
  .record({
    profiles: fc.uniqueArray(
      fc.tuple(
        fc.constantFrom(...PROFILES),
        // gobgpd's policies can't set a local preference of 0.
        fc.uniqueArray(fc.tuple(fc.constantFrom(...NEIGHBORS), attributes(fc.integer({ min: 1, max: 0xffff_ffff }))), {
          selector: ([neighbor]) => neighbor,
        }),
      ),
      { selector: ([profile]) => profile },
    ),
    nextHops: fc.uniqueArray(
      fc.tuple(
        fc.constantFrom(...NEIGHBORS),
        fc.constantFrom<Partial<Record<IPFamily, string>>>(
          { IPv4: NODE.ipv4 },
          { IPv6: NODE.ipv6 },
          { IPv4: "none", IPv6: NODE.ipv6 },
          { IPv6: "none" },
        ),
      ),
      { selector: ([neighbor]) => neighbor },
    ),
  })
  .map(({ profiles, nextHops }) => ({
    profiles: new Map(profiles.map(([profile, seen]) => [profile, new Map(seen)])),
    nextHops: new Map(nextHops),
    foreign: false,
  }));

/** States that can be wanted of a gobgpd that does not listen, with every field in use. */
export const states: fc.Arbitrary<BGPState> = fc
  .tuple(
    fc.record({
      asn: fc.constantFrom(64_513, 23_456, 4_200_000_001),
      routerID: fc.ipV4().filter((ip) => ip !== "0.0.0.0"),
    }),
    peers,
    fc.array(routes, { maxLength: 20 }),
    exportPolicies,
  )
  .map(([global, peers, routes, exports]) => ({
    global: { ...global, listens: false },
    peers: new Map(peers.map((one) => [one.neighbor, one])),
    routes: new Map(routes.map((one) => [one.prefix, one])),
    exports,
    importsNothing: true,
  }));
