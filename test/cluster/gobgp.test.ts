import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { diff } from "../../src/bgp/diff.ts";
import type { BGPState, ExportPolicy, Peer, Route } from "../../src/bgp/model.ts";
import { binary } from "./binaries.ts";
import { expectNode, NODE, type Pair, peerTo, ROUTER, type Seen, seenBy, startPair } from "./gobgp-pair.ts";
import { states } from "./gobgp-states.ts";
import { run } from "./run.ts";

let pair: Pair;
beforeAll(async () => {
  pair = await startPair();
});
afterAll(() => pair?.stop());

const PLAIN = { communities: [], largeCommunities: [], localPref: undefined, med: undefined };
const NO_EXPORTS: ExportPolicy = { profiles: new Map(), nextHops: new Map(), foreign: false };

function route(prefix: string, more: Partial<Route> = {}): Route {
  return { prefix, ...PLAIN, profile: undefined, ...more };
}

function stateOf(peers: readonly Peer[], routes: readonly Route[], exports: Partial<ExportPolicy> = {}): BGPState {
  return {
    global: { asn: NODE.as, routerID: NODE.ipv4, listens: false },
    peers: new Map(peers.map((peer) => [peer.neighbor, peer])),
    routes: new Map(routes.map((one) => [one.prefix, one])),
    exports: { ...NO_EXPORTS, ...exports },
    importsNothing: true,
  };
}

/** Brings gobgpd to the state, and finds it there. */
async function bring(wanted: BGPState): Promise<void> {
  await pair.gobgp.apply(diff(wanted, await pair.gobgp.read()));
  expect(await pair.gobgp.read()).toEqual(wanted);
}

async function established(...neighbors: string[]): Promise<void> {
  const up = async () =>
    (await pair.gobgp.sessions()).filter(({ state }) => state === "Established").map(({ neighbor }) => neighbor);
  await expect.poll(up, { timeout: 20_000 }).toEqual(neighbors);
}

/** Waits until the router has learnt this, and nothing else. */
async function routerSees(wanted: Record<string, Partial<Seen>[]>): Promise<void> {
  const sorted = async () => {
    const seen = Object.entries(await seenBy(pair.router));
    return Object.fromEntries(seen.map(([prefix, all]) => [prefix, all.sort((a, b) => (a.from < b.from ? -1 : 1))]));
  };
  const expected = Object.entries(wanted).map(([prefix, all]) => [
    prefix,
    all.map((one) => expect.objectContaining(one)),
  ]);
  await expect.poll(sorted, { timeout: 10_000 }).toEqual(Object.fromEntries(expected));
}

async function forgetRouter(): Promise<void> {
  const { router } = pair;
  const peers = await router.list<{ peer: { state: { neighbor_address: string } } }>("ListPeer");
  for (const { peer } of peers) await router.call("DeletePeer", { address: peer.state.neighbor_address });
}

test("a gobgpd that has just started holds nothing, and what it is brought to is read back: any state, from any other", async () => {
  expect((await pair.gobgp.read()).global).toBeUndefined();
  await fc.assert(fc.asyncProperty(states, bring), { numRuns: 40 });
});

test("a router sees what its peers' policies say: attributes, next hops of both families, and no marker", async () => {
  await forgetRouter();
  await expectNode(pair.router, NODE.ipv4);
  await expectNode(pair.router, NODE.ipv6);
  const extra = { communities: [0xffff_ff01], largeCommunities: ["64513:2:2"], localPref: 200, med: 0 };
  const families = ["IPv4", "IPv6"] as const;
  await bring(
    stateOf(
      [peerTo(ROUTER.ipv4, { families }), peerTo(ROUTER.ipv6, { families })],
      [
        route("10.0.0.1/32", { communities: [0x0001_0002], largeCommunities: ["64513:1:1"], med: 5 }),
        route("10.0.0.7/32", { profile: 7, communities: [0x0001_0002], largeCommunities: ["64513:1:1"], med: 5 }),
        route("10.0.0.8/32", { profile: 8 }),
        route("10.0.0.9/32", { profile: 9 }),
        route("2001:db8:1::1/128"),
        route("2001:db8:1::7/128", { profile: 7 }),
      ],
      {
        profiles: new Map([
          [7, new Map([[ROUTER.ipv4, extra]])],
          [8, new Map()],
        ]),
        nextHops: new Map([
          [ROUTER.ipv4, { IPv6: NODE.ipv6 }],
          [ROUTER.ipv6, { IPv4: NODE.ipv4 }],
        ]),
      },
    ),
  );
  await established(ROUTER.ipv4, ROUTER.ipv6);
  const plain = { communities: [], largeCommunities: [], med: undefined };
  const own = { communities: [0x0001_0002], largeCommunities: ["64513:1:1"], med: 5 };
  await routerSees({
    "10.0.0.1/32": [
      { from: NODE.ipv4, nextHop: NODE.ipv4, ...own },
      { from: NODE.ipv6, nextHop: NODE.ipv4, ...own },
    ],
    "10.0.0.7/32": [
      {
        from: NODE.ipv4,
        nextHop: NODE.ipv4,
        communities: [0x0001_0002, 0xffff_ff01],
        largeCommunities: ["64513:1:1", "64513:2:2"],
        med: 0,
      },
    ],
    "2001:db8:1::1/128": [
      { from: NODE.ipv4, nextHop: NODE.ipv6, ...plain },
      { from: NODE.ipv6, nextHop: NODE.ipv6, ...plain },
    ],
    "2001:db8:1::7/128": [
      { from: NODE.ipv4, nextHop: NODE.ipv6, communities: [0xffff_ff01], largeCommunities: ["64513:2:2"], med: 0 },
    ],
  });
  await expect
    .poll(() => pair.gobgp.sessions(), { timeout: 10_000 })
    .toMatchObject([
      { neighbor: ROUTER.ipv4, advertised: 4, accepted: 0, holdTime: 9, keepaliveTime: 3, peerRouterID: ROUTER.ipv4 },
      { neighbor: ROUTER.ipv6, advertised: 2, accepted: 0, bfd: undefined, flaps: 0, notificationsSent: 0 },
    ]);
});

test("a changed policy leaves every session up, and counts from when routes are sent again", async () => {
  const before = await pair.gobgp.read();
  const seen = new Map([[ROUTER.ipv6, { ...PLAIN, med: 77 }]]);
  const exports = {
    ...before.exports,
    profiles: new Map([[7, seen]]),
    nextHops: new Map([[ROUTER.ipv4, { IPv6: "none" as const }]]),
  };
  await bring({ ...before, exports });
  // Without a next hop of its own, IPv4 over the IPv6 session goes by the session's address (RFC 8950), if the peer can.
  await routerSees({
    "10.0.0.1/32": [
      { from: NODE.ipv4, nextHop: NODE.ipv4 },
      { from: NODE.ipv6, nextHop: NODE.ipv6 },
    ],
    "10.0.0.7/32": [{ from: NODE.ipv6, med: 77 }],
    "2001:db8:1::1/128": [{ from: NODE.ipv6 }],
    "2001:db8:1::7/128": [{ from: NODE.ipv6, med: 77 }],
  });
  expect((await pair.gobgp.sessions()).map(({ state, flaps }) => [state, flaps])).toEqual([
    ["Established", 0],
    ["Established", 0],
  ]);
});

test("timers and BFD change beside an open session; a changed password opens another", async () => {
  const before = await pair.gobgp.read();
  const change = (more: Partial<Peer>) => {
    const peer = { ...(before.peers.get(ROUTER.ipv4) as Peer), ...more };
    return bring({ ...before, peers: new Map([...before.peers, [ROUTER.ipv4, peer]]) });
  };
  const since = async () => (await pair.gobgp.sessions()).map(({ establishedAtMs, state }) => [state, establishedAtMs]);
  const at = await since();
  await change({
    connectRetryTime: 2,
    holdTime: 30,
    keepaliveTime: 10,
    bfd: { transmitMs: 500, receiveMs: 700, detectMultiplier: 5 },
  });
  expect(await since()).toEqual(at);
  await change({ password: "rotated" });
  const [first] = await pair.gobgp.sessions();
  expect(first?.state).not.toBe("Established");
  await change({});
  await established(ROUTER.ipv4, ROUTER.ipv6);
});

test("LOCAL_PREF reaches a peer of the same AS, from the route or its profile", async () => {
  await forgetRouter();
  await expectNode(pair.router, NODE.ipv4, { as: NODE.as });
  await bring(
    stateOf(
      [peerTo(ROUTER.ipv4, { peerASN: NODE.as })],
      [
        route("10.0.0.1/32"),
        route("10.0.0.2/32", { localPref: 0, communities: [0xffff_0000] }),
        route("10.0.0.3/32", { profile: 3, localPref: 50 }),
      ],
      { profiles: new Map([[3, new Map([[ROUTER.ipv4, { ...PLAIN, localPref: 300 }]])]]) },
    ),
  );
  await routerSees({
    "10.0.0.1/32": [{ localPref: 100 }],
    "10.0.0.2/32": [{ localPref: 0, communities: [0xffff_0000] }],
    "10.0.0.3/32": [{ localPref: 300 }],
  });
});

test("nothing that a peer sends is installed, also where a hand has let it in before", async () => {
  await forgetRouter();
  await expectNode(pair.router, NODE.ipv4);
  const wanted = stateOf([peerTo(ROUTER.ipv4)], [route("10.0.0.1/32")]);
  await bring(wanted);
  await established(ROUTER.ipv4);
  const path = {
    nlri: { prefix: { prefix: "198.51.100.0", prefix_len: 24 } },
    family: { afi: 1, safi: 1 },
    pattrs: [{ origin: { origin: 0 } }, { next_hop: { next_hop: "0.0.0.0" } }],
  };
  await pair.router.send("AddPathStream", [{ table_type: "TABLE_TYPE_GLOBAL", paths: [path] }]);
  await expect.poll(async () => (await pair.gobgp.sessions())[0]?.updatesReceived).toBeGreaterThan(0);
  expect(await pair.gobgp.read()).toEqual(wanted);

  const assignment = { name: "global", direction: "POLICY_DIRECTION_IMPORT", default_action: "ROUTE_ACTION_ACCEPT" };
  await pair.node.call("SetPolicyAssignment", { assignment });
  await pair.node.call("ResetPeer", { soft: true, direction: "DIRECTION_IN" });
  await expect.poll(() => pair.gobgp.read()).toEqual({ ...wanted, importsNothing: false });
  await bring(wanted);
  // gobgpd counts it still: it knows the route, and makes no use of it.
  expect(await pair.gobgp.sessions()).toMatchObject([{ state: "Established", flaps: 0, accepted: 1 }]);
});

test.each([
  {
    name: "a peer switched off",
    meddle: () => run([binary("gobgp"), "--target", `unix://${pair.socket}`, "neighbor", ROUTER.ipv4, "disable"]),
  },
  {
    name: "a peer of its own",
    meddle: () => pair.node.call("AddPeer", { peer: { conf: { neighbor_address: "192.0.2.77", peer_asn: 5 } } }),
  },
  { name: "a peer with other timers", meddle: () => pair.node.call("UpdatePeer", { peer: BARE_PEER }) },
  {
    name: "a route with another next hop",
    meddle: () => pair.node.send("AddPathStream", [{ table_type: "TABLE_TYPE_GLOBAL", paths: [OTHER_PATH] }]),
  },
  { name: "no policies", meddle: () => pair.node.call("SetPolicies", {}) },
  {
    name: "a policy of its own",
    meddle: () =>
      pair.node.call("SetPolicies", {
        policies: [
          { name: "herald exports", statements: [{ name: "own", actions: { route_action: "ROUTE_ACTION_ACCEPT" } }] },
        ],
      }),
  },
  {
    name: "an export that accepts by default",
    meddle: () =>
      pair.node.call("SetPolicyAssignment", {
        assignment: { name: "global", direction: "POLICY_DIRECTION_EXPORT", default_action: "ROUTE_ACTION_ACCEPT" },
      }),
  },
])("what a hand leaves behind is seen and mended: $name", async ({ meddle }) => {
  const seen = new Map([[ROUTER.ipv4, { ...PLAIN, med: 1 }]]);
  const wanted = stateOf([peerTo(ROUTER.ipv4)], [route("10.0.0.1/32")], { profiles: new Map([[1, seen]]) });
  await bring(wanted);
  await meddle();
  expect(diff(wanted, await pair.gobgp.read())).not.toEqual([]);
  await bring(wanted);
});

const BARE_PEER = { conf: { neighbor_address: ROUTER.ipv4, peer_asn: ROUTER.as } };
const OTHER_PATH = {
  nlri: { prefix: { prefix: "10.0.0.1", prefix_len: 32 } },
  family: { afi: 1, safi: 1 },
  pattrs: [{ origin: { origin: 0 } }, { next_hop: { next_hop: NODE.ipv4 } }],
};

test("a bad route among many is named, and takes no other with it", async () => {
  await bring(stateOf([], []));
  const good = Array.from({ length: 600 }, (_, n) => route(`10.9.${n >> 8}.${n & 255}/32`));
  const routes = good.toSpliced(300, 0, route("10.9.300.1/32")).toSpliced(500, 0, route("10.9.400.1/32"));
  const after = { do: "AddRoutes", routes: [route("10.8.0.1/32")] } as const;
  await expect(pair.gobgp.apply([{ do: "AddRoutes", routes }, after])).rejects.toMatchObject({
    kind: "Refused",
    message: expect.stringMatching(/^route 10\.9\.300\.1\/32: gobgpd at \S+ refused /),
  });
  const { routes: held } = await pair.gobgp.read();
  expect([...held.keys()].sort()).toEqual([...good, ...after.routes].map(({ prefix }) => prefix).sort());
});

test("a peer that gobgpd refuses is named, and holds back no other", async () => {
  await bring(stateOf([], []));
  const bad = peerTo("nowhere0", { unnumbered: true });
  const calls = [
    { do: "AddPeer", peer: bad },
    { do: "AddPeer", peer: peerTo(ROUTER.ipv4) },
  ] as const;
  await expect(pair.gobgp.apply(calls)).rejects.toThrow(/^peer nowhere0: gobgpd at \S+ refused AddPeer: /);
  expect([...(await pair.gobgp.read()).peers.keys()]).toEqual([ROUTER.ipv4]);
});

test("a local preference of 0 for some peers is refused before gobgpd would lose it", async () => {
  const profiles = new Map([[1, new Map([[ROUTER.ipv4, { ...PLAIN, localPref: 0 }]])]]);
  const exports = { ...NO_EXPORTS, profiles };
  await expect(pair.gobgp.apply([{ do: "SetExports", exports }])).rejects.toMatchObject({ kind: "Refused" });
});
