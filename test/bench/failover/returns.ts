import { setTimeout as sleep } from "node:timers/promises";
import { type Seen, watching } from "../../e2e/watching.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import { moves } from "./outage.ts";
import type { Row } from "./row.ts";
import { ownerOfBoth, ownersOf, serve, serveFrom, whole } from "./served.ts";

const CUT_MS = 30_000;
const DOUBLE_BAR = 150;

/** A node returns whose data NIC alone was cut, so that its speaker thought all the while that it owns its IPs. */
export const RETURNS: readonly Row[] = [
  {
    name: "cut-data-returns",
    size: 3,
    measure: async ({ lab, size, bars }) => {
      const served = await serve(lab, 6);
      const seen: Seen[] = [];
      let moved = 0;
      for (let run = 0; run < size; run++) {
        const { node, own } = ownerOfBoth(await ownersOf(lab, served));
        await serveFrom(lab, own, NODE_NAMES.find((one) => one !== node) as NodeName);
        await lab.faults.cut(node, "data");
        await sleep(CUT_MS);
        const taken = await ownersOf(lab, own);
        const back = await watching(
          lab,
          own.map(({ ip }) => ip),
          async () => {
            await lab.faults.join(node, "data");
            await whole(lab, node);
            await sleep(3000);
          },
          { tcp: false },
        );
        moved += moves(own, taken, await ownersOf(lab, own));
        seen.push(...back.seen);
      }
      bars.lost(seen);
      bars.show("moved", moved, "IPs", 0);
      bars.show("two MACs", Math.max(...seen.map(({ doubleMs }) => doubleMs)), "ms", DOUBLE_BAR);
    },
  },
];
