import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES } from "../lab/plan.ts";
import { addressOf, macOf, ownerOf, reachable, service, speakerReady, startProduct } from "./product.ts";

/** The figures come from `npm run bench -- failover`; here three runs show that the promise is kept at all. */
const RUNS = 3;
const WORST_OUTAGE_MS = 1500;
const LONGEST_DOUBLE_MS = 150;

let lab: Lab;
beforeAll(async () => {
  lab = await startProduct();
  for (const node of NODE_NAMES) await lab.createPod({ name: `demo-${node}`, node, labels: { app: node } });
});
afterAll(() => lab?.stop());

test("a node's power-off moves its IPs within 1.5 s, nothing moves when it returns, and no IP is doubled", async () => {
  await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: "n1" } }));
  const ip = await addressOf(lab, "web");
  for (let run = 0; run < RUNS; run++) {
    const owner = await ownerOf(lab, ip);
    // The pod is on a node that stays, so that the outage is the announcement's alone.
    const podNode = NODE_NAMES.find((node) => node !== owner) ?? "n1";
    await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: podNode } }));
    await reachable(lab, { ip }, [`demo-${podNode}`]);
    const capture = await lab.capture({ asks: [ip], intervalMs: 10 });
    const probe = await lab.udpProbe({ ip, port: 80 });
    await sleep(500);
    await lab.faults.powerOff(owner);
    await sleep(2500);
    const outage = await probe.stop();
    expect(outage.answered, "the probe was answered before and after").toBeGreaterThan(1000);
    expect(outage.longestOutageMs).toBeLessThan(WORST_OUTAGE_MS);
    const successor = await ownerOf(lab, ip);
    expect(successor).not.toBe(owner);
    expect(await lab.neighbour(ip), "the client's neighbour table").toBe(macOf(successor));

    const whileBack = await lab.udpProbe({ ip, port: 80 });
    await lab.faults.powerOn(owner);
    await lab.faults.nodeReady(owner);
    await speakerReady(lab, owner);
    await sleep(1000);
    expect((await whileBack.stop()).lost, "lost while the node came back").toBe(0);
    expect(await ownerOf(lab, ip), "the owner keeps its IP").toBe(successor);
    await capture.stop();
    expect(capture.doubles(ip)[0]?.ms ?? 0).toBeLessThanOrEqual(LONGEST_DOUBLE_MS);
  }
});

test("a planned stop of the owner's speaker loses nothing", async () => {
  const ip = await addressOf(lab, "web");
  const owner = await ownerOf(lab, ip);
  const probe = await lab.udpProbe({ ip, port: 80 });
  await lab.herald.speaker(owner).stop("SIGTERM");
  expect(await ownerOf(lab, ip)).not.toBe(owner);
  expect((await probe.stop()).lost).toBe(0);
  await lab.herald.speaker(owner).start();
  await speakerReady(lab, owner);
});
