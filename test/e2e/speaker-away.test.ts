import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import { addressOf, IPV6_ONLY, macOf, ownerOf, pool, reachable, service, startProduct } from "./product.ts";
import { type Seen, watching as watchingIPs } from "./watching.ts";

/** What a client sees while a speaker is away, or gives its IPs away: nothing. Of both families, at one time. */

const NAMES = ["web", "web6"];
/** How long an ARP request or a neighbor solicitation may go unanswered: when a speaker dies, and when it ends as planned. */
const DIED_MS = 150;
const PLANNED_MS = 50;
/** On a machine that is busy with other things, a speaker that should answer waits for its turn. */
const SCHEDULING_MS = 100;

let lab: Lab;
let ips: readonly string[];
beforeAll(async () => {
  lab = await startProduct({ nodeGraceMs: 40_000 });
  for (const node of NODE_NAMES) await lab.createPod({ name: `demo-${node}`, node });
  await lab.kubectl(["apply", "--filename=-"], pool("six", "2001:db8:1::200-2001:db8:1::220"));
  await lab.kubectl(["apply", "--filename=-"], service("web"));
  await lab.kubectl(["apply", "--filename=-"], service("web6", IPV6_ONLY));
  ips = await Promise.all(NAMES.map((name) => addressOf(lab, name)));
  for (const ip of ips) await reachable(lab, { ip });
  await sleep(4000); // announcements and records of the first claims are over
});
afterAll(() => lab?.stop());

/** Runs `act` while the client sends, and asks for the addresses. */
async function watching(act: () => Promise<void>): Promise<readonly Seen[]> {
  const { seen } = await watchingIPs(lab, ips, act);
  for (const { ip, udp, ...figures } of seen) console.info(`${expect.getState().currentTestName}: ${ip}`, figures);
  return seen;
}

function expectUnmoved(seen: readonly Seen[], owners: ReadonlyMap<string, NodeName>, silenceMs: number): void {
  for (const { ip, macs, lost, broken, silenceMs: silence } of seen) {
    expect(macs, `who answers for ${ip}`).toEqual([macOf(owners.get(ip) as NodeName)]);
    expect({ ip, lost, broken }).toEqual({ ip, lost: 0, broken: 0 });
    expect(silence, `silence of ${ip}`).toBeLessThanOrEqual(silenceMs + SCHEDULING_MS);
  }
}

async function owners(): Promise<ReadonlyMap<string, NodeName>> {
  return new Map(await Promise.all(ips.map(async (ip) => [ip, await ownerOf(lab, ip)] as const)));
}

const OPTIONS = { timeout: 120_000 };

test.each([
  { signal: "SIGKILL", silenceMs: DIED_MS },
  { signal: "SIGTERM", silenceMs: PLANNED_MS },
] as const)(
  "$signal to the owners' speakers, each back after 3 s: nothing is lost and no MAC changes",
  OPTIONS,
  async ({ signal, silenceMs }) => {
    const before = await owners();
    const seen = await watching(async () => {
      for (const node of new Set(before.values())) {
        await lab.herald.speaker(node).stop(signal);
        await sleep(3000);
        await lab.herald.speaker(node).start();
        await lab.speakerReady(node);
        await sleep(1500); // its record is written
      }
    });
    expectUnmoved(seen, before, silenceMs);
    expect(await owners()).toEqual(before);
  },
);

test("a rolling restart of all speakers: nothing is lost and no MAC changes", OPTIONS, async () => {
  const before = await owners();
  const seen = await watching(async () => {
    for (const node of NODE_NAMES) {
      await lab.herald.speaker(node).restart("SIGTERM");
      await lab.speakerReady(node);
    }
  });
  expectUnmoved(seen, before, PLANNED_MS);
  expect(await owners()).toEqual(before);
});

test("the owners' speakers hang for 10 s: nothing is lost and no MAC changes", OPTIONS, async () => {
  const before = await owners();
  const seen = await watching(async () => {
    for (const node of new Set(before.values())) {
      lab.herald.speaker(node).signal("SIGSTOP");
      await sleep(10_000);
      lab.herald.speaker(node).signal("SIGCONT");
      await sleep(2000);
    }
  });
  expectUnmoved(seen, before, DIED_MS);
  expect(await owners()).toEqual(before);
});

test(
  "with the API server away the owners' speakers are killed, and start: nothing is lost and no MAC changes",
  OPTIONS,
  async () => {
    const before = await owners();
    const seen = await watching(async () => {
      await lab.controlPlane.stopApiServer("SIGKILL");
      for (const node of new Set(before.values())) await lab.herald.speaker(node).restart("SIGKILL");
      await sleep(5000);
      await lab.controlPlane.startApiServer();
      for (const node of NODE_NAMES) await lab.speakerReady(node);
      await sleep(1500);
    });
    expectUnmoved(seen, before, DIED_MS);
    expect(await owners()).toEqual(before);
  },
);

test("the owners' management NICs are cut for 5 s: nobody notices", OPTIONS, async () => {
  const before = await owners();
  const nodes = [...new Set(before.values())];
  const seen = await watching(async () => {
    for (const node of nodes) await lab.faults.cut(node, "management");
    await sleep(5000);
    for (const node of nodes) await lab.faults.join(node, "management");
    await sleep(2000);
  });
  expectUnmoved(seen, before, 0);
  expect(await owners()).toEqual(before);
});

test("a node is evacuated: its IPs move and nothing is lost; it takes nothing back", OPTIONS, async () => {
  const before = await owners();
  const leaver = before.get(ips[0] as string) as NodeName;
  const seen = await watching(async () => {
    await lab.faults.evacuate(leaver, true);
    await sleep(3000);
  });
  const after = await owners();
  for (const { ip, lost, doubleMs } of seen) {
    expect({ ip, lost }).toEqual({ ip, lost: 0 });
    expect(doubleMs, `two MACs for ${ip}`).toBeLessThanOrEqual(DIED_MS);
    expect(after.get(ip)).not.toBe(leaver);
  }
  await lab.faults.evacuate(leaver, false);
  await sleep(2000);
  expect(await owners()).toEqual(after);
});

test("SIGTERM to the speaker of a cordoned node hands its IPs over, and nothing is lost", OPTIONS, async () => {
  const before = await owners();
  const leaver = before.get(ips[0] as string) as NodeName;
  await lab.kubectl(["cordon", leaver]);
  await sleep(500);
  const seen = await watching(async () => {
    await lab.herald.speaker(leaver).stop("SIGTERM");
    await sleep(1000);
  });
  const after = await owners();
  for (const { ip, lost } of seen) {
    expect({ ip, lost }).toEqual({ ip, lost: 0 });
    expect(after.get(ip)).not.toBe(leaver);
  }
  await lab.faults.undrain(leaver);
  await lab.herald.speaker(leaver).start();
  await lab.speakerReady(leaver);
  expect(await owners()).toEqual(after);
});
