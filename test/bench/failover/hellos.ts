import { setTimeout as sleep } from "node:timers/promises";
import { type Seen, watching } from "../../e2e/watching.ts";
import type { Capture } from "../../lab/capture.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import { conditionIs } from "../../lab/until.ts";
import { OUTAGE_BAR } from "./outage.ts";
import type { Row, Stage } from "./row.ts";
import { ownerOfBoth, ownersOf, serve, serveFrom, whole } from "./served.ts";

const IPS_OF_EACH = 6;
/** After so long each IP has one owner, in ms. */
const ONE_OWNER_BAR = 2000;
/** Long enough for two owners to have found out; and for the condition HelloBlocked, which is not written at once. */
const FILTERED_MS = 6000;
const CONDITION_MS = 30_000;
const AFTERWARDS_MS = 4000;

/** Whose hellos the switch drops: those from the first nodes, and those to the second. */
type Filter = (lab: Lab, node: NodeName) => Promise<void>;

/** The switch drops hellos, and the owner's power goes. Where one node is concerned, it is the owner in every other run. */
export const HELLOS: readonly Row[] = [
  row("hellos-all", (lab) => lab.faults.filterHellos(NODE_NAMES)),
  row("hellos-one", (lab, node) => lab.faults.filterHellos([node], [node])),
  row("hellos-one-way", (lab, node) => lab.faults.filterHellos([node])),
];

function row(name: string, filter: Filter): Row {
  return { name, size: 4, measure: (stage) => measure(stage, filter) };
}

async function measure({ lab, size, bars }: Stage, filter: Filter): Promise<void> {
  const served = await serve(lab, IPS_OF_EACH);
  const outages: number[] = [];
  const tookMs: number[] = [];
  const doubles = { filtered: 0, off: 0 };
  const meanwhile: Seen[] = [];
  let untold = 0;
  for (let run = 0; run < size; run++) {
    const { node: owner, own } = ownerOfBoth(await ownersOf(lab, served));
    const others = NODE_NAMES.filter((one) => one !== owner);
    const [stays, other] = (run % 4 < 2 ? others : others.toReversed()) as [NodeName, NodeName];
    await serveFrom(lab, own, stays);
    const ips = own.map(({ ip }) => ip);
    const filtered = await watching(
      lab,
      ips,
      async () => {
        const begun = performance.now();
        const blocked = oneSays(lab, "HelloBlocked").then(() => tookMs.push(performance.now() - begun));
        await filter(lab, run % 2 === 0 ? owner : other);
        await Promise.all([blocked.catch(() => untold++), sleep(FILTERED_MS)]);
      },
      { tcp: false },
    );
    meanwhile.push(...filtered.seen);
    for (const { ip } of filtered.seen) {
      doubles.filtered = Math.max(doubles.filtered, totalDouble(filtered.capture, ip));
    }
    let offAt = 0;
    const off = await watching(
      lab,
      ips,
      async () => {
        offAt = Date.now();
        await lab.faults.powerOff(owner);
      },
      { tcp: false, afterMs: AFTERWARDS_MS },
    );
    for (const { ip, outageMs } of off.seen) {
      outages.push(outageMs);
      doubles.off = Math.max(doubles.off, lastDouble(off.capture, ip, offAt));
    }
    await ownersOf(lab, own);
    await lab.faults.filterHellos([]);
    await lab.faults.powerOn(owner);
    for (const one of NODE_NAMES) await whole(lab, one);
  }
  bars.lost(meanwhile, "lost while filtered");
  bars.show("two MACs while filtered", doubles.filtered, "ms", 0);
  bars.show("runs without HelloBlocked", untold, "runs", 0, { afterMs: tookMs });
  bars.spread("outage by a power-off then, IPv4 and IPv6", outages, "ms", {
    median: OUTAGE_BAR.worst,
    worst: OUTAGE_BAR.worst,
  });
  bars.show("one owner for each IP after", doubles.off, "ms", ONE_OWNER_BAR);
}

/** Waits until the Speaker of some node has a condition. */
async function oneSays(lab: Lab, type: string): Promise<void> {
  const says = (node: NodeName) =>
    lab.until(
      `/apis/heraldlb.io/v1alpha1/speakers/${node}`,
      `${type} of ${node}`,
      (object) => conditionIs(object, type, "True"),
      CONDITION_MS,
    );
  const all = NODE_NAMES.map(says);
  for (const one of all) one.catch(() => {});
  await Promise.any(all);
}

function totalDouble(capture: Capture, ip: string): number {
  return capture.doubles(ip).reduce((sum, { ms }) => sum + ms, 0);
}

/** How long after `sinceMs` two MACs answered for the last time. */
function lastDouble(capture: Capture, ip: string, sinceMs: number): number {
  return Math.max(0, ...capture.doubles(ip).map(({ from, ms }) => from + ms - sinceMs));
}
