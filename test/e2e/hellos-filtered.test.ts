import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import { conditionIs } from "../lab/until.ts";
import { addressOf, ownerOf, reachable, service, startProduct } from "./product.ts";

/** A switch that drops the speakers' own frames: the kernels' answers and the API stand in for them. */

const WORST_OUTAGE_MS = 1500;

let lab: Lab;
let ip: string;
beforeAll(async () => {
  lab = await startProduct({ nodeGraceMs: 40_000 });
  for (const node of NODE_NAMES) await lab.createPod({ name: `demo-${node}`, node, labels: { app: node } });
  await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: "n1" } }));
  ip = await addressOf(lab, "web");
  await reachable(lab, { ip });
  await sleep(3000); // the record is written, and the first announcements are over
});
afterAll(() => lab?.stop());

const blocked = (node: NodeName, status: "True" | "False") =>
  lab.until(`/apis/heraldlb.io/v1alpha1/speakers/${node}`, `HelloBlocked of ${node} is ${status}`, (object) =>
    conditionIs(object, "HelloBlocked", status),
  );

test("hellos of all are filtered: nothing moves and nothing is lost, and the Speakers say what is wrong", async () => {
  const owner = await ownerOf(lab, ip);
  const capture = await lab.capture({ asks: [ip] });
  const probe = await lab.udpProbe({ ip, port: 80 });
  await lab.faults.filterHellos(NODE_NAMES);
  await Promise.all(NODE_NAMES.map((node) => blocked(node, "True")));
  await sleep(1000);
  expect((await probe.stop()).lost).toBe(0);
  await capture.stop();
  expect(capture.doubles(ip)).toEqual([]);
  expect(await ownerOf(lab, ip)).toBe(owner);
});

test("the owner is powered off meanwhile: one other takes its IP", async () => {
  const owner = await ownerOf(lab, ip);
  const podNode = NODE_NAMES.find((node) => node !== owner) as NodeName;
  await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: podNode } }));
  await reachable(lab, { ip }, [`demo-${podNode}`]);
  const probe = await lab.udpProbe({ ip, port: 80 });
  await sleep(500);
  await lab.faults.powerOff(owner);
  await sleep(3000);
  const { longestOutageMs } = await probe.stop();
  console.info(`power-off while hellos are filtered: outage ${longestOutageMs.toFixed(0)} ms`);
  expect(longestOutageMs).toBeLessThan(WORST_OUTAGE_MS);
  expect(await ownerOf(lab, ip)).not.toBe(owner);
  await lab.faults.powerOn(owner);
  await lab.faults.nodeReady(owner);
  await lab.speakerReady(owner);
});

test("when they pass again the conditions go, and nothing moves", async () => {
  const owner = await ownerOf(lab, ip);
  const probe = await lab.udpProbe({ ip, port: 80 });
  await lab.faults.filterHellos([]);
  await Promise.all(NODE_NAMES.map((node) => blocked(node, "False")));
  await sleep(1000);
  expect((await probe.stop()).lost).toBe(0);
  expect(await ownerOf(lab, ip)).toBe(owner);
});
