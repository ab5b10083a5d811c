import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_MULTIPLIER, detectionTime } from "../../src/l2/timing.ts";
import type { HelloFrame } from "../lab/capture.ts";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import { macOf, ownerOf, reachable, service } from "./product.ts";

/** What a client and a capture saw of a node's power-off and return. */
export interface PowerOff {
  readonly owner: NodeName;
  readonly successor: NodeName;
  readonly outageMs: number;
  /** From the last answered datagram to the end of the detection time after the owner's last hello: no rule could be faster. */
  readonly detectionMs: number;
  /** Datagrams lost while the node came back. */
  readonly lostOnReturn: number;
  readonly ownerAfterReturn: NodeName;
  readonly longestDoubleMs: number;
  readonly neighbour: string | undefined;
}

const DEFAULT_HELLO_INTERVAL_MS = 100;

/** Runs a pod on each node, so that the Service of powerOffOwner can have its endpoint on any of them. */
export async function startPods(lab: Lab): Promise<void> {
  for (const node of NODE_NAMES) await lab.createPod({ name: `demo-${node}`, node, labels: { app: node } });
}

/** Powers the owner of a Service's IP off and on again, with the Service's one pod on a node that stays. */
export async function powerOffOwner(lab: Lab, name: string, ip: string, spec: object = {}): Promise<PowerOff> {
  const owner = await ownerOf(lab, ip);
  const podNode = NODE_NAMES.find((node) => node !== owner) as NodeName;
  await lab.kubectl(["apply", "--filename=-"], service(name, { ...spec, selector: { app: podNode } }));
  await reachable(lab, { ip }, [`demo-${podNode}`]);
  const capture = await lab.capture({ asks: [ip], intervalMs: 10 });
  const probe = await lab.udpProbe({ ip, port: 80 });
  await sleep(500 + Math.random() * 100); // at another moment between two hellos each time
  await lab.faults.powerOff(owner);
  await sleep(2500);
  const { startedAt, outages, longestOutageMs, answered } = await probe.stop();
  if (answered < 1000)
    throw new Error(`${ip}: only ${answered} datagrams were answered, so the probe saw no outage but a ruin`);
  const offAt = startedAt + (outages[0]?.atMs ?? 0);
  const lastHello = capture.frames
    .filter((frame): frame is HelloFrame => frame.kind === "hello" && frame.mac === macOf(owner))
    .at(-1);
  const successor = await ownerOf(lab, ip);
  const neighbour = await lab.neighbour(ip);

  const whileBack = await lab.udpProbe({ ip, port: 80 });
  await lab.faults.powerOn(owner);
  await lab.faults.nodeReady(owner);
  await lab.speakerReady(owner);
  await sleep(1000);
  const lostOnReturn = (await whileBack.stop()).lost;
  await capture.stop();
  return {
    owner,
    successor,
    outageMs: longestOutageMs,
    detectionMs: (lastHello?.at ?? Number.NaN) + detectionTime(DEFAULT_HELLO_INTERVAL_MS, DEFAULT_MULTIPLIER) - offAt,
    lostOnReturn,
    ownerAfterReturn: await ownerOf(lab, ip),
    longestDoubleMs: capture.doubles(ip)[0]?.ms ?? 0,
    neighbour,
  };
}
