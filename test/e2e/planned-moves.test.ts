import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXCLUDE_NODE_LABEL } from "../../src/api/names.ts";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import { addressOf, ownerOf, reachable, service, startProduct } from "./product.ts";

/** What an operator does to pools and nodes moves addresses, and no client notices. */

let lab: Lab;
let ip: string;
beforeAll(async () => {
  lab = await startProduct({ nodeGraceMs: 40_000 });
  for (const node of NODE_NAMES) await lab.createPod({ name: `demo-${node}`, node });
  await lab.kubectl(["apply", "--filename=-"], service("web"));
  ip = await addressOf(lab, "web");
  await reachable(lab, { ip });
  await sleep(3000); // the last of the announcements of the first claim
});
afterAll(() => lab?.stop());

const announce = (layer2: object) =>
  lab.kubectl([
    "patch",
    "ippool",
    "default",
    "--type=merge",
    "--patch",
    JSON.stringify({ spec: { announce: [{ layer2 }] } }),
  ]);
const hostname = (operator: string, node: NodeName) => ({
  matchExpressions: [{ key: "kubernetes.io/hostname", operator, values: [node] }],
});

const TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler";

interface Move {
  readonly name: string;
  readonly begin: (owner: NodeName, other: NodeName) => Promise<unknown>;
  readonly end: (owner: NodeName) => Promise<unknown>;
  /** The other node is the only one that may have it then. */
  readonly toOther: boolean;
  /** How long it may take; 2 s where absent. */
  readonly afterMs?: number;
}
const MOVES: readonly Move[] = [
  {
    name: "another node is preferred",
    begin: (_, other) => announce({ preferredNodes: [{ weight: 5, selector: hostname("In", other) }] }),
    end: () => announce({}),
    toOther: true,
  },
  {
    name: "the pool selects the owner no more",
    begin: (owner) => announce({ nodeSelector: hostname("NotIn", owner) }),
    end: () => announce({}),
    toOther: false,
  },
  {
    name: "the owner is excluded by its label",
    begin: (owner) => lab.kubectl(["label", "node", owner, `${EXCLUDE_NODE_LABEL}=`]),
    end: (owner) => lab.kubectl(["label", "node", owner, `${EXCLUDE_NODE_LABEL}-`]),
    toOther: false,
  },
  {
    // kube-proxy answers 503 on a node that the cluster autoscaler is about to remove.
    name: "the owner's node proxy says that it does not forward",
    begin: (owner) => lab.kubectl(["taint", "node", owner, `${TO_BE_DELETED}:NoSchedule`]),
    end: (owner) => lab.kubectl(["taint", "node", owner, `${TO_BE_DELETED}:NoSchedule-`]),
    toOther: false,
    afterMs: 8000,
  },
];

test.each(MOVES)("$name: nothing is lost, and nothing moves back", async ({ begin, end, toOther, afterMs = 2000 }) => {
  const owner = await ownerOf(lab, ip);
  const other = NODE_NAMES.find((node) => node !== owner) as NodeName;
  const capture = await lab.capture({ asks: [ip] });
  const probe = await lab.udpProbe({ ip, port: 80 });
  await sleep(300);
  await begin(owner, other);
  await sleep(afterMs);
  const after = await ownerOf(lab, ip);
  const { lost } = await probe.stop();
  await capture.stop();
  console.info(`${expect.getState().currentTestName}: lost ${lost}, two MACs ${capture.doubles(ip)[0]?.ms ?? 0} ms`);
  expect(lost).toBe(0);
  expect(after).not.toBe(owner);
  if (toOther) expect(after).toBe(other);
  await end(owner);
  await sleep(2000);
  expect(await ownerOf(lab, ip)).toBe(after);
});
