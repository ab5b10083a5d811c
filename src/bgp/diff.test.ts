import fc from "fast-check";
import { expect, test } from "vitest";
import type { Call } from "./calls.ts";
import { diff } from "./diff.ts";
import { samePace, sameRoute, sameSession } from "./equal.ts";
import type { BGPState, ExportPolicy, Global, Peer, Route, RouteAttributes } from "./model.ts";

const FRESH: BGPState = {
  global: undefined,
  peers: new Map(),
  routes: new Map(),
  exports: { profiles: new Map(), nextHops: new Map(), foreign: true },
  importsNothing: false,
};

/**
 * A gobgpd that is slow and plain: it does one thing at a time, refuses what gobgpd refuses, and knows what each peer
 * was last sent. It sends when a route is added or withdrawn, when a session opens, and when it is asked to; not when a
 * policy changes.
 */
class SlowGobgpd {
  state: BGPState;
  /** What each peer holds of this node, by neighbor and prefix. */
  readonly sent = new Map<string, Map<string, string>>();

  constructor(state: BGPState) {
    this.state = state;
    for (const neighbor of state.peers.keys()) this.#open(neighbor);
  }

  apply(call: Call): void {
    const { global, peers, routes } = this.state;
    if (call.do !== "StartGlobal" && global === undefined) throw new Error(`${call.do}: BGP is not started`);
    const changed = { peers: new Map(peers), routes: new Map(routes) };
    switch (call.do) {
      case "StartGlobal":
        if (global !== undefined) throw new Error("it is started");
        this.state = { ...this.state, global: call.global };
        return;
      case "StopGlobal":
        this.state = FRESH;
        this.sent.clear();
        return;
      case "RejectImports":
        this.state = { ...this.state, importsNothing: true };
        return;
      case "SetExports":
        this.state = { ...this.state, exports: call.exports };
        return;
      case "ResendTo":
        for (const neighbor of call.neighbors) this.#open(neighbor);
        return;
      case "AddRoutes":
        for (const route of call.routes) changed.routes.set(route.prefix, route);
        this.state = { ...this.state, routes: changed.routes };
        for (const { prefix } of call.routes) for (const neighbor of peers.keys()) this.#send(neighbor, prefix);
        return;
      case "DeleteRoutes":
        for (const prefix of call.prefixes) changed.routes.delete(prefix);
        this.state = { ...this.state, routes: changed.routes };
        for (const prefix of call.prefixes) for (const neighbor of peers.keys()) this.#send(neighbor, prefix);
        return;
      case "DeletePeer":
        if (!changed.peers.delete(call.neighbor)) throw new Error("no such peer");
        this.state = { ...this.state, peers: changed.peers };
        this.sent.delete(call.neighbor);
        return;
      default: {
        const { peer } = call;
        const there = peers.get(peer.neighbor);
        if ((there === undefined) !== (call.do === "AddPeer")) throw new Error(`${call.do}: not now`);
        if (call.do === "UpdatePeer" && there && !sameSession(there, peer)) throw new Error("that needs a new session");
        this.state = { ...this.state, peers: changed.peers.set(peer.neighbor, peer) };
        if (call.do !== "UpdatePeer") this.#open(peer.neighbor);
      }
    }
  }

  #open(neighbor: string): void {
    this.sent.set(neighbor, new Map());
    for (const prefix of this.state.routes.keys()) this.#send(neighbor, prefix);
  }

  #send(neighbor: string, prefix: string): void {
    const text = leaving(this.state, neighbor, prefix);
    if (text === undefined) this.sent.get(neighbor)?.delete(prefix);
    else this.sent.get(neighbor)?.set(prefix, text);
  }
}

/** What a peer gets of a prefix; undefined: nothing. */
function leaving({ routes, exports }: BGPState, neighbor: string, prefix: string): string | undefined {
  const route = routes.get(prefix);
  if (route === undefined) return undefined;
  if (exports.foreign) return "whatever";
  const hop = exports.nextHops.get(neighbor)?.[prefix.includes(":") ? "IPv6" : "IPv4"] ?? "self";
  const additions = route.profile === undefined ? {} : exports.profiles.get(route.profile)?.get(neighbor);
  if (hop === "none" || additions === undefined) return undefined;
  const { communities, largeCommunities, localPref, med } = route;
  return JSON.stringify({ communities, largeCommunities, localPref, med, hop, additions });
}

const NEIGHBORS = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "eth1"];
const PREFIXES = ["198.51.100.1/32", "198.51.100.2/32", "198.51.100.0/24", "2001:db8:1::1/128"];
const PROFILES = [7, 8, 9];

/** Few differences, so that most of what is found can stay. */
const mostly = <A, B>(usual: A, other: B) => fc.constantFrom<A | B>(...new Array<A>(9).fill(usual), other);
const attributes: fc.Arbitrary<RouteAttributes> = fc.record({
  communities: fc.subarray([1, 2]),
  largeCommunities: fc.subarray(["1:2:3"]),
  localPref: fc.constantFrom(undefined, 200),
  med: fc.constantFrom(undefined, 0),
});
const aGlobal: fc.Arbitrary<Global> = fc.record({
  asn: mostly(65000, 65001),
  routerID: fc.constant("192.0.2.11"),
  listens: fc.constant(false),
});
const aPeer = (neighbor: string): fc.Arbitrary<Peer> =>
  fc.record({
    neighbor: fc.constant(neighbor),
    unnumbered: fc.constant(neighbor === "eth1"),
    peerASN: fc.constant(65001),
    localASN: fc.constant(65000),
    port: mostly(179, 1179),
    localAddress: fc.constant(undefined),
    bindInterface: mostly(undefined, "eth0"),
    passive: fc.constant(false),
    multihopTTL: fc.constant(undefined),
    password: mostly(undefined, "secret"),
    holdTime: mostly(9, 90),
    keepaliveTime: fc.constant(3),
    connectRetryTime: fc.constant(5),
    gracefulRestart: mostly(undefined, 120),
    bfd: mostly(undefined, { transmitMs: 100, receiveMs: 100, detectMultiplier: 3 }),
    families: fc.constant(["IPv4", "IPv6"] as const),
  });
const aRoute = (prefix: string): fc.Arbitrary<Route> =>
  fc
    .record({ profile: fc.constantFrom(undefined, ...PROFILES), attributes })
    .map(({ profile, attributes: of }) => ({ prefix, profile, ...of }));
/** Some of these, in any order, each with a value. */
const someOf = <V>(keys: readonly string[], value: (key: string) => fc.Arbitrary<V>) =>
  fc
    .shuffledSubarray([...keys])
    .chain((some) => fc.tuple(...some.map((key) => fc.tuple(fc.constant(key), value(key)))))
    .map((all) => new Map(all));
const exportsOf = (foreign: fc.Arbitrary<boolean>): fc.Arbitrary<ExportPolicy> =>
  fc.record({
    profiles: someOf(PROFILES.map(String), () => someOf(NEIGHBORS, () => attributes)).map(
      (all) => new Map([...all].map(([number, seen]) => [Number(number), seen])),
    ),
    nextHops: someOf(NEIGHBORS, () => fc.constantFrom({ IPv6: "none" }, { IPv4: "192.0.2.11" })),
    foreign,
  });
const running = (wanted: boolean): fc.Arbitrary<BGPState> =>
  fc.record({
    global: aGlobal,
    peers: someOf(NEIGHBORS, aPeer),
    routes: someOf(PREFIXES, aRoute),
    exports: exportsOf(wanted ? fc.constant(false) : fc.boolean()),
    importsNothing: wanted ? fc.constant(true) : fc.boolean(),
  });
const NOTHING: BGPState = { ...FRESH, exports: { ...FRESH.exports, foreign: false }, importsNothing: true };
/** Every profile that a route follows is there; in what is found it may not be. */
const whole = running(true).map((state): BGPState => {
  const { profiles } = state.exports;
  const missing = [...state.routes.values()]
    .flatMap(({ profile }) => profile ?? [])
    .filter((one) => !profiles.has(one));
  const all = new Map([...profiles, ...missing.map((one): [number, Map<string, RouteAttributes>] => [one, new Map()])]);
  return { ...state, exports: { ...state.exports, profiles: all } };
});
const wanted = fc.oneof({ weight: 9, arbitrary: whole }, { weight: 1, arbitrary: fc.constant(NOTHING) });
const found = fc.oneof({ weight: 9, arbitrary: running(false) }, { weight: 1, arbitrary: fc.constant(FRESH) });
/** What is found mostly resembles what is wanted. */
const both = fc
  .tuple(wanted, found, fc.subarray(["global", "peers", "routes", "exports"] as const))
  .map(([desired, other, alike]): [BGPState, BGPState] => {
    const same = desired.global && other.global ? alike : [];
    return [desired, { ...other, ...Object.fromEntries(same.map((part) => [part, desired[part]])) }];
  });

test("after the calls gobgpd holds what is desired, and every peer what it shall see", () => {
  fc.assert(
    fc.property(both, ([desired, actual]) => {
      const gobgpd = new SlowGobgpd(actual);
      for (const call of diff(desired, actual)) gobgpd.apply(call);
      expect(gobgpd.state).toEqual(desired.global === undefined ? FRESH : desired);
      for (const neighbor of desired.peers.keys())
        for (const prefix of PREFIXES)
          expect(gobgpd.sent.get(neighbor)?.get(prefix)).toBe(leaving(desired, neighbor, prefix));
    }),
    { numRuns: 1000 },
  );
});

test("nothing is called for what is as desired", () => {
  fc.assert(
    fc.property(wanted, (desired) => {
      expect(diff(desired, desired.global === undefined ? FRESH : structuredClone(desired))).toEqual([]);
    }),
  );
});

test("what both have is there at every step: a route is never missing, and no session ends that can stay", () => {
  fc.assert(
    fc.property(both, ([desired, actual]) => {
      const gobgpd = new SlowGobgpd(actual);
      const calls = diff(desired, actual);
      if (calls.some((call) => call.do === "StopGlobal")) return;
      const staying = [...desired.peers.values()].filter((peer) =>
        same(peer, actual.peers.get(peer.neighbor), sameSession),
      );
      for (const call of calls) {
        gobgpd.apply(call);
        for (const [prefix, route] of actual.routes) {
          const to = desired.routes.get(prefix);
          if (to !== undefined) expect(gobgpd.state.routes.get(prefix)).toSatisfy((now) => now === route || now === to);
          if (to && sameRoute(route, to)) expect(touches(call, prefix)).toBe(false);
        }
        for (const peer of staying) {
          expect(closes(call, peer.neighbor)).toBe(false);
          if (same(peer, actual.peers.get(peer.neighbor), samePace)) expect(updates(call, peer.neighbor)).toBe(false);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

/** As in what Herald makes: what a profile says to a neighbor that stays does not change, for it has another number then. */
const consistent = both.map(([desired, actual]): [BGPState, BGPState] => {
  const followed = [...actual.routes.values()].flatMap(({ profile }) => profile ?? []);
  const numbers = new Set([...actual.exports.profiles.keys(), ...followed]);
  const profiles = new Map(
    [...numbers].map((number) => {
      const seen = actual.exports.profiles.get(number) ?? new Map<string, RouteAttributes>();
      const to = desired.exports.profiles.get(number);
      if (to === undefined) return [number, seen];
      const going = [...seen].filter(([neighbor]) => !desired.peers.has(neighbor));
      const staying = [...to].filter(([neighbor]) => actual.peers.has(neighbor));
      return [number, new Map([...going, ...staying])];
    }),
  );
  const nextHops = desired.exports.nextHops;
  return [desired, { ...actual, exports: { profiles, nextHops, foreign: false } }];
});

test("no peer loses a route that it shall have, or sees one that is not for it before or after", () => {
  fc.assert(
    fc.property(consistent, ([desired, actual]) => {
      const gobgpd = new SlowGobgpd(actual);
      const calls = diff(desired, actual);
      if (calls.some((call) => call.do === "StopGlobal")) return;
      for (const call of calls) {
        gobgpd.apply(call);
        for (const [neighbor, sent] of gobgpd.sent) {
          if (calls.some((one) => one.do === "ReplacePeer" && one.peer.neighbor === neighbor)) continue;
          for (const prefix of PREFIXES) {
            const before = leaving(actual, neighbor, prefix);
            const after = desired.peers.has(neighbor) ? leaving(desired, neighbor, prefix) : undefined;
            const may = actual.peers.has(neighbor) ? [before, after] : [after];
            expect(may).toContain(sent.get(prefix));
            expect(may).toContain(leaving(gobgpd.state, neighbor, prefix)); // where the session flaps just now
          }
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test("what is added comes before what is withdrawn, and what a profile says before the routes that follow it", () => {
  const route = (prefix: string, profile?: number): Route => ({
    prefix,
    profile,
    communities: [],
    largeCommunities: [],
    localPref: undefined,
    med: undefined,
  });
  const stateWith = (profile: number, ...prefixes: string[]): BGPState => ({
    ...NOTHING,
    global: { asn: 65000, routerID: "192.0.2.11", listens: false },
    routes: new Map(prefixes.map((prefix) => [prefix, route(prefix, profile)])),
    exports: { ...NOTHING.exports, profiles: new Map([[profile, new Map()]]) },
  });
  const desired = stateWith(8, "198.51.100.1/32", "198.51.100.2/32");
  const actual = stateWith(7, "198.51.100.0/24", "198.51.100.2/32");
  const both = { ...desired.exports, profiles: new Map([...actual.exports.profiles, ...desired.exports.profiles]) };
  expect(diff(desired, actual)).toEqual([
    { do: "SetExports", exports: both },
    { do: "AddRoutes", routes: [route("198.51.100.1/32", 8), route("198.51.100.2/32", 8)] },
    { do: "DeleteRoutes", prefixes: ["198.51.100.0/24"] },
    { do: "SetExports", exports: desired.exports },
  ]);
});

test("a daemon that has just started gets its routes before its peers, and is told what leaves before both", () => {
  fc.assert(
    fc.property(whole, (desired) => {
      const order = ["StartGlobal", "RejectImports", "SetExports", "AddRoutes", "AddPeer"];
      const names = diff(desired, FRESH).map((call) => call.do);
      expect(names).toEqual([...names].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
      expect(names.slice(0, 3)).toEqual(order.slice(0, 3));
    }),
  );
});

test("the order of maps does not matter", () => {
  const turned = <K, V>(map: ReadonlyMap<K, V>) => new Map([...map].reverse());
  const turnedState = (state: BGPState): BGPState => ({
    ...state,
    peers: turned(state.peers),
    routes: turned(state.routes),
    exports: { ...state.exports, profiles: turned(state.exports.profiles), nextHops: turned(state.exports.nextHops) },
  });
  fc.assert(
    fc.property(both, ([desired, actual]) => {
      expect(diff(turnedState(desired), turnedState(actual))).toEqual(diff(desired, actual));
    }),
  );
});

function same(a: Peer, b: Peer | undefined, how: (a: Peer, b: Peer) => boolean): boolean {
  return b !== undefined && how(a, b);
}

function touches(call: Call, prefix: string): boolean {
  if (call.do === "AddRoutes") return call.routes.some((route) => route.prefix === prefix);
  return call.do === "DeleteRoutes" && call.prefixes.includes(prefix);
}

function closes(call: Call, neighbor: string): boolean {
  if (call.do === "DeletePeer") return call.neighbor === neighbor;
  return (call.do === "ReplacePeer" || call.do === "AddPeer") && call.peer.neighbor === neighbor;
}

function updates(call: Call, neighbor: string): boolean {
  return call.do === "UpdatePeer" && call.peer.neighbor === neighbor;
}
