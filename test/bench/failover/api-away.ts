import { setTimeout as sleep } from "node:timers/promises";
import { type Seen, watching } from "../../e2e/watching.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import { moves, OUTAGE_BAR } from "./outage.ts";
import type { Row, Stage } from "./row.ts";
import { familyOf, ownerOfBoth, ownersOf, serve, serveFrom, whole } from "./served.ts";

const IPS_OF_EACH = 6;
const AFTERWARDS_MS = 2500;
/** How long nothing else happens, in the first run and in the others. */
const FIRST_MS = 60_000;
const MORE_MS = 5_000;

interface Fault {
  readonly begin: (lab: Lab, owner: NodeName) => Promise<unknown>;
  readonly end: (lab: Lab, owner: NodeName) => Promise<unknown>;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "cut-management": {
    begin: (lab, owner) => lab.faults.cut(owner, "management"),
    // Its power was off since: that plugged it in.
    end: async () => {},
  },
  "api-stopped": {
    begin: (lab) => lab.controlPlane.stopApiServer("SIGKILL"),
    end: (lab) => lab.controlPlane.startApiServer(),
  },
  "etcd-stopped": { begin: (lab) => lab.controlPlane.stopEtcd("SIGKILL"), end: startEtcd },
};

/** The API is away from the owner, or from all; then the owner's power goes too. */
export const API_AWAY: readonly Row[] = Object.entries(FAULTS).map(([name, fault]) => ({
  name,
  size: 5,
  measure: (stage) => measure(stage, fault),
}));

async function measure({ lab, size, bars }: Stage, fault: Fault): Promise<void> {
  const served = await serve(lab, IPS_OF_EACH);
  const outages = new Map<string, number[]>();
  const meanwhile: Seen[] = [];
  let moved = 0;
  for (let run = 0; run < size; run++) {
    const before = await ownersOf(lab, served);
    const { node, own } = ownerOfBoth(before);
    const stays = NODE_NAMES.find((one) => one !== node) as NodeName;
    await serveFrom(lab, own, stays);
    const ips = own.map(({ ip }) => ip);
    const away = await watching(
      lab,
      ips,
      async () => {
        await fault.begin(lab, node);
        await sleep(run === 0 ? FIRST_MS : MORE_MS);
      },
      { tcp: false },
    );
    meanwhile.push(...away.seen);
    moved += moves(own, before, await ownersOf(lab, own));
    const off = await watching(lab, ips, () => lab.faults.powerOff(node), { tcp: false, afterMs: AFTERWARDS_MS });
    for (const { ip, outageMs } of off.seen) {
      const family = familyOf({ ip });
      outages.set(family, [...(outages.get(family) ?? []), outageMs]);
    }
    await fault.end(lab, node);
    await lab.faults.powerOn(node);
    for (const one of NODE_NAMES) await whole(lab, one);
  }
  bars.lost(meanwhile, "lost meanwhile");
  bars.show("moved meanwhile", moved, "IPs", 0);
  for (const [family, values] of outages)
    bars.spread(`outage by a power-off then, ${family}`, values, "ms", OUTAGE_BAR);
}

/** The API server gives up without etcd after a while, so it is started anew. */
async function startEtcd(lab: Lab): Promise<void> {
  await lab.controlPlane.stopApiServer("SIGKILL");
  await lab.controlPlane.startEtcd();
  await lab.controlPlane.startApiServer();
}
