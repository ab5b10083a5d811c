import { setTimeout as sleep } from "node:timers/promises";
import type { ApiObject } from "./api.ts";
import { bfdUp, sessionsUp } from "./bgp-sessions.ts";
import type { Lab } from "./lab.ts";
import { NODE_NAMES, type NodeName, nodePlan } from "./plan.ts";
import { BIRD_AS, FRR_AS, NODE_AS } from "./router-config.ts";
import type { Router } from "./routers.ts";
import { spread } from "./spread.ts";
import type { Teller } from "./teller.ts";
import { ms } from "./text.ts";

const IP = "172.22.0.2";
const PREFIX = `${IP}/32`;
const CONNECTIONS = 300;
/** Enough for one of them at least to be sent over any node, in all but one of 1 600 cases. */
const PROBES = 18;
const BFD = { transmitInterval: "100ms", receiveInterval: "100ms", detectMultiplier: 3 };

/** What the story's BGP part measured; times are milliseconds. */
export interface BGPFigures {
  /** From the BGPPeers being there to all sessions being established. */
  bgpSessionsMs?: number;
  /** From the Service being there to its routes over all nodes, by router. */
  bgpRoutedMs?: Record<string, number>;
  /** The fewest connections that one node got, by router. */
  bgpLeastShare?: Record<string, number>;
  bgpOutageMs?: Record<string, number>;
}

/** Tells how a Service is announced to FRR and BIRD; two pods of app=demo run on `podNodes`, none on `other`. */
export async function tellBGPStory(
  lab: Lab,
  tell: Teller,
  figures: BGPFigures,
  other: NodeName,
  podNodes: readonly NodeName[],
): Promise<void> {
  await openSessions(lab, tell, figures);
  await announce(lab, tell, figures);
  await connect(lab, tell, figures);
  await loseNode(lab, tell, figures, other);
  await goLocal(lab, tell, podNodes);
}

async function openSessions(lab: Lab, tell: Teller, figures: BGPFigures): Promise<void> {
  tell.step("two BGPPeers: each node opens a session with FRR (AS 64512) and with BIRD (AS 64514), with BFD at 100 ms");
  const begun = performance.now();
  const asns: Readonly<Record<string, number>> = { rtr: FRR_AS, bird: BIRD_AS };
  for (const { plan } of lab.routers) {
    const spec = { myASN: NODE_AS, peerASN: asns[plan.name], peerAddress: plan.data.addresses.ipv4, bfd: BFD };
    await lab.api.create("/apis/heraldlb.io/v1alpha1/bgppeers", object("BGPPeer", plan.name, { spec }));
  }
  await sessionsUp(lab, lab.routers.length);
  figures.bgpSessionsMs = performance.now() - begun;
  tell.done(`all six are established after ${ms(figures.bgpSessionsMs)}; each node's Speaker says so`);
}

async function announce(lab: Lab, tell: Teller, figures: BGPFigures): Promise<void> {
  tell.step(`an IPPool that is announced by BGP, and a Service that asks for ${IP} of it`);
  const spec = { addresses: ["172.22.0.2-172.22.0.10"], autoAssign: false, announce: [{ bgp: {} }] };
  await lab.api.create("/apis/heraldlb.io/v1alpha1/ippools", object("IPPool", "bgp", { spec }));
  const begun = performance.now();
  await lab.api.create("/api/v1/namespaces/default/services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "demo-bgp", annotations: { "heraldlb.io/pool": "bgp", "heraldlb.io/ips": IP } },
    spec: {
      type: "LoadBalancer",
      loadBalancerClass: "heraldlb.io/herald",
      selector: { app: "demo" },
      ports: ["TCP", "UDP"].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 80, targetPort: 8080 })),
    },
  });
  const times = await Promise.all(
    lab.routers.map(async (router) => {
      await router.routed(PREFIX, hops(NODE_NAMES));
      return [router.software, performance.now() - begun] as const;
    }),
  );
  figures.bgpRoutedMs = Object.fromEntries(times);
  for (const [software, time] of times) tell.say(`${software}'s kernel has it after ${ms(time)}`);
  for (const { plan } of lab.routers) tell.say((await route(lab, plan.name)).join(" "));
  tell.done("both routers have it over all three nodes (ECMP)");
}

async function connect(lab: Lab, tell: Teller, figures: BGPFigures): Promise<void> {
  tell.step(`the clients behind the routers open ${CONNECTIONS} connections each`);
  const least: Record<string, number> = {};
  for (const router of lab.routers) {
    await untilReached(lab, router);
    const seen = await spread(lab, router.plan.client, IP, CONNECTIONS);
    const text = (counts: Readonly<Record<string, number>>) =>
      Object.entries(counts)
        .map(([name, count]) => `${name} ${count}`)
        .sort()
        .join(", ");
    tell.say(`behind ${router.software}: sent over ${text(seen.nodes)}; answered by ${text(seen.pods)}`);
    if (Object.keys(seen.nodes).length < NODE_NAMES.length || Object.keys(seen.pods).length < 2)
      throw new Error("they should be spread over all nodes and both pods");
    least[router.software] = Math.min(...Object.values(seen.nodes));
  }
  figures.bgpLeastShare = least;
  tell.done("spread over all nodes and both pods, and all were answered");
}

async function loseNode(lab: Lab, tell: Teller, figures: BGPFigures, node: NodeName): Promise<void> {
  await bfdUp(lab, [node]);
  tell.step(`${node} loses its power, while the clients behind the routers send UDP over all nodes`);
  const probes = await Promise.all(
    lab.routers.flatMap(({ plan, software }) =>
      Array.from({ length: PROBES }, async () => ({
        software,
        probe: await lab.udpProbe({ ip: IP, port: 80, intervalUs: 5000 }, plan.client),
      })),
    ),
  );
  await sleep(300);
  await lab.faults.powerOff(node);
  await Promise.all(lab.routers.map((router) => router.routed(PREFIX, hops(NODE_NAMES.filter((one) => one !== node)))));
  await sleep(300);
  const outages: Record<string, number> = {};
  const reports = await Promise.all(probes.map(async ({ software, probe }) => ({ software, ...(await probe.stop()) })));
  for (const { software, longestOutageMs } of reports)
    outages[software] = Math.max(outages[software] ?? 0, longestOutageMs);
  figures.bgpOutageMs = outages;
  for (const [software, outage] of Object.entries(outages))
    tell.say(`behind ${software} the connections over ${node} were out for ${ms(outage)} at most`);
  await lab.faults.powerOn(node);
  await lab.faults.nodeReady(node);
  await Promise.all(lab.routers.map((router) => router.routed(PREFIX, hops(NODE_NAMES), 30_000)));
  tell.done(`BFD found it dead; ${node} has its power back, and both routers use it again`);
}

async function goLocal(lab: Lab, tell: Teller, podNodes: readonly NodeName[]): Promise<void> {
  tell.step("kubectl patch service demo-bgp: externalTrafficPolicy Local");
  await lab.api.patch("/api/v1/namespaces/default/services/demo-bgp", { spec: { externalTrafficPolicy: "Local" } });
  await Promise.all(lab.routers.map((router) => router.routed(PREFIX, hops(podNodes))));
  for (const router of lab.routers) {
    const { ipv4 } = router.plan.behind.client;
    await untilReached(lab, router, (source) => source === ipv4);
    const seen = await spread(lab, router.plan.client, IP, 60);
    if (seen.sources.join() !== ipv4) throw new Error(`the pods saw ${seen.sources.join(", ")}, not ${ipv4}`);
    tell.say(`behind ${router.software}: the pods see the client's own address, ${ipv4}`);
  }
  tell.done(`only the nodes with a pod, ${podNodes.join(" and ")}, are routed to`);
}

/** Waits until a new Service's connections are answered: node proxies write their rules one by one. */
async function untilReached(lab: Lab, router: Router, accept: (source: string) => boolean = () => true): Promise<void> {
  for (const deadline = performance.now() + 15_000; performance.now() < deadline; ) {
    const answers = await lab.ask("tcp", { ip: IP, port: 80, count: 30, timeoutMs: 200 }, router.plan.client);
    if (answers.every((answer) => "source" in answer && accept(answer.source))) return;
  }
  throw new Error(`not all nodes answer at ${IP} behind ${router.software} after 15 s`);
}

/** What the kernel of a router says of the route. */
async function route(lab: Lab, router: Router["plan"]["name"]): Promise<string[]> {
  const text = await lab.exec(router, ["ip", "route", "show", PREFIX]);
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim());
}

function hops(nodes: readonly NodeName[]): string[] {
  return nodes.map((node) => nodePlan(node).data.addresses.ipv4);
}

function object(kind: string, name: string, rest: object): ApiObject {
  return { apiVersion: "heraldlb.io/v1alpha1", kind, metadata: { name }, ...rest };
}
