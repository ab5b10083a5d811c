import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import { addressOf, ownerOf, reachable, service, startProduct } from "./product.ts";

/** Restarts that must leave no trace: what a leak of one descriptor each would show beyond doubt. HERALD_RESTARTS for more. */
const RESTARTS = Number(process.env.HERALD_RESTARTS ?? 20);
/** Each takes 2 to 4 s. */
const TIMEOUT_MS = 600_000;
/** Kept connections come and go by a handful; what leaks one at each restart, or at every second, is beyond this. */
const SPARE_DESCRIPTORS = RESTARTS / 2 - 1;
/** Each address is announced once a minute though nothing happens, at times spread by chance. */
const LEAST_REFRESH_MS = 45_000;
/** Restarts before the first measurement: caches and pools are filled by then. */
const WARM_UP = 5;

let lab: Lab;
beforeAll(async () => {
  // With the lab's own short grace Kubernetes would take the nodes, and with them the pods, for dead.
  lab = await startProduct({ nodeGraceMs: 40_000 });
  await lab.createPod({ name: "demo-1", node: "n1" });
  await lab.kubectl(["apply", "--filename=-"], service("web"));
});
afterAll(() => lab?.stop());

interface Use {
  readonly descriptors: number;
  readonly memoryMB: number;
}

function uses(): ReadonlyMap<string, Use> {
  const processes = [
    ["controller", lab.herald.controller],
    ...NODE_NAMES.map((node) => [node, lab.herald.speaker(node)] as const),
  ] as const;
  return new Map(
    processes.map(([name, { pid }]) => {
      const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return [name, { descriptors: readdirSync(`/proc/${pid}/fd`).length, memoryMB: Number(resident) / 1024 }];
    }),
  );
}

test(
  `an API server that goes and comes ${RESTARTS} times: nothing is announced twice, nothing leaks, watches resume`,
  async () => {
    const ip = await addressOf(lab, "web");
    await reachable(lab, { ip });
    const owner = await ownerOf(lab, ip);
    await sleep(3000); // the last of the gratuitous ARPs of the first claim
    const capture = await lab.capture();
    const probe = await lab.udpProbe({ ip, port: 80, intervalUs: 10_000 });
    let before = uses();
    for (let restart = 0; restart < RESTARTS + WARM_UP; restart++) {
      if (restart === WARM_UP) before = uses();
      await lab.controlPlane.stopApiServer("SIGKILL");
      await lab.controlPlane.startApiServer();
      await heartbeats();
    }
    // The watches are there again: a new Service is served.
    // After so many failures each, speakers wait up to 10 s and kube-controller-manager up to 30 s before the next try.
    await lab.kubectl(["apply", "--filename=-"], service("after"));
    await ownerOf(lab, await addressOf(lab, "after"), 60_000);
    const report = await probe.stop();
    await capture.stop();
    const refreshes = Math.ceil(report.durationMs / LEAST_REFRESH_MS);
    expect(capture.gratuitous(ip).length, "announced again").toBeLessThanOrEqual(2 * refreshes); // request and reply
    expect(report.lost).toBe(0);
    expect(await ownerOf(lab, ip)).toBe(owner);
    for (const [name, { descriptors, memoryMB }] of uses()) {
      const first = before.get(name) as Use;
      console.info(
        `${name}: descriptors ${first.descriptors} -> ${descriptors}, MB ${first.memoryMB | 0} -> ${memoryMB | 0}`,
      );
      expect(descriptors, `descriptors of ${name}`).toBeLessThanOrEqual(first.descriptors + SPARE_DESCRIPTORS);
      expect(memoryMB, `memory of ${name} in MB, at first ${first.memoryMB}`).toBeLessThan(first.memoryMB + 25);
    }
  },
  TIMEOUT_MS,
);

test("with the API server away a dead node's IP still moves", async () => {
  const ip = await addressOf(lab, "web");
  const owner = await ownerOf(lab, ip);
  await lab.controlPlane.stopApiServer("SIGKILL");
  await lab.faults.cut(owner, "data");
  expect(await ownerOf(lab, ip)).not.toBe(owner);
  await lab.faults.join(owner, "data");
  await lab.controlPlane.startApiServer();
});

/** Waits until every node's heartbeat came through again. */
async function heartbeats(): Promise<void> {
  const since = Date.now();
  const renewed = (node: NodeName) =>
    lab.until(
      `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`,
      `the heartbeat of ${node} is renewed`,
      (lease) => Date.parse(lease?.spec?.renewTime) > since,
    );
  await Promise.all(NODE_NAMES.map(renewed));
}
