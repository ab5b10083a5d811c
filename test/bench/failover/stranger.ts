import { setTimeout as sleep } from "node:timers/promises";
import { ANNOTATION } from "../../../src/api/names.ts";
import { macOf, SERVICE, service } from "../../e2e/product.ts";
import { NODE_NAMES } from "../../lab/plan.ts";
import type { Row } from "./row.ts";
import { serve } from "./served.ts";

const FIRST = 210;
const CONDITION_BAR_MS = 2000;
const WATCHED_MS = 3000;

/** An IP that a stranger has already: nobody announces it, and the Service says why. */
export const STRANGER: Row = {
  name: "stranger",
  size: 5,
  measure: async ({ lab, size, bars }) => {
    await serve(lab, 1);
    const told: number[] = [];
    let answered = 0;
    for (let run = 0; run < size; run++) {
      const ip = `192.0.2.${FIRST + run}`;
      const name = `taken-${run}`;
      await lab.exec("client", ["ip", "address", "add", `${ip}/24`, "dev", "eth0"]);
      const capture = await lab.capture();
      const asking = JSON.parse(service(name, { selector: { all: "yes" } }));
      const begun = performance.now();
      await lab.api.create(SERVICE, {
        ...asking,
        metadata: { ...asking.metadata, annotations: { [ANNOTATION.ips]: ip } },
      });
      await lab.until(`${SERVICE}/${name}`, "its condition names the stranger", (seen) =>
        seen?.status?.conditions?.some(
          (one: { type: string; status: string; reason: string }) =>
            one.type === "heraldlb.io/Announced" && one.status === "False" && one.reason === "AddressConflict",
        ),
      );
      told.push(performance.now() - begun);
      await sleep(WATCHED_MS);
      await capture.stop();
      const nodes = new Set(NODE_NAMES.map(macOf));
      // A probe has no sender's IP, so its `ip` is 0.0.0.0.
      answered += capture.frames.filter(
        (frame) => frame.kind === "arp" && frame.ip === ip && nodes.has(frame.mac),
      ).length;
    }
    bars.show("ARP that says it is a node's", answered, "frames", 0);
    const worst = told.toSorted((a, b) => a - b);
    bars.show("condition after the creation, worst", worst.at(-1) ?? Number.NaN, "ms", CONDITION_BAR_MS, {
      all: worst,
    });
  },
};
