import { setTimeout as sleep } from "node:timers/promises";
import { addressOf, IPV6_ONLY, reachable, SERVICE, service } from "../../e2e/product.ts";
import { watching } from "../../e2e/watching.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import { podReady } from "../../lab/until.ts";
import type { Row } from "./row.ts";

const SERVICES = ["rolled", "rolled6"] as const;
/** The pod that goes serves on for so long, as one does that ends gracefully. */
const GRACE_S = 5;

/**
 * A Deployment's rolling update moves the one pod of a Service from node to node. With the policy Local the IPs follow;
 * the limit is what the same costs with Cluster, where they stay.
 */
export const PODS_MOVE: Row = {
  name: "pods-move",
  size: 6,
  measure: async ({ lab, size, bars }) => {
    await createRolled(lab, 0);
    for (const [name, more] of [
      ["rolled", {}],
      ["rolled6", IPV6_ONLY],
    ] as const)
      await lab.kubectl(["apply", "--filename=-"], service(name, { selector: { app: "rolled" }, ...more }));
    const ips = await Promise.all(SERVICES.map((name) => addressOf(lab, name)));
    const lost = { Cluster: 0, Local: 0 };
    const outages: number[] = [];
    let index = 0;
    for (const policy of ["Cluster", "Local"] as const) {
      for (const name of SERVICES)
        await lab.api.patch(`${SERVICE}/${name}`, { spec: { externalTrafficPolicy: policy } });
      for (const ip of ips) await reachable(lab, { ip });
      await sleep(4000);
      for (let run = 0; run < size; run++) {
        const { seen } = await watching(
          lab,
          ips,
          async () => {
            await createRolled(lab, ++index);
            await lab.api.delete(`/api/v1/namespaces/default/pods/rolled-${index - 1}`);
            await sleep(GRACE_S * 1000);
          },
          { tcp: false },
        );
        lost[policy] += seen.reduce((sum, one) => sum + one.lost, 0);
        if (policy === "Local") outages.push(...seen.map(({ outageMs, lost }) => (lost > 0 ? outageMs : 0)));
      }
    }
    bars.show("lost", lost.Local, "datagrams", lost.Cluster, { moves: size, outages });
  },
};

async function createRolled(lab: Lab, index: number): Promise<void> {
  const node = NODE_NAMES[index % NODE_NAMES.length] as NodeName;
  const name = `rolled-${index}`;
  await lab.createPod({ name, node, labels: { app: "rolled" }, terminationGracePeriodSeconds: GRACE_S });
  await podReady(lab.api, "default", name);
}
