import { type Seen, watching } from "../../e2e/watching.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import type { Row, Stage } from "./row.ts";
import { familyOf, ownerOfBoth, ownersOf, type Served, serve, serveFrom, whole } from "./served.ts";

/** What a client may see of the loss of an owner, in ms. */
export const OUTAGE_BAR = { median: 400, worst: 1000 };
/** Two MACs may answer for so long when a node comes back, in ms. */
const DOUBLE_BAR = 150;
/** Enough for each node to own some of each family at nearly any time. */
const IPS_OF_EACH = 6;
const AFTERWARDS_MS = 2500;

interface Fault {
  readonly begin: (lab: Lab, node: NodeName) => Promise<void>;
  readonly end: (lab: Lab, node: NodeName) => Promise<void>;
}

const POWER: Fault = {
  begin: (lab, node) => lab.faults.powerOff(node),
  end: (lab, node) => lab.faults.powerOn(node),
};
const DATA_NIC: Fault = {
  begin: (lab, node) => lab.faults.cut(node, "data"),
  end: (lab, node) => lab.faults.join(node, "data"),
};

/** The owner is lost, and is back some seconds later: the time without an answer, and what its return does. */
export const OUTAGES: readonly Row[] = [
  { name: "power-off", size: 30, measure: (stage) => measure(stage, POWER) },
  { name: "cut-data", size: 30, measure: (stage) => measure(stage, DATA_NIC) },
];

async function measure({ lab, size, bars }: Stage, fault: Fault): Promise<void> {
  const served = await serve(lab, IPS_OF_EACH);
  const outages = new Map<string, number[]>();
  const back: Seen[] = [];
  let moved = 0;
  let sendDelayMs = 0;
  for (let run = 0; run < size; run++) {
    const owners = await ownersOf(lab, served);
    const { node, own } = ownerOfBoth(owners);
    const stays = NODE_NAMES.filter((one) => one !== node)[run % 2] as NodeName;
    await serveFrom(lab, own, stays);
    const ips = own.map(({ ip }) => ip);
    const gone = await watching(lab, ips, () => fault.begin(lab, node), { tcp: false, afterMs: AFTERWARDS_MS });
    for (const { ip, outageMs, sendDelayMs: delayMs } of gone.seen) {
      const all = outages.get(familyOf({ ip })) ?? [];
      outages.set(familyOf({ ip }), [...all, outageMs]);
      sendDelayMs = Math.max(sendDelayMs, delayMs);
    }
    const taken = await ownersOf(lab, own);
    const returned = await watching(
      lab,
      ips,
      async () => {
        await fault.end(lab, node);
        await whole(lab, node);
      },
      { tcp: false },
    );
    const kept = await ownersOf(lab, own);
    moved += moves(own, taken, kept);
    back.push(...returned.seen);
  }
  for (const [family, values] of outages) bars.spread(`outage, ${family}`, values, "ms", OUTAGE_BAR);
  bars.show("latest datagram of the probes", sendDelayMs, "ms");
  bars.lost(back, "lost on its return");
  bars.show("moved on its return", moved, "IPs", 0);
  bars.show("two MACs on its return", Math.max(...back.map(({ doubleMs }) => doubleMs)), "ms", DOUBLE_BAR);
}

/** How many of the IPs have another owner in `after`. */
export function moves(
  own: readonly Served[],
  before: ReadonlyMap<Served, NodeName>,
  after: ReadonlyMap<Served, NodeName>,
): number {
  return own.filter((one) => before.get(one) !== after.get(one)).length;
}
