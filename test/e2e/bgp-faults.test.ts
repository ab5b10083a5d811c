import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bfdUp, sessionsUp, untilSpeaker } from "../lab/bgp-sessions.ts";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import type { RouteChange } from "../lab/route-table.ts";
import {
  apply,
  bgpService,
  bothRouters,
  hops,
  NO_NEWS,
  newsOf,
  pathFrom,
  peersWith,
  prefixOf,
  probing,
  QUICK,
  reachableBehind,
  routedTo,
  startBGP,
} from "./bgp-product.ts";
import { IPV6_ONLY, macOf, ownerOf } from "./product.ts";

/** What becomes of routes and traffic when a part of it all dies, hangs, is meddled with, or is taken away on purpose. */

const IP = "172.22.0.2";
const IP6 = "2001:db8:ffff::2";
/** Announced by n1 and n2 alone. */
const LOCAL_IP = "172.22.0.3";
const DRAIN_DELAY_S = 5;
/** On the segment itself: by layer 2 from n3 where it can, and by BGP from all. */
const BOTH_IP = "192.0.2.230";
const BOTH_POOL = JSON.stringify({
  apiVersion: "heraldlb.io/v1alpha1",
  kind: "IPPool",
  metadata: { name: "both" },
  spec: {
    addresses: [`${BOTH_IP}/32`],
    autoAssign: false,
    announce: [
      { layer2: { preferredNodes: [{ weight: 1, selector: { matchLabels: { "kubernetes.io/hostname": "n3" } } }] } },
      { bgp: {} },
    ],
  },
});

let lab: Lab;
beforeAll(async () => {
  const { frr, bird } = peersWith(QUICK);
  const gracefulRestart = { restartTime: "60s" }; // longer than an upgrade takes on a busy machine
  lab = await startBGP({
    nodeGraceMs: 40_000,
    speakerFlags: ["--drain-delay", `${DRAIN_DELAY_S}s`],
    routers: { bfdMultiplier: QUICK },
    peers: { frr: { ...frr, gracefulRestart }, bird: { ...bird, gracefulRestart } },
  });
  await apply(
    lab,
    BOTH_POOL,
    bgpService("both", { pool: "both", ips: BOTH_IP }),
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
    routedTo(lab, BOTH_IP, NODE_NAMES, timeoutMs),
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

test("the Pods are upgraded one after the other: FRR keeps every route, and nothing is lost", async () => {
  const [frr] = bothRouters(lab);
  const before = frr.table.changes.length;
  const mark = await frr.mark();
  const lost = await probing(lab, IP, async () => {
    for (const node of NODE_NAMES) {
      await lab.herald.speaker(node).stop("SIGTERM");
      // What its container does when it is asked to end: see config/speaker.
      await lab.herald.gobgpd(node).stop("SIGKILL");
      await sleep(1000);
      await lab.herald.gobgpd(node).start();
      await lab.herald.speaker(node).start();
      await lab.speakerReady(node);
      await sessionsUp(lab, 2, [node]);
      await allRouted();
    }
  });
  const changes = frr.table.changes.slice(before);
  // FRR replaces an IPv6 route by deleting it, and adding it in the same moment.
  const replaced = ({ at, prefix }: RouteChange, next: RouteChange | undefined) =>
    next?.prefix === prefix && next.at - at < 10;
  const gone = changes.filter((change, index) =>
    change.via === undefined
      ? !replaced(change, changes[index + 1])
      : change.via.length !== (change.prefix === prefixOf(LOCAL_IP) ? 2 : 3),
  );
  expect(gone, "FRR's kernel routes").toEqual([]);
  expect((await frr.newsSince(mark)).withdrawn).toEqual([]);
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
  readonly node: NodeName;
  readonly what: string;
  /** Of the gobgp command; its neighbour is FRR. */
  readonly commands: readonly string[];
}

/** FRR's kernel loses the node's route to IP first, so that its return means something. */
async function hits({ node, commands }: Meddling): Promise<void> {
  const { table } = bothRouters(lab)[0];
  const [hop = ""] = hops([node]);
  const seen = table.changes.length;
  for (const command of commands) await lab.herald.gobgp(node, ...command.split(" "));
  await table.until(
    `FRR notices what was done to ${node}`,
    () => table.changes.slice(seen).some(({ prefix, via = [] }) => prefix === prefixOf(IP) && !via.includes(hop)),
    () => [...table.routes],
  );
}

const SESSION_MEDDLINGS: readonly Meddling[] = [
  { node: "n1", what: "deletes a peer", commands: ["neighbor del 192.0.2.1"] },
  { node: "n2", what: "shuts a session down", commands: ["neighbor 192.0.2.1 shutdown"] },
  { node: "n3", what: "disables a session", commands: ["neighbor 192.0.2.1 disable"] },
];

test(`on each node somebody else ${namesOf(SESSION_MEDDLINGS)}: right again`, async () => {
  await Promise.all(SESSION_MEDDLINGS.map(hits));
  await Promise.all([allRouted(60_000), sessionsUp(lab, 2)]);
});

/** Found by the comparison that comes every 30 s. */
const MEDDLINGS: readonly Meddling[] = [
  {
    node: "n1",
    what: "deletes every route and lets everything out",
    commands: ["global rib del all", "global policy export set default accept"],
  },
  {
    node: "n2",
    what: "deletes a route and lets peers' routes in",
    commands: [`global rib del ${IP}/32`, "global policy import set default accept"],
  },
  {
    node: "n3",
    what: "gives a route a community and adds a route of somebody else's",
    commands: [`global rib add ${IP}/32 community 65000:666`, "global rib add 203.0.113.7/32"],
  },
];

test(`on each node somebody else ${namesOf(MEDDLINGS)}: each is counted, and right again`, async () => {
  const policiesOf = (node: NodeName) => lab.herald.gobgp(node, "global", "policy");
  await Promise.all(
    MEDDLINGS.map(async (meddling) => {
      const { node, commands } = meddling;
      const [policies, repaired] = await Promise.all([policiesOf(node), repairsOf(node)]);
      expect(policies.match(/Default: .*/g)).toEqual(Array(2).fill("Default: ROUTE_ACTION_REJECT"));
      if (node === "n3") for (const command of commands) await lab.herald.gobgp(node, ...command.split(" "));
      else await hits(meddling);
      await expect
        .poll(() => repairsOf(node), { timeout: 60_000, interval: 1000 })
        .toBeGreaterThanOrEqual(repaired + commands.length);
      expect(await policiesOf(node)).toEqual(policies);
    }),
  );
  await Promise.all([allRouted(30_000), sessionsUp(lab, 2)]);
  for (const router of lab.routers) {
    for (const node of NODE_NAMES)
      await expect.poll(async () => (await pathFrom(router, node, IP))?.communities, { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => router.paths("203.0.113.7/32"), { timeout: 10_000 }).toEqual([]);
  }
});

function namesOf(meddlings: readonly Meddling[]): string {
  return meddlings.map(({ what }) => what).join(", ");
}

/** How much of what others did to a node's gobgpd its speaker has put right since it started. */
async function repairsOf(node: NodeName): Promise<number> {
  const metrics = await lab.statusPage(node, "/metrics");
  return Number(/^herald_bgp_drift_repaired_total (\d+)/m.exec(metrics)?.[1]);
}

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
  // What it had put into the kernel before may still be there.
  const established = async () =>
    (await router.sessions()).filter((session) => session.established).map(({ address }) => address);
  await expect.poll(async () => (await established()).sort(), { timeout: 30_000 }).toEqual(hops(NODE_NAMES));
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

test("a node loses its power: BFD takes its routes away, another answers for its addresses, and it is back with both", async () => {
  await routedTo(lab, BOTH_IP, NODE_NAMES);
  expect(await ownerOf(lab, BOTH_IP)).toBe("n3");
  const both = await Promise.all(
    (["client", "c2", "c3"] as const).map(async (from) => ({
      from,
      probe: await lab.udpProbe({ ip: BOTH_IP, port: 80 }, from),
    })),
  );
  expect(await lab.neighbour(BOTH_IP)).toBe(macOf("n3"));
  const lost = await probing(lab, IP, async () => {
    await sleep(500);
    await lab.faults.powerOff("n3");
    await Promise.all([IP, BOTH_IP].map((ip) => routedTo(lab, ip, ["n1", "n2"])));
    await expect.poll(() => lab.neighbour(BOTH_IP)).not.toBe(macOf("n3"));
    await sleep(500);
  });
  const outages = lost.map(({ software, longestOutageMs }) => ({ who: `behind ${software}`, longestOutageMs }));
  for (const { from, probe } of both) {
    const { longestOutageMs, answered, sent } = await probe.stop();
    expect(answered, from).toBeGreaterThan(sent / 2);
    outages.push({ who: `${from}, of both ways`, longestOutageMs });
  }
  for (const { who, longestOutageMs } of outages) {
    console.info(`${who}: outage ${longestOutageMs.toFixed(0)} ms`);
    expect(longestOutageMs, who).toBeLessThan(1500);
  }
  const back = await probing(lab, IP, async () => {
    await lab.faults.powerOn("n3");
    await lab.faults.nodeReady("n3");
    await lab.speakerReady("n3");
    await allRouted(30_000);
    await bfdUp(lab, ["n3"]);
  });
  expect(back.map((one) => one.lost)).toEqual([0, 0]);
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
