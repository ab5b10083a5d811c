import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import { addressOf, ownerOf, reachable, service, startProduct } from "./product.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await startProduct();
  await lab.createPod({ name: "demo-1", node: "n1" });
  await lab.kubectl(["apply", "--filename=-"], service("web"));
});
afterAll(() => lab?.stop());

/** What a speaker refused on the data segment, by reason. */
async function refused(node: NodeName): Promise<ReadonlyMap<string, number>> {
  const text = await lab.statusPage(node, "/metrics");
  const rows = text.matchAll(/^herald_l2_hellos_dropped_total\{interface="eth0",reason="(\w+)"\} (\d+)$/gm);
  return new Map([...rows].map(([, reason = "", count]) => [reason, Number(count)]));
}

test("truncated, oversized, foreign, forged and replayed frames are dropped and counted; the IP stays where it is", async () => {
  const ip = await addressOf(lab, "web");
  await reachable(lab, { ip });
  const owner = await ownerOf(lab, ip);
  const pids = NODE_NAMES.map((node) => lab.herald.speaker(node).pid);
  const probe = await lab.udpProbe({ ip, port: 80 });
  const sender = fileURLToPath(new URL("hostile-sender.ts", import.meta.url));
  const sent = JSON.parse(await lab.exec("client", [process.execPath, sender, "eth0", ip])) as { times: number };
  expect((await probe.stop()).lost).toBe(0);
  expect(await ownerOf(lab, ip)).toBe(owner);
  expect(NODE_NAMES.map((node) => lab.herald.speaker(node).pid)).toEqual(pids);
  for (const node of NODE_NAMES) {
    const short = await untilCounted(node, sent.times);
    expect(short, `frames of a kind that ${node} did not count`).toEqual([]);
  }
});

/** Speakers report once a second. Gives the kinds of frames that were counted less than `times` times by then. */
async function untilCounted(node: NodeName, times: number): Promise<readonly string[]> {
  const giveUp = Date.now() + 5000;
  for (;;) {
    const counted = await refused(node);
    const count = (...names: readonly string[]) => names.reduce((sum, name) => sum + (counted.get(name) ?? 0), 0);
    const kinds = ["ForeignVersion", "ForeignCluster", "BadTag", "ForeignProtocol", "Short"];
    const missing = kinds.filter((kind) => count(kind) < times);
    // What is sent again is the node's own to one of them.
    if (count("Replay", "OwnNode") < times) missing.push("Replay");
    if (missing.length === 0 || Date.now() > giveUp) return missing;
    await sleep(100);
  }
}
