import { setTimeout as sleep } from "node:timers/promises";
import { macOf } from "../../e2e/product.ts";
import { type Seen, watching } from "../../e2e/watching.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import type { Row, Stage } from "./row.ts";
import { ownersOf, type Served, serve } from "./served.ts";

/** How long ARP requests may go unanswered in a row, in ms: where a speaker dies, and where it ends as planned. */
const DIED_MS = 150;
const PLANNED_MS = 50;
/** What a DaemonSet takes to start a container again. */
const AWAY_MS = 3000;
const HANGS_MS = 10_000;

type Owners = ReadonlyMap<Served, NodeName>;

const restart = async (lab: Lab, owners: Owners, signal: "SIGKILL" | "SIGTERM") => {
  for (const node of new Set(owners.values())) {
    await lab.herald.speaker(node).stop(signal);
    await sleep(AWAY_MS);
    await lab.herald.speaker(node).start();
    await lab.speakerReady(node);
    await sleep(1500); // its record is written
  }
};

const roll = async (lab: Lab) => {
  for (const node of NODE_NAMES) {
    await lab.herald.speaker(node).restart("SIGTERM");
    await lab.speakerReady(node);
  }
};

const hang = async (lab: Lab, owners: Owners) => {
  for (const node of new Set(owners.values())) {
    lab.herald.speaker(node).signal("SIGSTOP");
    await sleep(HANGS_MS);
    lab.herald.speaker(node).signal("SIGCONT");
    await sleep(2000);
  }
};

/** The speakers of the owners are away, their nodes are not: nobody notices. */
export const SPEAKER_AWAY: readonly Row[] = [
  stays("kill-speaker", DIED_MS, (lab, owners) => restart(lab, owners, "SIGKILL")),
  stays("restart-speaker", PLANNED_MS, (lab, owners) => restart(lab, owners, "SIGTERM")),
  stays("rolling-restart", PLANNED_MS, roll),
  stays("stop-speaker", DIED_MS, hang),
  { name: "evacuate", size: 5, measure: evacuate },
];

function stays(name: string, silenceMs: number, act: (lab: Lab, owners: Owners) => Promise<void>): Row {
  return {
    name,
    size: 5,
    measure: async ({ lab, size, bars }) => {
      const served = await serve(lab);
      const all: Seen[] = [];
      let moved = 0;
      for (let run = 0; run < size; run++) {
        const owners = await ownersOf(lab, served);
        const { seen } = await watching(
          lab,
          served.map(({ ip }) => ip),
          () => act(lab, owners),
        );
        all.push(...seen);
        moved += [...owners].filter(([{ ip }, owner]) =>
          seen.some((one) => one.ip === ip && one.macs.join() !== macOf(owner)),
        ).length;
      }
      bars.lost(all);
      bars.show("TCP connections broken", sum(all.map(({ broken }) => broken)), "connections", 0);
      bars.show("IPs that another MAC answered for", moved, "IPs", 0);
      const silences = all
        .map((one) => ({ ms: one.silenceMs, at: new Date(one.silentAt ?? 0).toISOString() }))
        .toSorted((a, b) => a.ms - b.ms);
      bars.show("longest silence", silences.at(-1)?.ms ?? Number.NaN, "ms", silenceMs, { all: silences });
    },
  };
}

async function evacuate({ lab, size, bars }: Stage): Promise<void> {
  const served = await serve(lab);
  const all: Seen[] = [];
  let stayed = 0;
  for (let run = 0; run < size; run++) {
    const owners = await ownersOf(lab, served);
    const leaver = [...owners.values()][0] as NodeName;
    const { seen } = await watching(
      lab,
      served.map(({ ip }) => ip),
      async () => {
        await lab.faults.evacuate(leaver, true);
        await sleep(3000);
      },
      { tcp: false },
    );
    all.push(...seen);
    stayed += [...(await ownersOf(lab, served)).values()].filter((node) => node === leaver).length;
    await lab.faults.evacuate(leaver, false);
    await sleep(1000);
  }
  bars.lost(all);
  bars.show("IPs that stayed", stayed, "IPs", 0);
  bars.show("two MACs", Math.max(...all.map(({ doubleMs }) => doubleMs)), "ms");
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
