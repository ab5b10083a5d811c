import { addressOf, pool, SERVICE, service } from "../../e2e/product.ts";
import type { Lab } from "../../lab/lab.ts";
import type { Row } from "./row.ts";
import { startPods } from "./served.ts";

const BAR_MS = 400;
/** Of the pool: 192.0.2.200 on. */
const POOL_SIZE = 21;

/** A new Service is created: how long until an ARP request for its IP is answered, the search for a stranger included. */
export const NEW_SERVICE: Row = {
  name: "new-service",
  size: 11,
  measure: async ({ lab, size, bars }) => {
    await startPods(lab);
    const all: number[] = [];
    for (let run = 0; run < Math.min(size, POOL_SIZE); run++) {
      const took = await firstAnswer(lab, `new-${run}`, 200, POOL_SIZE);
      if (run === 0) bars.show("first ARP answer of a pool's first Service", took, "ms", BAR_MS);
      else all.push(took);
    }
    bars.spread("first ARP answer", all, "ms", { median: BAR_MS, worst: BAR_MS });
    await lab.kubectl(["apply", "--filename=-"], pool("later", "192.0.2.230-192.0.2.232"));
    const took = await firstAnswer(lab, "later", 230, 3, { "heraldlb.io/pool": "later" });
    bars.show("first ARP answer, pool made together with the Service", took, "ms", BAR_MS);
  },
};

/** Counts from the moment in which the Service's creator hears that it is there. */
async function firstAnswer(
  lab: Lab,
  name: string,
  first: number,
  count: number,
  annotations: Readonly<Record<string, string>> = {},
): Promise<number> {
  const asks = Array.from({ length: count }, (_, index) => `192.0.2.${first + index}`);
  const capture = await lab.capture({ asks, intervalMs: 10 });
  const body = JSON.parse(service(name, { selector: { all: "yes" } }));
  await lab.api.create(SERVICE, { ...body, metadata: { ...body.metadata, annotations } });
  const createdAt = performance.timeOrigin + performance.now();
  const ip = await addressOf(lab, name);
  for (const giveUp = performance.now() + 10_000; performance.now() < giveUp && capture.answers(ip).length === 0; )
    await new Promise((resolve) => setTimeout(resolve, 20));
  await capture.stop();
  return (capture.answers(ip)[0]?.at ?? Number.NaN) - createdAt;
}
