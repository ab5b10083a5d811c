import { setTimeout as sleep } from "node:timers/promises";
import {
  apply,
  bgpService,
  PEERS,
  peersWith,
  QUICK,
  reachableBehind,
  routedTo,
  startBGP,
} from "../../e2e/bgp-product.ts";
import { bfdUp, sessionsUp } from "../../lab/bgp-sessions.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName, nodePlan } from "../../lab/plan.ts";
import type { Probe, UdpReport } from "../../lab/probe.ts";
import type { Router } from "../../lab/routers.ts";
import type { Row, Stage } from "../failover/row.ts";

const IP = "172.22.0.2";
const BFD_BAR_MS = 500;
const HOLD_TIME_MS = 9000;
const HOLD_TIME_BAR_MS = HOLD_TIME_MS + 1000;

/** A client behind each router sends over a node that loses its power: how long until it is sent over another. */
export const POWER_OFFS: readonly Row[] = [
  {
    name: "bfd",
    size: 20,
    start: () => startWithPods(() => startBGP({ routers: { bfdMultiplier: QUICK }, peers: peersWith(QUICK) })),
    measure: (stage) => powerOffs(stage, { bar: BFD_BAR_MS, afterMs: 1500 }),
  },
  {
    name: "hold-time",
    // Each takes the hold time, and shows the same.
    size: 4,
    start: () => startWithPods(startWithoutBFD),
    measure: (stage) => powerOffs(stage, { bar: HOLD_TIME_BAR_MS, afterMs: HOLD_TIME_BAR_MS + 1000 }),
  },
];

function startWithoutBFD(): Promise<Lab> {
  const without = { bfd: undefined, holdTime: `${HOLD_TIME_MS}ms` };
  const peers = { frr: { ...PEERS.frr, ...without }, bird: { ...PEERS.bird, ...without } };
  return startBGP({ routers: { bfd: false }, peers });
}

/** A pod on each node, with a label of its own: so a Service can have its endpoint on a node that stays. */
async function startWithPods(start: () => Promise<Lab>): Promise<Lab> {
  const lab = await start();
  for (const node of NODE_NAMES) await lab.createPod({ name: `only-${node}`, node, labels: { app: node } });
  return lab;
}

async function powerOffs({ lab, size, bars }: Stage, o: { bar: number; afterMs: number }): Promise<void> {
  const outages = new Map<string, number[]>(lab.routers.map(({ software }) => [software, []]));
  const leftOut: string[] = [];
  try {
    for (let run = 0; run < size; run++) {
      const { victim, behind } = await powerOff(lab, NODE_NAMES[run % NODE_NAMES.length] as NodeName, o.afterMs);
      for (const [software, { outageMs, flows, ...details }] of behind) {
        if (outageMs === undefined) {
          leftOut.push(
            `run ${run + 1} behind ${software}: none of ${flows} flows went over ${victim} when it was cut off`,
          );
          continue;
        }
        outages.get(software)?.push(outageMs);
        bars.show(`outage behind ${software}`, outageMs, "ms", o.bar, { victim, flows, ...details });
      }
    }
  } finally {
    // Also what was measured before a run broke off.
    for (const [software, all] of outages)
      bars.spread(`outage behind ${software}`, all, "ms", { median: o.bar, worst: o.bar }, { of: size, leftOut });
  }
}

interface Run {
  readonly victim: NodeName;
  /** By the router's software. */
  readonly behind: ReadonlyMap<string, Seen>;
}

/** What a client behind a router saw of it. */
interface Seen {
  /** The longest of the flows that went over the victim; undefined: none did. */
  readonly outageMs: number | undefined;
  readonly flows: number;
  readonly overVictim: number;
  readonly worstSendDelayMs: number;
}

/** Powers a node off over which clients behind each router send, to a pod elsewhere, `preferred` if they do; and on again. */
async function powerOff(lab: Lab, preferred: NodeName, afterMs: number): Promise<Run> {
  const elsewhere = NODE_NAMES.find((node) => node !== preferred) as NodeName;
  await apply(lab, bgpService("web", { ips: IP }, { selector: { app: elsewhere } }));
  await routedTo(lab, IP, NODE_NAMES, 60_000);
  await reachableBehind(lab, IP, [`only-${elsewhere}`]);
  const others = NODE_NAMES.filter((node) => node !== preferred && node !== elsewhere);
  const { victim, flows } = await startFlows(lab, [preferred, ...others]);
  await sleep(500 + Math.random() * 100); // at another moment between two packets of BFD each time
  const cutAt = Date.now();
  await lab.faults.powerOff(victim);
  await sleep(afterMs);
  const reports = await Promise.all(
    flows.map(async ({ router, probe }) => ({ software: router.software, report: await probe.stop() })),
  );
  const behind = lab.routers.map(({ software }) => {
    const own = reports.filter((one) => one.software === software).map(({ report }) => report);
    return [software, seen(own, victim, cutAt)] as const;
  });
  await lab.faults.powerOn(victim);
  await lab.faults.nodeReady(victim);
  await lab.speakerReady(victim);
  await sessionsUp(lab, lab.routers.length, [victim]);
  await bfdUp(lab, [victim]);
  return { victim, behind: new Map(behind) };
}

/** An answer is on its way for so long at most, in ms. */
const LATE_MS = 50;

function seen(reports: readonly UdpReport[], victim: NodeName, cutAt: number): Seen {
  const address = nodePlan(victim).data.addresses.ipv4;
  const over = reports.filter(({ pods, startedAt }) =>
    pods.some(({ source, lastMs }) => source === address && startedAt + lastMs >= cutAt - LATE_MS),
  );
  for (const { pods } of over) {
    const lastOver = Math.max(...pods.filter(({ source }) => source === address).map(({ lastMs }) => lastMs));
    if (!pods.some(({ source, lastMs }) => source !== address && lastMs > lastOver))
      throw new Error(`a flow over ${victim} got no answer any more after it was cut off`);
  }
  return {
    outageMs: over.length === 0 ? undefined : Math.max(...over.map(({ longestOutageMs }) => longestOutageMs)),
    flows: reports.length,
    overVictim: over.length,
    worstSendDelayMs: Math.max(...reports.map(({ worstSendDelayMs }) => worstSendDelayMs)),
  };
}

interface Flow {
  readonly router: Router;
  readonly probe: Probe<UdpReport>;
}

/** So many flows of each client at a time, each sending so often: the router spreads them over the nodes, by their ports. */
const FLOWS = 6;
const INTERVAL_US = 2000;
/** Before a node is looked at for flows. */
const FLOW_MS = 100;
const MOST_FLOWS = 10 * FLOWS;

/** Starts flows, more and more, until one of these nodes carries some of each client; the nodes know their flows. */
async function startFlows(lab: Lab, nodes: readonly NodeName[]): Promise<{ victim: NodeName; flows: readonly Flow[] }> {
  const flows: Flow[] = [];
  // Of the questions before, none is a flow that goes on.
  await Promise.all(nodes.flatMap((node) => lab.routers.map((router) => conntrack(lab, node, router, "-D"))));
  while (flows.length < MOST_FLOWS * lab.routers.length) {
    const starting = lab.routers.flatMap((router) =>
      Array.from({ length: FLOWS }, async () => {
        const probe = await lab.udpProbe({ ip: IP, port: 80, intervalUs: INTERVAL_US }, router.plan.client);
        return { router, probe };
      }),
    );
    flows.push(...(await Promise.all(starting)));
    await sleep(FLOW_MS);
    for (const victim of nodes) {
      const carried = await Promise.all(lab.routers.map((router) => conntrack(lab, victim, router, "-L")));
      if (carried.every((entries) => entries !== "")) return { victim, flows };
    }
  }
  throw new Error(`the routers send nothing over ${nodes.join(" and ")}`);
}

/** Lists, or forgets, what a node's kernel knows of the flows from a router's client. */
async function conntrack(lab: Lab, node: NodeName, router: Router, how: "-L" | "-D"): Promise<string> {
  const flow = ["-p", "udp", "--orig-src", router.plan.behind.client.ipv4, "--orig-dst", IP];
  const listed = lab.exec(node, ["conntrack", how, ...flow]);
  return how === "-L" ? (await listed).trim() : await listed.catch(() => ""); // there may be none to forget
}
