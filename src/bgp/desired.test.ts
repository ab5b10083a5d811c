import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ETH0,
  entryOf,
  heldOn,
  type NodeDetails,
  nodeOf,
  peerOf,
  poolOf,
  secretOf,
} from "../../test/unit/bgp-world.ts";
import type { BGPAnnounce } from "../api/announce.ts";
import type { BGPPeerSpec } from "../api/bgp-peer.ts";
import type { IPPool } from "../api/ippool.ts";
import { EXCLUDE_NODE_LABEL } from "../api/names.ts";
import type { IPFamily } from "../api/objects.ts";
import { type CandidateService, servingNodes } from "../election/candidates.ts";
import { AnnouncedPools } from "../ipam/announced-pools.ts";
import { Announcers } from "./announcers.ts";
import { type BGPView, desired } from "./desired.ts";
import { diff } from "./diff.ts";
import { type HeldIP, prefixOf } from "./held-ip.ts";
import type { BGPState, Route, RouteAttributes } from "./model.ts";
import type { BGPNode } from "./node.ts";
import { readRule, unite } from "./rules.ts";

const IP = "198.51.100.1";
const POOL = poolOf("p", ["198.51.100.0/24", "2001:db8:1::/112"]);
const A = peerOf("a");
const B = peerOf("b", { peerAddress: "192.0.2.2" });

function viewOf(more: Partial<BGPView> = {}): BGPView {
  return { peers: [A, B], secrets: new Map(), pools: [POOL], held: new Map([[IP, heldOn(["n1"])]]), ...more };
}

const withEntries = (...entries: Partial<BGPAnnounce>[]) =>
  poolOf("p", ["198.51.100.0/24", "2001:db8:1::/112"], entries);
const stateOf = (view: BGPView, details: NodeDetails = {}) => desired(nodeOf("n1", details), view).state;
const outcomeOf = (view: BGPView, details: NodeDetails = {}, ip = IP) =>
  desired(nodeOf("n1", details), view).outcomeOf(ip);

test("a node announces an IP that it can serve, to all of its peers", () => {
  const { state, outcomeOf } = desired(nodeOf("n1"), viewOf());
  expect(state).toEqual({
    global: { asn: 65000, routerID: "192.0.2.11", listens: false },
    peers: new Map([
      ["192.0.2.1", expect.objectContaining({ neighbor: "192.0.2.1" })],
      ["192.0.2.2", expect.objectContaining({ neighbor: "192.0.2.2" })],
    ]),
    routes: new Map([
      [
        "198.51.100.1/32",
        {
          prefix: "198.51.100.1/32",
          communities: [],
          largeCommunities: [],
          localPref: undefined,
          med: undefined,
          profile: undefined,
        },
      ],
    ]),
    exports: {
      profiles: new Map(),
      nextHops: new Map([
        ["192.0.2.1", { IPv6: "2001:db8::11" }],
        ["192.0.2.2", { IPv6: "2001:db8::11" }],
      ]),
      foreign: false,
    },
    importsNothing: true,
  });
  expect(outcomeOf(IP)).toMatchObject({ peers: ["a", "b"], reason: undefined, withheld: [] });
});

const rack = { matchLabels: { rack: "1" } };
const notSpoken = [peerOf("a", { addressFamilies: ["ipv6"] })];
const noAddress = [peerOf("a", { peerAddress: "2001:db8::1" })];
const refused = [peerOf("a", { passwordSecretRef: { name: "none", key: "password" } })];
const onlyIPv6 = { interfaces: [{ ...ETH0, addresses: ["2001:db8::11/64"] }] };

test.each([
  { reason: "NoPool", view: { pools: [] } },
  { reason: "NotAnnounced", view: { pools: [withEntries()] } },
  { reason: "NoEndpoints", view: { held: new Map([[IP, heldOn([])]]) } },
  { reason: "NotSelected", view: { pools: [withEntries({ nodeSelector: rack })] } },
  { reason: "ExcludedByLabel", node: { labels: { [EXCLUDE_NODE_LABEL]: "" } } },
  { reason: "NetworkUnavailable", node: { networkUnavailable: true } },
  { reason: "NotForwarding", node: { withdrawn: "NotForwarding" as const } },
  { reason: "Evacuated", node: { withdrawn: "Evacuated" as const } },
  { reason: "NoLocalEndpoint", view: { held: new Map([[IP, heldOn(["n2"], "Local")]]) } },
  { reason: "NoBGPPeer", view: { peers: [] } },
  { reason: "NoBGPPeer", view: { pools: [withEntries({ peers: ["c"] })] } },
  { reason: "PeerRefused", view: { peers: refused } },
  { reason: "FamilyNotSpoken", view: { peers: notSpoken } },
  { reason: "NoNextHop", view: { peers: noAddress }, node: onlyIPv6 },
])("a node does not announce an IP, and says why: $reason", ({ reason, view, node }) => {
  expect(outcomeOf(viewOf(view), node)).toMatchObject({ peers: [], reason });
  expect([...stateOf(viewOf(view), node).routes]).toEqual([]);
});

const servedBy = (...services: CandidateService[]): HeldIP => ({ serving: servingNodes(services), assignedPool: "p" });
const localOn = (nodeName: string): CandidateService => ({
  externalTrafficPolicy: "Local",
  endpoints: [{ nodeName, serving: true }],
});

test.each([
  { name: "Cluster, an endpoint anywhere", held: heldOn(["n2"]) },
  { name: "Local, one on this node", held: heldOn(["n1", "n2"], "Local") },
  {
    name: "Local, one that is no Pod",
    held: servedBy({ externalTrafficPolicy: "Local", endpoints: [{ serving: true }] }),
  },
  {
    name: "shared by two Local ones, one on this node",
    held: servedBy(localOn("n2"), localOn("n1")),
  },
])("an IP is announced: $name", ({ held }) => {
  expect(outcomeOf(viewOf({ held: new Map([[IP, held]]) }))?.peers).toEqual(["a", "b"]);
});

test("what is withheld from one peer goes to the others, and the reason is told", () => {
  const peers = [A, peerOf("b", { peerAddress: "192.0.2.2", addressFamilies: ["ipv6"] })];
  const held = new Map([
    ["2001:db8:1::1", heldOn(["n1"])],
    [IP, heldOn(["n1"])],
  ]);
  const ipv4Only = { interfaces: [{ ...ETH0, addresses: ["192.0.2.11/24"] }] };
  expect(outcomeOf(viewOf({ peers, held }))).toMatchObject({
    peers: ["a"],
    withheld: [{ peer: "b", reason: "FamilyNotSpoken" }],
  });
  expect(outcomeOf(viewOf({ peers, held }), ipv4Only, "2001:db8:1::1")).toMatchObject({
    peers: [],
    reason: "NoNextHop",
    withheld: [
      { peer: "a", reason: "NoNextHop" },
      { peer: "b", reason: "NoNextHop" },
    ],
  });
});

test.each([
  { name: "a pool of both families", pools: [POOL], want: ["IPv6"] },
  { name: "a pool of IPv4 alone", pools: [poolOf("p", ["198.51.100.0/24"])], want: [] },
  { name: "an IPv6 pool that is not announced by BGP", pools: [poolOf("p", ["2001:db8:1::/112"], [])], want: [] },
  {
    name: "an IPv6 pool for another peer",
    pools: [poolOf("p", ["2001:db8:1::/112"], [{ peers: ["b"] }])],
    want: [],
  },
])("a next hop is missed only where a pool has addresses for it: $name", ({ pools, want }) => {
  const ipv4Only = { interfaces: [{ ...ETH0, addresses: ["192.0.2.11/24"] }] };
  const a = desired(nodeOf("n1", ipv4Only), viewOf({ pools })).peers.get("a");
  expect(a).toMatchObject({ opened: true, nextHops: new Map([["IPv6", "none"]]) });
  expect(a?.opened && [...a.missing.keys()]).toEqual(want);
});

test("peers that only some see are told by a profile, and others are not told", () => {
  const pools = [withEntries({}, { peers: ["b"], communities: ["65000:1"], localPref: 200 })];
  const { routes, exports } = stateOf(
    viewOf({ pools, peers: [A, peerOf("b", { peerAddress: "192.0.2.2", peerASN: 65000 })] }),
  );
  const profile = routes.get(`${IP}/32`)?.profile ?? 0;
  const none: RouteAttributes = { communities: [], largeCommunities: [], localPref: undefined, med: undefined };
  expect(exports.profiles.get(profile)).toEqual(
    new Map([
      ["192.0.2.1", none],
      ["192.0.2.2", { ...none, communities: [0xfde8_0001], localPref: 200 }],
    ]),
  );
  const named = stateOf(viewOf({ pools: [withEntries({ peers: ["a"] })] }));
  expect([...(named.exports.profiles.get(named.routes.get(`${IP}/32`)?.profile ?? 0) ?? [])]).toEqual([
    ["192.0.2.1", none],
  ]);
});

const many = (...ips: string[]) => new Map(ips.map((ip) => [ip, heldOn(["n1"])]));

test("an aggregate is announced once, and goes with its last member", () => {
  const pools = [withEntries({ aggregationLength: 28, aggregationLengthV6: 120 })];
  const prefixes = (...ips: string[]) => [...stateOf(viewOf({ pools, held: many(...ips) })).routes.keys()].sort();
  expect(prefixes("198.51.100.1", "198.51.100.2", "198.51.100.17", "2001:db8:1::1", "2001:db8:1::2")).toEqual([
    "198.51.100.0/28",
    "198.51.100.16/28",
    "2001:db8:1::/120",
  ]);
  expect(prefixes("198.51.100.2")).toEqual(["198.51.100.0/28"]);
  expect(prefixes()).toEqual([]);
});

test("entries of several lengths make a route each", () => {
  const pools = [withEntries({ aggregationLength: 24, peers: ["a"] }, { communities: ["no-export"] })];
  const { routes } = stateOf(viewOf({ pools }));
  expect([...routes.keys()]).toEqual(["198.51.100.0/24", "198.51.100.1/32"]);
  expect(routes.get("198.51.100.1/32")).toMatchObject({ communities: [0xffff_ff01], profile: undefined });
});

test("what pools that overlap say of one aggregate is united", () => {
  const pools = [
    poolOf("p", ["198.51.100.0/24"], [{ aggregationLength: 24, communities: ["65000:1"], med: 20 }]),
    poolOf("q", ["198.51.100.0/24"], [{ aggregationLength: 24, communities: ["65000:2"], med: 10, localPref: 200 }]),
  ];
  const held = new Map([
    [IP, heldOn(["n1"])],
    ["198.51.100.2", heldOn(["n1"], "Cluster", "q")],
  ]);
  const united = { communities: [0xfde8_0001, 0xfde8_0002], med: 10, localPref: 200 };
  expect(stateOf(viewOf({ pools, held })).routes.get("198.51.100.0/24")).toMatchObject(united);
});

test("a node that drains announces the same, for others to be preferred", () => {
  const pools = [withEntries({ localPref: 200, communities: ["65000:1"] })];
  const { routes } = stateOf(viewOf({ pools }), { draining: true });
  expect(routes.get(`${IP}/32`)).toMatchObject({ communities: [0xfde8_0001, 0xffff_0000], localPref: 0 });
});

/** Worlds of a few pools, peers and IPs, in which most things that can happen do. */
const PEERS = ["a", "b", "c"];
const aPeer = (index: number) =>
  fc
    .record<Partial<BGPPeerSpec>>({
      peerASN: fc.constantFrom(65000, 65001),
      myASN: fc.constantFrom(65000, 65002),
      peerAddress: fc.constantFrom(`192.0.2.${index}`, "192.0.2.1", `2001:db8::${index}`, `203.0.113.${index}`),
      addressFamilies: fc.constantFrom<BGPPeerSpec["addressFamilies"]>(["ipv4", "ipv6"], ["ipv4"]),
      nodeSelector: fc.constantFrom({}, { matchLabels: { rack: "1" } }),
    })
    .map((spec) => peerOf(PEERS[index - 1] ?? "", spec));
const anEntry = fc
  .record(
    {
      peers: fc.subarray(PEERS, { minLength: 1 }),
      nodeSelector: fc.constantFrom({}, { matchLabels: { rack: "1" } }),
      localPref: fc.constantFrom(0, 200),
      med: fc.constantFrom(5, 10),
      communities: fc.subarray(["65000:1", "65000:2", "large:1:2:3"]),
      aggregationLength: fc.constantFrom(32, 28, 24),
      aggregationLengthV6: fc.constantFrom(128, 112),
    },
    { requiredKeys: [] },
  )
  .map(entryOf);
const someEntries = fc.array(anEntry, { maxLength: 3 });
const somePools = fc
  .tuple(someEntries, someEntries)
  .map(([p, q]) => [poolOf("p", ["198.51.100.0/24", "2001:db8:1::/112"], p), poolOf("q", ["198.51.100.0/26"], q)]);
const someHeld = fc.uniqueArray(
  fc.tuple(
    fc.constantFrom("198.51.100.1", "198.51.100.2", "198.51.100.17", "203.0.113.9", "2001:db8:1::1", "2001:db8:1::2"),
    fc.record({
      serving: fc
        .array(
          fc.record({
            externalTrafficPolicy: fc.constantFrom<"Cluster" | "Local">("Cluster", "Local"),
            endpoints: fc.array(fc.record({ nodeName: fc.constantFrom("n1", "n2"), serving: fc.boolean() }), {
              maxLength: 2,
            }),
          }),
          { minLength: 1, maxLength: 2 },
        )
        .map(servingNodes),
      assignedPool: fc.constantFrom("p", "q", "gone", undefined),
    }),
  ),
  { selector: ([ip]) => ip },
);
const world = fc
  .record({ peers: fc.tuple(aPeer(1), aPeer(2), aPeer(3)), pools: somePools, held: someHeld })
  .map(({ peers, pools, held }): BGPView => ({ peers, secrets: new Map(), pools, held: new Map(held) }));
const someNode = (name: string): fc.Arbitrary<BGPNode> =>
  fc
    .record({
      labels: fc.constantFrom<Record<string, string>>({}, { rack: "1" }),
      networkUnavailable: fc.constantFrom(false, false, false, true),
      draining: fc.boolean(),
      withdrawn: fc.constantFrom(undefined, undefined, undefined, "NotForwarding" as const),
      interfaces: fc.constantFrom([ETH0], [{ ...ETH0, addresses: ["192.0.2.11/24"] }], []),
    })
    .map((details) => nodeOf(name, details));

test("each peer sees of each prefix what the entries say that are for it, and nothing else", () => {
  fc.assert(
    fc.property(someNode("n1"), world, (node, view) => {
      const { state, peers } = desired(node, view);
      for (const [name, outcome] of peers) {
        if (!outcome.opened) continue;
        const internal = outcome.peer.peerASN === outcome.peer.localASN;
        const reaches = (family: IPFamily) =>
          outcome.peer.families.includes(family) && outcome.nextHops.get(family) !== "none";
        const got = sent(state, outcome.neighbor, internal).filter(([prefix]) => reaches(familyOf(prefix)));
        const shall = seen(node, view, name, internal).filter(([prefix]) => reaches(familyOf(prefix)));
        expect(got).toEqual(shall);
      }
    }),
    { numRuns: 500 },
  );
});

const familyOf = (text: string): IPFamily => (text.includes(":") ? "IPv6" : "IPv4");

/** By prefix, what a peer shall see: by the rules, one IP and entry after the other. */
function seen({ node, draining, withdrawn }: BGPNode, view: BGPView, peer: string, internal: boolean) {
  const rules = new Map<string, RouteAttributes[]>();
  const pools = new AnnouncedPools(view.pools);
  for (const [ip, held] of view.held) {
    const pool = pools.of(ip, held.assignedPool);
    const { serving } = held;
    const serves = serving === "EveryNode" || (serving !== "NoNode" && serving.includes(node.meta.name));
    if (!pool || !serves || withdrawn || node.networkUnavailable) continue;
    for (const entry of pool.bgp) {
      const here = entry.nodeSelector?.matchLabels === undefined || node.meta.labels.rack === "1";
      if (!here || entry.peers?.includes(peer) === false) continue;
      const length = familyOf(ip) === "IPv4" ? entry.aggregationLength : entry.aggregationLengthV6;
      const prefix = prefixOf(ip, length, pool);
      rules.set(prefix, [...(rules.get(prefix) ?? []), readRule(entry, draining)]);
    }
  }
  return [...rules].map(([prefix, all]) => [prefix, shown(unite(all), internal)] as const).sort(byPrefix);
}

/** By prefix, what gobgpd sends to a peer, as far as it can. */
function sent({ routes, exports }: BGPState, neighbor: string, internal: boolean) {
  const seenOf = (route: Route) => {
    if (route.profile === undefined) return route;
    const additions = exports.profiles.get(route.profile)?.get(neighbor);
    if (additions === undefined) return undefined;
    const { localPref = route.localPref, med = route.med } = additions;
    return { ...unite([route, additions]), localPref, med };
  };
  return [...routes.values()]
    .flatMap((route) => {
      const attributes = seenOf(route);
      return attributes === undefined ? [] : [[route.prefix, shown(attributes, internal)] as const];
    })
    .sort(byPrefix);
}

function byPrefix([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function shown({ communities, largeCommunities, localPref, med }: RouteAttributes, internal: boolean) {
  return { communities, largeCommunities, med, localPref: internal ? (localPref ?? 100) : undefined };
}

test("the order of what is given does not matter", () => {
  fc.assert(
    fc.property(someNode("n1"), world, (node, view) => {
      const turned = {
        ...view,
        peers: [...view.peers].reverse(),
        pools: [...view.pools].reverse().map((pool) => ({
          ...pool,
          spec: { ...pool.spec, announce: [...pool.spec.announce].reverse() },
        })),
        held: new Map([...view.held].reverse()),
      };
      const [one, other] = [desired(node, view), desired(node, turned)];
      expect(other.state).toEqual(one.state);
      expect([...other.peers]).toEqual([...one.peers]);
    }),
  );
});

test("a Service that comes, goes or changes means calls for its routes alone", () => {
  fc.assert(
    fc.property(someNode("n1"), world, someHeld, (node, view, other) => {
      // As pools are accepted: they don't overlap, and have the IPs that they gave.
      const pools = view.pools.slice(0, 1);
      const ofPool = (held: BGPView["held"]) => new Map([...held].filter(([ip]) => !ip.startsWith("203.")));
      const before = desired(node, { ...view, pools, held: ofPool(view.held) }).state;
      const after = desired(node, { ...view, pools, held: ofPool(new Map(other)) }).state;
      const calls = diff(after, before).map((call) => call.do);
      expect(calls.filter((name) => name !== "AddRoutes" && name !== "DeleteRoutes")).toEqual([]);
    }),
  );
});

/** What comes after another view and node: most things stay the same objects, as in the API's stores. */
const aStep = fc.record(
  {
    /** IPs that are new, other or gone. */
    held: fc.tuple(someHeld, fc.subarray(["198.51.100.1", "198.51.100.2", "2001:db8:1::1"])),
    view: world,
    node: someNode("n1"),
    /** The same once more, in other objects. */
    copied: fc.constant(true),
  },
  { requiredKeys: [] },
);

test("what is computed on from an earlier result is what is computed from nothing", () => {
  fc.assert(
    fc.property(someNode("n1"), world, fc.array(aStep, { minLength: 1, maxLength: 8 }), (first, begin, steps) => {
      let [node, view] = [first, begin];
      let before = desired(node, view);
      for (const step of steps) {
        const { peers, pools } = step.view ?? (step.copied ? structuredClone(view) : view);
        const [others = [], gone = []] = step.held ?? [];
        const held = new Map([...view.held, ...others].filter(([ip]) => !gone.includes(ip)));
        node = step.node ?? node;
        view = { ...view, peers, pools, held };
        const after = desired(node, view, before);
        const { state, peers: outcomes, asns, outcomeOf } = desired(node, view);
        expect({ state: after.state, outcomes: after.peers, asns: after.asns }).toEqual({ state, outcomes, asns });
        for (const ip of [...view.held.keys(), "192.0.2.99"]) expect(after.outcomeOf(ip)).toEqual(outcomeOf(ip));
        expect(diff(after.state, before.state)).toEqual(diff(state, structuredClone(before.state)));
        before = after;
      }
    }),
    { numRuns: 500 },
  );
});

test.each([
  { name: "nothing is new", held: {}, same: true },
  { name: "an IP is served by another node, of a Service that any serves", held: { [IP]: heldOn(["n2"]) }, same: true },
  { name: "an IP is no longer served", held: { [IP]: heldOn([]) }, same: false },
])("only the routes that are new are new objects: $name", ({ held, same }) => {
  const both = many(IP, "198.51.100.2");
  const before = desired(nodeOf("n1"), viewOf({ held: both }));
  const after = desired(nodeOf("n1"), viewOf({ held: new Map([...both, ...Object.entries(held)]) }), before);
  expect(after.state === before.state).toBe(same);
  expect(after.state.routes.get("198.51.100.2/32")).toBe(before.state.routes.get("198.51.100.2/32"));
  expect(after.state.exports).toBe(before.state.exports);
});

test("an IP of a family that its pool has no more brings its profile along, and takes it away", () => {
  const entries = [{ peers: ["a"], aggregationLength: 24 }, { peers: ["b"] }];
  const pools = [poolOf("p", ["198.51.100.0/24"], entries)];
  const without = viewOf({ pools });
  const having = viewOf({ pools, held: new Map([...without.held, ["2001:db8:1::1", heldOn(["n1"])]]) });
  const come = desired(nodeOf("n1"), having, desired(nodeOf("n1"), without));
  expect(come.state).toEqual(stateOf(having));
  expect(desired(nodeOf("n1"), without, come).state).toEqual(stateOf(without));
});

test("a password that is another is used, whatever was computed before", () => {
  const peers = [peerOf("a", { passwordSecretRef: { name: "bgp", key: "password" } })];
  const view = (password: string) => viewOf({ peers, secrets: new Map([["bgp", secretOf("bgp", { password })]]) });
  const before = desired(nodeOf("n1"), view("old"));
  const after = desired(nodeOf("n1"), view("new"), before);
  expect(after.state.peers.get("192.0.2.1")?.password).toBe("new");
});

test("what a pool counts makes nothing new", () => {
  const before = desired(nodeOf("n1"), viewOf());
  const counted = { ...POOL, meta: { ...POOL.meta, resourceVersion: "2" }, status: { ipv4: { assigned: 1 } } };
  const held = before.madeOf.held;
  expect(desired(nodeOf("n1"), viewOf({ pools: [counted as IPPool], held }), before).state).toBe(before.state);
});

test("what is told of all nodes is what each decides", () => {
  fc.assert(
    fc.property(someNode("n1"), someNode("n2"), world, (n1, n2, view) => {
      const announcers = new Announcers([n2, n1], view);
      for (const [ip, held] of view.held) {
        const told = announcers.of(ip, held);
        for (const node of [n1, n2]) {
          const own = desired(node, view).outcomeOf(ip);
          if (told.what !== "Announced") expect(own?.reason).toBe(told.what);
          else expect(told.nodes.find((one) => one.node === node.node.meta.name)?.outcome).toEqual(own);
        }
      }
    }),
  );
});

test("a router that comes or goes changes nothing that the others are sent", () => {
  const third = aPeer(3).map((peer) => ({ ...peer, spec: { ...peer.spec, myASN: 65000 } }));
  fc.assert(
    fc.property(someNode("n1"), world, third, (node, view, peer) => {
      const before = desired(node, { ...view, peers: [A, B] }).state;
      const after = desired(node, { ...view, peers: [A, B, peer] }).state;
      for (const neighbor of before.peers.keys())
        expect(sent(after, neighbor, false)).toEqual(expect.arrayContaining(sent(before, neighbor, false)));
    }),
  );
});
