import { setTimeout as sleep } from "node:timers/promises";
import {
  apply,
  bgpService,
  PEERS,
  reachableBehind,
  routedTo,
  sessionsUp,
  startBGP,
  untilSpeaker,
} from "../../e2e/bgp-product.ts";
import type { ApiObject } from "../../lab/api.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import type { UdpReport } from "../../lab/probe.ts";
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
    start: () => startWithPods(() => startBGP()),
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
  const [frr, bird] = Object.values(PEERS).map(({ bfd: _, ...spec }) => ({ ...spec, holdTime: `${HOLD_TIME_MS}ms` }));
  return startBGP({ routers: { bfd: false }, peers: { ...(frr && { frr }), ...(bird && { bird }) } });
}

/** A pod on each node, with a label of its own: so a Service can have its endpoint on a node that stays. */
async function startWithPods(start: () => Promise<Lab>): Promise<Lab> {
  const lab = await start();
  for (const node of NODE_NAMES) await lab.createPod({ name: `only-${node}`, node, labels: { app: node } });
  return lab;
}

async function powerOffs({ lab, size, bars }: Stage, o: { bar: number; afterMs: number }): Promise<void> {
  const outages = new Map<string, number[]>(lab.routers.map(({ software }) => [software, []]));
  for (let run = 0; run < size; run++) {
    const victim = NODE_NAMES[run % NODE_NAMES.length] as NodeName;
    for (const [software, { longestOutageMs, worstSendDelayMs }] of await powerOff(lab, victim, o.afterMs)) {
      outages.get(software)?.push(longestOutageMs);
      bars.show(`outage behind ${software}`, longestOutageMs, "ms", o.bar, { victim, worstSendDelayMs });
    }
  }
  for (const [software, all] of outages)
    bars.spread(`outage behind ${software}`, all, "ms", { median: o.bar, worst: o.bar });
}

/** Powers a node off over which a client behind each router sends, to a pod elsewhere; and on again. */
async function powerOff(lab: Lab, victim: NodeName, afterMs: number): Promise<ReadonlyMap<string, UdpReport>> {
  const elsewhere = NODE_NAMES.find((node) => node !== victim) as NodeName;
  await apply(lab, bgpService("web", { ips: IP }, { selector: { app: elsewhere } }));
  await routedTo(lab, IP, NODE_NAMES, 60_000);
  await reachableBehind(lab, IP, [`only-${elsewhere}`]);
  const probes = await Promise.all(
    lab.routers.map(async (router) => [router.software, await probeOver(lab, router, victim)] as const),
  );
  await sleep(500 + Math.random() * 100); // at another moment between two packets of BFD each time
  await lab.faults.powerOff(victim);
  await sleep(afterMs);
  const reports = await Promise.all(probes.map(async ([software, probe]) => [software, await probe.stop()] as const));
  for (const [software, { answered, sent, lost }] of reports)
    if (lost === 0 || answered < sent / 20)
      throw new Error(`${software}: ${lost} of ${sent} lost is no outage to measure`);
  await lab.faults.powerOn(victim);
  await lab.faults.nodeReady(victim);
  await lab.speakerReady(victim);
  await sessionsUp(lab, lab.routers.length, [victim]);
  const bfdUp = (bgp: ApiObject | undefined) => bgp?.peers.every(({ bfd = "Up" }: ApiObject) => bfd === "Up");
  await untilSpeaker(lab, victim, `BFD of ${victim} is up`, bfdUp);
  return new Map(reports);
}

/** Starts probes until one is sent over this node: that is the router's choice, by the ports. */
async function probeOver(lab: Lab, router: Router, node: NodeName) {
  const { client, behind } = router.plan;
  const flows = ["-p", "udp", "--orig-src", behind.client.ipv4, "--orig-dst", IP];
  for (let attempt = 0; attempt < 100; attempt++) {
    await lab.exec(node, ["conntrack", "-D", ...flows]).catch(() => {}); // there may be none
    const probe = await lab.udpProbe({ ip: IP, port: 80 }, client);
    await sleep(50);
    if ((await lab.exec(node, ["conntrack", "-L", ...flows])).trim() !== "") return probe;
    await probe.stop();
  }
  throw new Error(`${router.software} sends nothing over ${node}`);
}
