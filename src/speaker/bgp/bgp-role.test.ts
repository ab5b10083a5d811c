import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { heldOn, nodeOf, peerOf, poolOf, secretOf } from "../../../test/unit/bgp-world.ts";
import { FakeClock } from "../../../test/unit/fake-clock.ts";
import { FakeGobgpd } from "../../../test/unit/fake-gobgpd.ts";
import { noLog } from "../../log.ts";
import { BGPRole, type BGPSnapshot } from "./bgp-role.ts";
import { createBGPMetrics } from "./metrics.ts";
import type { ProbeAnswer } from "./probe.ts";

const IP = "198.51.100.1";
const ROUTE = `${IP}/32`;
const GRACEFUL_SHUTDOWN = 0xffff_0000;
const DRAIN_MS = 30_000;

let clock: FakeClock;
let gobgpd: FakeGobgpd;
let role: BGPRole;
let news: string[];
let touched: number;
let answer: ProbeAnswer;
let portTaken: boolean;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  gobgpd = new FakeGobgpd();
  news = [];
  touched = 0;
  answer = { what: "Silent" };
  portTaken = false;
  stop = new AbortController();
  role = newRole();
});

afterEach(async () => {
  stop.abort();
  await running;
});

function newRole(): BGPRole {
  const made = new BGPRole({
    daemon: gobgpd,
    clock,
    random: () => 0,
    log: noLog,
    metrics: createBGPMetrics(new Registry()),
    drainDelayMs: DRAIN_MS,
    probe: async () => answer,
    isPortTaken: () => portTaken,
    touched: () => touched++,
    tell: ({ name, up, cause }) => news.push(`${name} ${up ? "up" : `down: ${cause}`}`),
  });
  running = made.run(stop.signal);
  return made;
}

interface Given {
  readonly peers?: BGPSnapshot["peers"];
  readonly secrets?: BGPSnapshot["secrets"];
  readonly secretsUnread?: string;
  readonly held?: readonly string[];
  readonly evacuating?: boolean;
  readonly recorded?: boolean;
  readonly interfaces?: BGPSnapshot["interfaces"];
}

async function api(given: Given = {}) {
  const { peers = [peerOf("a")], secrets = [], held = [IP], evacuating = false, recorded = false, interfaces } = given;
  const { secretsUnread } = given;
  const { node, interfaces: usual } = nodeOf("n1");
  role.setSnapshot({
    node: { ...node, unschedulable: false },
    peers,
    secrets,
    secretsUnread,
    pools: [poolOf("p", ["198.51.100.0/24", "2001:db8:1::/112"])],
    held: new Map(held.map((ip) => [ip, heldOn(["n1"])])),
    interfaces: interfaces ?? usual.map((one) => ({ ...one, mac: "", linkLocal: "", gateways: [] })),
    evacuating,
    recorded,
  });
  await clock.advance(1);
}

const routes = () => [...gobgpd.state.routes.keys()];
const condition = (type: string) => {
  const found = role.conditions.find((one) => one.type === type);
  return found && `${found.status} ${found.reason}`;
};

test("before the API is read nothing is touched, and nothing is shown", async () => {
  await clock.advance(60_000);
  expect(gobgpd.take()).toEqual([]);
  expect(role.status).toBeUndefined();
});

test("what the API says is announced, and shown", async () => {
  await api();
  expect(routes()).toEqual([ROUTE]);
  expect(role.status).toMatchObject({
    gobgpd: "Running",
    asn: 65000,
    sessions: "1/1",
    routes: 1,
    peers: [{ name: "a", address: "192.0.2.1", state: "Established", holdTime: "9s", keepaliveTime: "3s" }],
  });
  expect(role.conditions.map(({ status, reason }) => `${status} ${reason}`)).toEqual([
    "False Available",
    "False NoneRefused",
    "False AllEstablished",
    "False NoneMissing",
  ]);
});

test("a node that no BGPPeer ever selected touches no gobgpd, and shows nothing", async () => {
  await api({ peers: [] });
  await clock.advance(60_000);
  expect(role.status).toBeUndefined();
  expect(role.conditions).toEqual([]);
  expect(gobgpd.take()).toEqual([]);
});

test("what is left of peers that are gone is taken away, by the next run too", async () => {
  await api();
  await api({ peers: [] });
  expect(gobgpd.state.global).toBeUndefined();
  expect(role.status).toBeUndefined();
  gobgpd.state = { ...gobgpd.state, global: { asn: 65000, routerID: "192.0.2.11", listens: false } };
  stop.abort();
  await running;
  stop = new AbortController();
  role = newRole();
  await api({ peers: [], recorded: true });
  expect(gobgpd.state.global).toBeUndefined();
});

test("where gobgpd is not there, the condition says so, but not of a moment", async () => {
  gobgpd.problem = "Away";
  await api();
  expect(condition("GobgpUnavailable")).toBe("False Available");
  await clock.advance(3_000);
  expect(condition("GobgpUnavailable")).toBe("True Away");
  expect(role.status).toMatchObject({ gobgpd: "Away", sessions: "0/1", peers: [{ state: "Unknown" }] });
  gobgpd.problem = undefined;
  await clock.advance(1_000);
  expect(condition("GobgpUnavailable")).toBe("False Available");
  expect(role.status).toMatchObject({ gobgpd: "Running", sessions: "1/1" });
});

test("a session without its Secret stays closed, and one with it opens when it comes; another password opens it anew", async () => {
  const peers = [peerOf("a"), peerOf("b", { peerAddress: "192.0.2.2", passwordSecretRef: { name: "s", key: "k" } })];
  await api({ peers });
  expect([...gobgpd.state.peers.keys()]).toEqual(["192.0.2.1"]);
  expect(condition("PeerRefused")).toBe("True PasswordMissing");
  expect(role.status).toMatchObject({ sessions: "1/2", peers: [{}, { name: "b", asn: 65001, state: "Refused" }] });
  await api({ peers, secrets: [secretOf("s", { k: "one" })] });
  expect(gobgpd.state.peers.get("192.0.2.2")?.password).toBe("one");
  expect(condition("PeerRefused")).toBe("False NoneRefused");
  gobgpd.take();
  await api({ peers, secrets: [secretOf("s", { k: "two" })] });
  expect(gobgpd.take()).toContain("ReplacePeer");
  await api({ peers, secrets: [] });
  expect([...gobgpd.state.peers.keys()]).toEqual(["192.0.2.1"]);
});

test("while Secrets can't be read, a session that needs one stays closed and says why, and the others go on", async () => {
  const peers = [peerOf("a"), peerOf("b", { peerAddress: "192.0.2.2", passwordSecretRef: { name: "s", key: "k" } })];
  await api({ peers, secretsUnread: "Secrets of namespace herald can't be read: 403" });
  expect([...gobgpd.state.peers.keys()]).toEqual(["192.0.2.1"]);
  expect(condition("PeerRefused")).toBe("True SecretsUnreadable");
  const [a, b] = role.status?.peers ?? [];
  expect(a).toMatchObject({ state: "Established" });
  expect(b).toMatchObject({ state: "Refused", lastError: "Secrets of namespace herald can't be read: 403" });
  await api({ peers, secrets: [secretOf("s", { k: "one" })] });
  expect(gobgpd.state.peers.get("192.0.2.2")?.password).toBe("one");
  expect(condition("PeerRefused")).toBe("False NoneRefused");
});

test("while Secrets can't be read, a session that has its password goes on; one without is closed", async () => {
  const peers = [
    peerOf("a", { passwordSecretRef: { name: "s", key: "k" } }),
    peerOf("b", { peerAddress: "192.0.2.2" }),
  ];
  await api({ peers, secrets: [secretOf("s", { k: "one" })] });
  stop.abort();
  await running;
  stop = new AbortController();
  role = newRole();
  gobgpd.take();
  const unread = { secretsUnread: "Secrets of namespace herald can't be read: 403" };
  await api({ peers, ...unread });
  await clock.advance(60_000);
  expect(new Set(gobgpd.take())).toEqual(new Set(["read", "sessions"]));
  expect(role.status).toMatchObject({ sessions: "2/2" });
  expect(condition("PeerRefused")).toBe("False NoneRefused");
  const both = peers.map((peer) => ({ ...peer, spec: { ...peer.spec, passwordSecretRef: { name: "s", key: "k" } } }));
  await api({ peers: both, ...unread });
  expect([...gobgpd.state.peers.keys()]).toEqual(["192.0.2.1"]);
});

test("where something else has port 179, the peers that need it are refused, and no other", async () => {
  portTaken = true;
  const peers = [peerOf("a"), peerOf("b", { peerAddress: "192.0.2.2", passive: true })];
  await api({ peers });
  expect([...gobgpd.state.peers.keys()]).toEqual(["192.0.2.1"]);
  expect(routes()).toEqual([ROUTE]);
  expect(condition("PeerRefused")).toBe("True CannotListen");
  expect(condition("GobgpUnavailable")).toBe("False Available");
  expect(role.status?.peers[1]?.lastError).toContain("TCP port 179");
  await clock.advance(20_000);
  expect(news).toEqual([]);
  portTaken = false;
  await clock.advance(60_000);
  expect(role.status).toMatchObject({ sessions: "2/2" });
  expect(condition("PeerRefused")).toBe("False NoneRefused");
});

test("a next hop that is missing is told", async () => {
  const interfaces = [
    { name: "eth0", addresses: ["192.0.2.11/24"], defaultRoute: true, mac: "", linkLocal: "", gateways: [] },
  ];
  await api({ interfaces });
  expect(condition("NextHopMissing")).toBe("True NoAddress");
  expect(role.status?.peers[0]?.lastError).toContain("IPv6 routes are not sent");
});

test("why a session does not come up is asked for and told within 10 s", async () => {
  gobgpd.shown.set("192.0.2.1", { state: "Active", establishedAtMs: undefined });
  answer = { what: "Opened", asn: 65002 };
  await api();
  await clock.advance(10_000);
  expect(role.status).toMatchObject({ sessions: "0/1", peers: [{ state: "Active" }] });
  expect(role.status?.peers[0]?.lastError).toContain("wrong AS: the peer says it is AS 65002");
  expect(condition("SessionDown")).toBe("True NotEstablished");
  expect(news).toEqual([expect.stringContaining("a down: wrong AS")]);
});

test("sessions that come up and go down are news, with the cause", async () => {
  gobgpd.shown.set("192.0.2.1", { state: "Active", establishedAtMs: undefined });
  await api();
  gobgpd.show("192.0.2.1", { state: "Established" });
  await clock.advance(200);
  gobgpd.show("192.0.2.1", { state: "Idle", flaps: 1, notificationsSent: 1 });
  await clock.advance(200);
  expect(news).toEqual(["a up", "a down: hold timer expired: nothing was heard from the peer for 9 s"]);
});

test("a session that was up before the speaker began is no news", async () => {
  await api();
  await clock.advance(10_000);
  expect(news).toEqual([]);
});

test("counts alone are shown every 30 s", async () => {
  await api();
  await clock.advance(1_000);
  const before = touched;
  for (let second = 0; second < 60; second++) {
    gobgpd.shown.set("192.0.2.1", { advertised: second });
    await clock.advance(1_000);
  }
  expect(touched - before).toBe(2);
});

test("a node that does not forward withdraws, and its sessions stay", async () => {
  await api();
  role.setNotForwarding(true);
  await clock.advance(1);
  expect(routes()).toEqual([]);
  expect(role.status).toMatchObject({ withdrawn: "NotForwarding", sessions: "1/1" });
  role.setNotForwarding(false);
  await clock.advance(1);
  expect(routes()).toEqual([ROUTE]);
});

test("a node that is evacuated says so first, then withdraws, and announces again when the label goes", async () => {
  await api();
  await api({ evacuating: true });
  expect(gobgpd.state.routes.get(ROUTE)).toMatchObject({ communities: [GRACEFUL_SHUTDOWN], localPref: 0 });
  await api({ evacuating: true, held: [IP, "198.51.100.2"] });
  expect(routes()).toEqual([ROUTE]);
  await clock.advance(DRAIN_MS - 1_000);
  expect(routes()).toEqual([ROUTE]);
  await clock.advance(1_000);
  expect(routes()).toEqual([]);
  expect(role.status).toMatchObject({ withdrawn: "Evacuated", sessions: "1/1" });
  await api();
  expect(gobgpd.state.routes.get(ROUTE)?.communities).toEqual([]);
});

test("a speaker that comes back to a node which was evacuated announces nothing", async () => {
  await api({ evacuating: true });
  await clock.advance(1_000);
  expect(gobgpd.take()).not.toContain("AddRoutes");
  expect(routes()).toEqual([]);
});

test("a speaker that ends to be back touches nothing", async () => {
  await api();
  gobgpd.take();
  await role.leave("Restart");
  stop.abort();
  await running;
  expect(gobgpd.take()).toEqual([]);
  expect(routes()).toEqual([ROUTE]);
});

test("one that hands over says so, waits, withdraws, and closes its sessions", async () => {
  await api();
  gobgpd.take();
  let left = false;
  void role.leave("HandOver").then(() => {
    left = true;
  });
  await clock.advance(1);
  expect(gobgpd.state.routes.get(ROUTE)?.communities).toEqual([GRACEFUL_SHUTDOWN]);
  await clock.advance(DRAIN_MS - 1_000);
  expect(left).toBe(false);
  await clock.advance(3_000);
  expect(left).toBe(true);
  const told = gobgpd.take().filter((what) => what !== "read" && what !== "sessions");
  expect(told).toEqual(["AddRoutes", "DeleteRoutes", "StopGlobal"]);
});

test("where nothing is announced, nothing has to be waited for", async () => {
  await api({ held: [] });
  let left = false;
  void role.leave("HandOver").then(() => {
    left = true;
  });
  await clock.advance(2_000);
  expect(left).toBe(true);
  expect(gobgpd.state.global).toBeUndefined();
});

test("it hands over in time though gobgpd does not answer", async () => {
  await api();
  gobgpd.problem = "Frozen";
  let left = false;
  void role.leave("HandOver").then(() => {
    left = true;
  });
  await clock.advance(DRAIN_MS + 12_000);
  expect(left).toBe(true);
});
