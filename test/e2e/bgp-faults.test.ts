import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import {
  apply,
  bgpService,
  bothRouters,
  hops,
  NO_NEWS,
  newsOf,
  PEERS,
  pathFrom,
  prefixOf,
  probing,
  reachableBehind,
  routedTo,
  sessionsUp,
  startBGP,
  untilSpeaker,
} from "./bgp-product.ts";
import { IPV6_ONLY } from "./product.ts";

/** What becomes of routes and traffic when a part of it all dies, hangs, is meddled with, or is taken away on purpose. */

const IP = "172.22.0.2";
const IP6 = "2001:db8:ffff::2";
/** Announced by n1 and n2 alone. */
const LOCAL_IP = "172.22.0.3";
const DRAIN_DELAY_S = 5;

let lab: Lab;
beforeAll(async () => {
  const gracefulRestart = { restartTime: "20s" };
  lab = await startBGP({
    nodeGraceMs: 40_000,
    speakerFlags: ["--drain-delay", `${DRAIN_DELAY_S}s`],
    peers: { frr: { ...PEERS.frr, gracefulRestart }, bird: { ...PEERS.bird, gracefulRestart } },
  });
  await apply(
    lab,
    bgpService("web", { ips: IP }),
    bgpService("web6", { ips: IP6 }, IPV6_ONLY),
    bgpService("local", { ips: LOCAL_IP }, { externalTrafficPolicy: "Local" }),
  );
  await allRouted();
  for (const ip of [IP, IP6, LOCAL_IP]) await reachableBehind(lab, ip, ["demo-n1", "demo-n2"]);
});
afterAll(() => lab?.stop());

async function allRouted(timeoutMs?: number): Promise<void> {
  await Promise.all([
    routedTo(lab, IP, NODE_NAMES, timeoutMs),
    routedTo(lab, IP6, NODE_NAMES, timeoutMs),
    routedTo(lab, LOCAL_IP, ["n1", "n2"], timeoutMs),
  ]);
}

/** Runs `act` with probes; gives what was lost, and what the routers' logs and kernels noticed. */
async function noticed(act: () => Promise<unknown>) {
  const before = lab.routers.map(({ table }) => table.changes.length);
  let lost: Awaited<ReturnType<typeof probing>> = [];
  const news = await newsOf(lab, async () => {
    lost = await probing(lab, IP, act);
  });
  const changes = lab.routers.map(({ table }, index) => table.changes.slice(before[index]));
  return { news, changes, lost: lost.map((one) => one.lost) };
}

const NOTHING = { news: NO_NEWS, changes: [[], []], lost: [0, 0] };

test.each(["SIGKILL", "SIGTERM"] as const)(
  "%s to every speaker, each back after 1 s: no router notices",
  async (signal) => {
    const seen = await noticed(async () => {
      await Promise.all(
        NODE_NAMES.map(async (node) => {
          await lab.herald.speaker(node).stop(signal);
          await sleep(1000);
          await lab.herald.speaker(node).start();
          await lab.speakerReady(node);
        }),
      );
      await sessionsUp(lab, 2);
      await sleep(2000); // time for what a fresh speaker would do wrong
    });
    expect(seen).toEqual(NOTHING);
  },
);

test("gobgpd is killed and starts again: FRR keeps every route, and nothing is lost", async () => {
  const [frr] = bothRouters(lab);
  const before = frr.table.changes.length;
  const lost = await probing(lab, IP, async () => {
    await lab.herald.gobgpd("n1").stop("SIGKILL");
    await sleep(1000);
    await lab.herald.gobgpd("n1").start();
    await sessionsUp(lab, 2, ["n1"]);
    await allRouted();
    await sleep(2000);
  });
  const gone = frr.table.changes
    .slice(before)
    .filter(({ prefix, via }) => prefix === prefixOf(IP) && via?.length !== 3);
  expect(gone, "FRR's kernel routes").toEqual([]);
  expect(lost.map((one) => one.lost)).toEqual([0, 0]);
});

test("gobgpd hangs: BFD takes its routes away, its Speaker says so, the rest goes on; and it comes back", async () => {
  lab.herald.gobgpd("n1").signal("SIGSTOP");
  try {
    await routedTo(lab, IP, ["n2", "n3"]);
    await untilSpeaker(lab, "n1", "gobgpd hangs", (bgp) => bgp?.gobgpd === "Frozen");
    await apply(lab, bgpService("meanwhile", { ips: "172.22.0.4" }));
    await routedTo(lab, "172.22.0.4", ["n2", "n3"]);
  } finally {
    lab.herald.gobgpd("n1").signal("SIGCONT");
  }
  await routedTo(lab, "172.22.0.4", NODE_NAMES, 30_000);
  await allRouted();
  await untilSpeaker(lab, "n1", "gobgpd is back", (bgp) => bgp?.gobgpd === "Running" && bgp.sessions === "2/2");
  await lab.kubectl(["delete", "service", "meanwhile"]);
});

interface Meddling {
  readonly what: string;
  /** Of the gobgp command. */
  readonly command: string;
  /** Whether a route is to disappear first, so that its return means something. */
  readonly hits: boolean;
}
const MEDDLINGS: readonly Meddling[] = [
  { what: "deletes every route", command: "global rib del all", hits: true },
  { what: "deletes a route", command: `global rib del ${IP}/32`, hits: true },
  { what: "deletes a peer", command: "neighbor del 192.0.2.1", hits: true },
  { what: "shuts a session down", command: "neighbor 192.0.2.1 shutdown", hits: true },
  { what: "disables a session", command: "neighbor 192.0.2.1 disable", hits: true },
  { what: "gives a route a community", command: `global rib add ${IP}/32 community 65000:666`, hits: false },
  { what: "adds a route of somebody else's", command: "global rib add 203.0.113.7/32", hits: false },
  { what: "lets everything out", command: "global policy export set default accept", hits: false },
  { what: "lets peers' routes in", command: "global policy import set default accept", hits: false },
];

test.each(MEDDLINGS)("somebody $what: right again", { timeout: 90_000 }, async ({ command, hits }) => {
  const [frr] = bothRouters(lab);
  const seen = frr.table.changes.length;
  const policies = () => lab.herald.gobgp("n1", "global", "policy");
  const before = await policies();
  await lab.herald.gobgp("n1", ...command.split(" "));
  if (hits)
    await frr.table.until(
      "FRR notices",
      () => frr.table.changes.slice(seen).some(({ via = [] }) => !via.includes("192.0.2.11")),
      () => [...frr.table.routes],
    );
  await allRouted(60_000);
  for (const router of lab.routers) {
    await expect.poll(async () => (await pathFrom(router, "n1", IP))?.communities, { timeout: 60_000 }).toEqual([]);
    await expect.poll(() => router.paths("203.0.113.7/32"), { timeout: 60_000 }).toEqual([]);
  }
  await expect.poll(policies, { timeout: 60_000 }).toEqual(before);
  await sessionsUp(lab, 2, ["n1"]);
});

test("somebody stops BGP: gobgpd can't start it again, which the Speaker says; restarted, it is right again", async () => {
  await lab.herald.gobgp("n1", "global", "del", "all");
  await routedTo(lab, IP, ["n2", "n3"], 30_000);
  await untilSpeaker(lab, "n1", "gobgpd takes nothing", (bgp) => bgp !== undefined && bgp.gobgpd !== "Running");
  await lab.herald.gobgpd("n1").restart("SIGKILL");
  await allRouted(30_000);
});

test.each([
  ["FRR", 0],
  ["BIRD", 1],
] as const)("%s dies and comes back: it has every route again", async (_, index) => {
  const router = bothRouters(lab)[index];
  await router.restart();
  await router.routed(prefixOf(IP), hops(NODE_NAMES), 30_000);
  await router.routed(prefixOf(IP6), hops(NODE_NAMES, "ipv6"), 30_000);
  await sessionsUp(lab, 2);
});

test("a node is drained: routers hear GRACEFUL_SHUTDOWN, later the routes go, and no datagram is lost", async () => {
  const node: NodeName = "n1";
  const [frr, bird] = bothRouters(lab);
  const lost = await probing(lab, IP, async () => {
    await sleep(500);
    await lab.faults.evacuate(node, true);
    for (const router of [frr, bird])
      await expect
        .poll(async () => (await pathFrom(router, node, IP))?.communities, { timeout: 5000 })
        .toContain("65535:0");
    await routedTo(lab, IP, ["n2", "n3"]);
    // Its own route is still there for whoever has no other.
    await sleep((DRAIN_DELAY_S * 1000) / 2);
    expect(await pathFrom(frr, node, IP)).toBeDefined();
    for (const router of [frr, bird])
      await expect.poll(() => pathFrom(router, node, IP), { timeout: DRAIN_DELAY_S * 1000 + 5000 }).toBeUndefined();
  });
  expect(lost.map((one) => one.lost)).toEqual([0, 0]);
  await lab.faults.evacuate(node, false);
  await allRouted(30_000);
});

test("a node loses its power: BFD takes its routes away, and it is back with them", async () => {
  const lost = await probing(lab, IP, async () => {
    await sleep(500);
    await lab.faults.powerOff("n3");
    await routedTo(lab, IP, ["n1", "n2"]);
    await sleep(500);
  });
  for (const { software, longestOutageMs } of lost) {
    console.info(`${software}: outage ${longestOutageMs.toFixed(0)} ms`);
    expect(longestOutageMs, software).toBeLessThan(1500);
  }
  await lab.faults.powerOn("n3");
  await lab.faults.nodeReady("n3");
  await lab.speakerReady("n3");
  await sessionsUp(lab, 2, ["n3"]);
  await allRouted(30_000);
});

/** Last: after it kube-controller-manager takes up to 30 s to look again. */
test("with the API server away the speakers go on, and one that starts meanwhile takes nothing away", async () => {
  const seen = await noticed(async () => {
    await lab.controlPlane.stopApiServer("SIGKILL");
    await lab.herald.speaker("n1").restart("SIGKILL");
    await sleep(5000);
    await lab.controlPlane.startApiServer();
    await lab.speakerReady("n1");
    await sleep(2000);
  });
  expect(seen).toEqual(NOTHING);
});

test("with the API server away a gobgpd that was killed is right again", async () => {
  await lab.controlPlane.stopApiServer("SIGKILL");
  await lab.herald.gobgpd("n1").restart("SIGKILL");
  const [frr] = bothRouters(lab);
  await expect.poll(async () => (await frr.paths(prefixOf(IP)))?.length, { timeout: 15_000 }).toBe(3);
  await allRouted();
  await lab.controlPlane.startApiServer();
  await heartbeats();
});

/** Waits until the nodes are Ready for the API server again. */
async function heartbeats(): Promise<void> {
  for (const node of NODE_NAMES) await lab.faults.nodeReady(node);
}
