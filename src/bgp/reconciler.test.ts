import { afterEach, beforeEach, expect, test } from "vitest";
import { wantedPeer } from "../../test/unit/bgp-world.ts";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import { FakeGobgpd } from "../../test/unit/fake-gobgpd.ts";
import { noLog } from "../log.ts";
import { SETTLE_MS } from "./bfd.ts";
import type { BGPState, Route } from "./model.ts";
import { Reconciler, type Use } from "./reconciler.ts";
import { STUCK_MS } from "./stuck-bfd.ts";

let clock: FakeClock;
let gobgpd: FakeGobgpd;
let wanted: BGPState;
let use: Use;
let portTaken: boolean;
let reconciler: Reconciler;
let counted: { found: number; repaired: number; failed: number };
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  gobgpd = new FakeGobgpd();
  wanted = stateOf(["192.0.2.10/32"]);
  use = "Used";
  portTaken = false;
  counted = { found: 0, repaired: 0, failed: 0 };
  reconciler = new Reconciler({
    daemon: gobgpd,
    clock,
    random: () => 0,
    log: noLog,
    use: () => use,
    wanted: () => wanted,
    isPortTaken: () => portTaken,
    changed: () => {},
    metrics: {
      reconciled: (result) => {
        if (result === "failed") counted.failed++;
      },
      driftFound: (count) => {
        counted.found += count;
      },
      driftRepaired: (count) => {
        counted.repaired += count;
      },
    },
  });
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running;
});

async function begin(): Promise<void> {
  running = reconciler.run(stop.signal);
  await clock.advance(0);
}

async function want(...prefixes: readonly string[]): Promise<void> {
  wanted = stateOf(prefixes);
  reconciler.wake();
  await clock.advance(0);
}

test("a fresh gobgpd is brought to what is wanted", async () => {
  await begin();
  expect(gobgpd.state).toEqual(wanted);
  expect(reconciler.view).toMatchObject({ problem: undefined, held: wanted, sessions: [{ neighbor: "192.0.2.1" }] });
});

test("nothing is asked before the API is read", async () => {
  use = "Unknown";
  await begin();
  await clock.advance(60_000);
  expect(gobgpd.take()).toEqual([]);
});

test("a speaker that comes back finds all as it is to be, and says nothing", async () => {
  gobgpd.state = wanted;
  await begin();
  expect(gobgpd.take()).toEqual(["read", "sessions", "sessions"]); // before and after it might have told something
});

test("a new route is one call and no list", async () => {
  await begin();
  gobgpd.take();
  await want("192.0.2.10/32", "192.0.2.11/32");
  expect(gobgpd.take()).toEqual(["AddRoutes"]);
  await want("192.0.2.11/32");
  expect(gobgpd.take()).toEqual(["DeleteRoutes"]);
  await want("192.0.2.11/32");
  expect(gobgpd.take()).toEqual([]);
});

test("what somebody changed by hand is found and put right in 30 s, and counted", async () => {
  await begin();
  gobgpd.state = { ...gobgpd.state, routes: stateOf(["198.51.100.1/32"]).routes };
  await clock.advance(30_000);
  expect(gobgpd.state).toEqual(wanted);
  expect(counted).toMatchObject({ found: 2, repaired: 2 });
  await clock.advance(60_000);
  expect(counted).toMatchObject({ found: 2, repaired: 2 });
});

test("what is new at the same moment counts as no drift", async () => {
  await begin();
  await clock.advance(29_900);
  wanted = stateOf(["192.0.2.99/32"]); // and nobody wakes it
  await clock.advance(1_000);
  expect(gobgpd.state).toEqual(wanted);
  expect(counted.found).toBe(0);
});

test("a gobgpd that restarts is right again half a second after it is back, and counts as no drift", async () => {
  await begin();
  gobgpd.kill();
  await clock.advance(20_000);
  expect(reconciler.view.problem).toMatchObject({ kind: "Away" });
  gobgpd.problem = undefined;
  await clock.advance(500);
  expect(gobgpd.state).toEqual(wanted);
  expect(reconciler.view.problem).toBeUndefined();
  expect(gobgpd.watched).toBe(1);
  expect(counted.found).toBe(0);
});

test("BFD is switched on as its session opens, and where that falls the peer is made anew, once", async () => {
  const watched = { ...PEER, bfd: { transmitMs: 100, receiveMs: 100, detectMultiplier: 3 } };
  wanted = { ...wanted, peers: new Map([[PEER.neighbor, watched]]) };
  gobgpd.shown.set(PEER.neighbor, { state: "Active" });
  await begin();
  expect(gobgpd.state.peers.get(PEER.neighbor)).toEqual(PEER);
  gobgpd.take();
  gobgpd.show(PEER.neighbor, { state: "Established" });
  await clock.advance(SETTLE_MS);
  expect(gobgpd.take()).toEqual(["sessions"]);
  await clock.advance(100);
  expect(gobgpd.take()).toEqual(["sessions", "UpdatePeer"]);
  expect(gobgpd.state).toEqual(wanted);
  await clock.advance(60_000);
  expect(new Set(gobgpd.take())).toEqual(new Set(["read", "sessions"]));
  gobgpd.show(PEER.neighbor, { state: "Idle", flaps: 1 });
  await clock.advance(100);
  expect(gobgpd.take()).toEqual(["sessions", "ReplacePeer", "sessions"]);
  expect(gobgpd.state.peers.get(PEER.neighbor)).toEqual(PEER);
  await clock.advance(60_000);
  expect(new Set(gobgpd.take())).toEqual(new Set(["read", "sessions"]));
  expect(counted.found).toBe(0);
});

test("a speaker that comes back to a session under BFD touches nothing", async () => {
  const watched = { ...PEER, bfd: { transmitMs: 100, receiveMs: 100, detectMultiplier: 3 } };
  wanted = { ...wanted, peers: new Map([[PEER.neighbor, watched]]) };
  gobgpd.state = wanted;
  await begin();
  expect(gobgpd.take()).toEqual(["read", "sessions", "sessions"]); // before and after it might have told something
});

test("one that is back before anybody asked is noticed too", async () => {
  await begin();
  gobgpd.kill();
  gobgpd.problem = undefined;
  await clock.advance(200);
  expect(gobgpd.state).toEqual(wanted);
});

test("a gobgpd that is gone has no sessions", async () => {
  await begin();
  gobgpd.kill();
  await clock.advance(200);
  expect(reconciler.view.sessions).toEqual([]);
});

test("a gobgpd that does not answer is asked less and less often", async () => {
  await begin();
  gobgpd.take();
  gobgpd.problem = "Frozen";
  await clock.advance(60_000);
  expect(reconciler.view.problem).toMatchObject({ kind: "Frozen", sinceMs: expect.any(Number) });
  expect(gobgpd.take().length).toBeLessThan(25);
  gobgpd.problem = undefined;
  await clock.advance(5_000);
  expect(reconciler.view.problem).toBeUndefined();
});

test("a wake does not shorten a rest", async () => {
  await begin();
  gobgpd.problem = "Frozen";
  await clock.advance(30_000);
  gobgpd.take();
  for (let i = 0; i < 10; i++) await want(`192.0.2.${i}/32`);
  expect(gobgpd.take()).toEqual([]);
});

test("a call that goes wrong leaves what gobgpd holds in doubt: it is read again", async () => {
  await begin();
  gobgpd.take();
  gobgpd.problem = "Frozen";
  await want("192.0.2.11/32");
  gobgpd.problem = undefined;
  await clock.advance(100);
  expect(gobgpd.take()).toEqual(["AddRoutes", "read", "sessions", "AddRoutes", "DeleteRoutes"]);
  expect(counted.failed).toBe(1);
});

test("what is refused holds back nothing else, and is tried again more and more seldom", async () => {
  await begin();
  gobgpd.refuses = "UpdatePeer";
  wanted = { ...stateOf(["192.0.2.11/32"]), peers: new Map([[PEER.neighbor, { ...PEER, holdTime: 30 }]]) };
  reconciler.wake();
  await clock.advance(60_000);
  gobgpd.take();
  await clock.advance(60_000);
  const asked = gobgpd.take();
  expect(asked.filter((what) => what === "read").length).toBeLessThan(10);
  expect(asked.filter((what) => what === "sessions").length).toBeGreaterThan(10);
  expect(gobgpd.watched).toBe(1);
  expect(reconciler.view).toMatchObject({ problem: { kind: "Refused" }, sessions: [{ state: "Established" }] });
  wanted = { ...wanted, routes: stateOf(["192.0.2.12/32"]).routes };
  reconciler.wake();
  await clock.advance(600);
  expect([...gobgpd.state.routes.keys()]).toContain("192.0.2.12/32");
  gobgpd.refuses = undefined;
  await clock.advance(30_000);
  expect(gobgpd.state).toEqual(wanted);
  expect(reconciler.view.problem).toBeUndefined();
});

test("of what is refused the rest is told at once, and all that gobgpd holds is not read for each thing that is new", async () => {
  await begin();
  gobgpd.refuses = "UpdatePeer";
  wanted = { ...wanted, peers: new Map([[PEER.neighbor, { ...PEER, holdTime: 30 }]]) };
  reconciler.wake();
  await clock.advance(60_000);
  gobgpd.take();
  let reads = 0;
  for (let i = 0; i < 200; i++) {
    wanted = { ...wanted, routes: stateOf([`192.0.2.${i}/32`]).routes };
    reconciler.wake();
    await clock.advance(100);
    reads += gobgpd.take().filter((what) => what === "read").length;
  }
  expect(reads).toBeLessThanOrEqual(4); // one for each time that it is told again, in 20 s
  await clock.advance(500);
  expect([...gobgpd.state.routes.keys()]).toEqual(["192.0.2.199/32"]);
  expect(reconciler.view.problem).toMatchObject({ kind: "Refused" });
  wanted = { ...wanted, peers: stateOf([]).peers };
  reconciler.wake();
  await clock.advance(100);
  expect(reconciler.view.problem).toBeUndefined();
});

test("a gobgpd that is new is told what another one refused", async () => {
  await begin();
  gobgpd.refuses = "UpdatePeer";
  wanted = { ...wanted, peers: new Map([[PEER.neighbor, { ...PEER, holdTime: 30 }]]) };
  reconciler.wake();
  await clock.advance(60_000);
  gobgpd.kill();
  gobgpd.problem = undefined;
  await clock.advance(500);
  expect(gobgpd.state).toEqual(wanted);
});

test("where each new thing is refused, reading what gobgpd holds takes little of its time", async () => {
  await begin();
  const read = gobgpd.read.bind(gobgpd);
  gobgpd.read = async () => {
    await new Promise<void>((resolve) => clock.after(300, resolve));
    return await read();
  };
  gobgpd.refuses = "AddRoutes";
  gobgpd.take();
  for (let i = 0; i < 200; i++) {
    await want(`198.51.100.${i}/32`);
    await clock.advance(100);
  }
  const reads = gobgpd.take().filter((what) => what === "read").length;
  await clock.advance(300); // none is under way when it ends
  expect(reads).toBeLessThan(15); // in 20 s
});

test("what is refused and holds back the rest is told again soon after it is mended", async () => {
  await begin();
  gobgpd.refuses = "SetExports";
  wanted = { ...stateOf(["192.0.2.11/32"]), exports: { ...wanted.exports, nextHops: new Map([["192.0.2.1", {}]]) } };
  reconciler.wake();
  await clock.advance(60_000);
  expect([...gobgpd.state.routes.keys()]).toEqual(["192.0.2.10/32"]);
  wanted = stateOf(["192.0.2.12/32"]);
  reconciler.wake();
  await clock.advance(600);
  expect([...gobgpd.state.routes.keys()]).toEqual(["192.0.2.12/32"]);
});

const PASSIVE = wantedPeer({ neighbor: "192.0.2.2", localASN: 64512, passive: true });

function listening(): BGPState {
  const state = stateOf(["192.0.2.10/32"]);
  const global = { asn: 64512, routerID: "192.0.2.11", listens: true };
  return { ...state, global, peers: new Map([...state.peers, [PASSIVE.neighbor, PASSIVE]]) };
}

test("while its port is another's, gobgpd is told what needs no listener, and the rest when it is free", async () => {
  await begin();
  gobgpd.take();
  portTaken = true;
  wanted = listening();
  reconciler.wake();
  await clock.advance(300_000);
  expect(new Set(gobgpd.take())).toEqual(new Set(["read", "sessions"])); // no session began anew
  expect(reconciler.view).toMatchObject({ problem: undefined, cannotListen: expect.stringContaining("port 179") });
  portTaken = false;
  await clock.advance(31_000);
  expect(gobgpd.state).toEqual(wanted);
  expect(reconciler.view.cannotListen).toBeUndefined();
});

test("a gobgpd that can't listen is started without, and tries more and more seldom; another one tries at once", async () => {
  gobgpd.deaf = true;
  wanted = listening();
  await begin();
  expect(gobgpd.state).toMatchObject({ global: { listens: false }, peers: new Map([[PEER.neighbor, PEER]]) });
  expect(reconciler.view).toMatchObject({ problem: undefined, cannotListen: "no listener" });
  gobgpd.take();
  await clock.advance(3_600_000);
  const tries = gobgpd.take().filter((what) => what === "StopGlobal").length;
  expect(tries).toBeGreaterThan(2);
  expect(tries).toBeLessThan(8);
  gobgpd.deaf = false;
  gobgpd.kill();
  gobgpd.problem = undefined;
  await clock.advance(500);
  expect(gobgpd.state).toEqual(wanted);
  expect(reconciler.view.cannotListen).toBeUndefined();
});

test("sessions are read at their events, in groups, and now and then besides", async () => {
  await begin();
  gobgpd.take();
  await clock.advance(1_000);
  for (let i = 0; i < 5; i++) gobgpd.show("192.0.2.1", { state: "Idle", flaps: 1 });
  await clock.advance(50);
  expect(gobgpd.take()).toEqual(["sessions"]);
  for (let i = 0; i < 5; i++) gobgpd.show("192.0.2.1", { state: "Active", flaps: 1 });
  await clock.advance(100);
  expect(gobgpd.take()).toEqual(["sessions"]);
  expect(reconciler.view.sessions).toMatchObject([{ state: "Active" }]);
  await clock.advance(10_000);
  expect(gobgpd.take()).toEqual(Array(5).fill("sessions"));
});

test("a node without peers takes away what is left from before, once, and leaves gobgpd alone then", async () => {
  gobgpd.state = wanted;
  use = "Unused";
  wanted = { ...stateOf([]), global: undefined, peers: new Map() };
  await begin();
  expect(gobgpd.take()).toEqual(["read", "sessions", "StopGlobal"]);
  await clock.advance(120_000);
  expect(gobgpd.take()).toEqual([]);
  expect(gobgpd.watched).toBe(0);
  expect(reconciler.view.sessions).toEqual([]);
});

test("a node without peers needs no gobgpd", async () => {
  gobgpd.problem = "Away";
  use = "Unused";
  await begin();
  await clock.advance(60_000);
  expect(gobgpd.take()).toEqual(["read"]);
  expect(reconciler.view.problem).toBeUndefined();
});

test("it is settled when gobgpd holds what is wanted, and waits no longer than it is asked to", async () => {
  await begin();
  wanted = stateOf([]);
  let settled = false;
  void reconciler.settled(5_000).then(() => {
    settled = true;
  });
  await clock.advance(0);
  expect(settled).toBe(true);
  expect(gobgpd.state.routes.size).toBe(0);
  gobgpd.problem = "Frozen";
  wanted = stateOf(["192.0.2.1/32"]);
  settled = false;
  void reconciler.settled(5_000).then(() => {
    settled = true;
  });
  await clock.advance(4_900);
  expect(settled).toBe(false);
  await clock.advance(100);
  expect(settled).toBe(true);
});

test("a peer that somebody took away is back at the event of its session", async () => {
  await begin();
  await clock.advance(1_000);
  gobgpd.state = { ...gobgpd.state, peers: new Map() };
  gobgpd.show(PEER.neighbor, {});
  await clock.advance(100);
  expect(gobgpd.state).toEqual(wanted);
  expect(counted).toMatchObject({ found: 1, repaired: 1 });
});

test("BFD that does not come up is restarted, the session is not", async () => {
  const peer = { ...PEER, bfd: { transmitMs: 100, receiveMs: 100, detectMultiplier: 3 } };
  wanted = { ...stateOf([]), peers: new Map([[PEER.neighbor, peer]]) };
  gobgpd.state = wanted;
  gobgpd.shown.set(PEER.neighbor, { bfd: "Down" });
  await begin();
  gobgpd.take();
  await clock.advance(1_000);
  expect(gobgpd.take()).toEqual(["sessions", "sessions"]); // so that Init is seen in time
  gobgpd.show(PEER.neighbor, { bfd: "Init" });
  await clock.advance(100);
  gobgpd.take();
  await clock.advance(STUCK_MS);
  expect(gobgpd.take()).toEqual(["sessions", "UpdatePeer", "UpdatePeer"]);
  expect(gobgpd.state.peers.get(PEER.neighbor)).toEqual(peer);
  gobgpd.show(PEER.neighbor, { bfd: "Up" });
  await clock.advance(20_000);
  expect(new Set(gobgpd.take())).toEqual(new Set(["sessions"]));
});

test("its end touches nothing", async () => {
  await begin();
  gobgpd.take();
  stop.abort();
  await running;
  expect(gobgpd.take()).toEqual([]);
  expect(gobgpd.state).toEqual(wanted);
  expect(gobgpd.watched).toBe(0);
});

const PEER = wantedPeer({ localASN: 64512 });

function stateOf(prefixes: readonly string[]): BGPState {
  const attributes = { communities: [], largeCommunities: [], localPref: undefined, med: undefined };
  return {
    global: { asn: 64512, routerID: "192.0.2.11", listens: false },
    peers: new Map([[PEER.neighbor, PEER]]),
    routes: new Map(prefixes.map((prefix): [string, Route] => [prefix, { prefix, profile: undefined, ...attributes }])),
    exports: { profiles: new Map(), nextHops: new Map(), foreign: false },
    importsNothing: true,
  };
}
