import { setTimeout as sleep } from "node:timers/promises";
import { macOf } from "../../e2e/product.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName, type Space } from "../../lab/plan.ts";
import type { Row, Stage } from "./row.ts";
import { familyOf, ownerOfBoth, ownersOf, type Served, serve } from "./served.ts";

const SPLIT_MS = 30_000;
const SERVED_BAR = 600;
const DOUBLE_BAR = 200;
const CACHES_BAR = 1500;
const WATCHED_MS = 4000;
/** Clients on the two sides: the second is the gateway. */
const CLIENTS = ["client", "rtr"] as const satisfies readonly Space[];

/** The segment falls in two, each with a client, for 30 s. Pods serve on their own node, so each side has some. */
export const PARTITION: readonly Row[] = [
  row("split-owner-alone", (owner) => [owner, "client"]),
  row("split-other-alone", (_, other) => [other, "client"]),
];

function row(name: string, side: (owner: NodeName, other: NodeName) => readonly Space[]): Row {
  return { name, size: 3, measure: (stage) => measure(stage, side) };
}

async function measure(
  { lab, size, bars }: Stage,
  sideOf: (owner: NodeName, other: NodeName) => readonly Space[],
): Promise<void> {
  const served = await serve(lab, 6, { externalTrafficPolicy: "Local" });
  const outages = new Map<string, number[]>();
  let doubleMs = 0;
  const cachesMs: number[] = [];
  for (let run = 0; run < size; run++) {
    const { node: owner, own } = ownerOfBoth(await ownersOf(lab, served));
    const other = NODE_NAMES.filter((one) => one !== owner)[run % 2] as NodeName;
    const capture = await lab.capture({ asks: own.map(({ ip }) => ip), intervalMs: 10 });
    const probes = await Promise.all(
      CLIENTS.flatMap((client) =>
        own.map(async (one) => ({ one, client, udp: await lab.udpProbe({ ip: one.ip, port: 80 }, client) })),
      ),
    );
    await sleep(500 + Math.random() * 100);
    await lab.faults.split(sideOf(owner, other));
    await sleep(SPLIT_MS);
    for (const { one, udp } of probes) {
      const { longestOutageMs } = await udp.stop();
      outages.set(familyOf(one), [...(outages.get(familyOf(one)) ?? []), longestOutageMs]);
    }
    const healedAt = Date.now();
    const healed = performance.now();
    await lab.faults.split([]);
    cachesMs.push(await cachesRight(lab, own, healed));
    await capture.stop();
    for (const { ip } of own)
      for (const { from, ms } of capture.doubles(ip)) if (from > healedAt - 10) doubleMs = Math.max(doubleMs, ms);
    await sleep(8000); // the nodes of the other side count as returned for a while
  }
  for (const [family, values] of outages) {
    bars.spread(`each side served, ${family}`, values, "ms", { median: SERVED_BAR, worst: SERVED_BAR });
  }
  bars.show("two MACs after the healing", doubleMs, "ms", DOUBLE_BAR);
  bars.show("all caches right after the healing", Math.max(...cachesMs), "ms", CACHES_BAR, { all: cachesMs });
}

/** Watches the caches of both clients for a while; gives when the last of them became what its IP's owner is in the end. */
async function cachesRight(lab: Lab, own: readonly Served[], since: number): Promise<number> {
  const caches = CLIENTS.flatMap((client) => own.map((one) => ({ client, one, mac: "", atMs: 0 })));
  while (performance.now() - since < WATCHED_MS) {
    const macs = await Promise.all(caches.map(({ one, client }) => lab.neighbour(one.ip, client)));
    for (const [index, mac = ""] of macs.entries()) {
      const cache = caches[index] as (typeof caches)[number];
      if (mac !== cache.mac) Object.assign(cache, { mac, atMs: performance.now() - since });
    }
  }
  const owners = await ownersOf(lab, own);
  const wrong = caches.some(({ one, mac }) => mac !== macOf(owners.get(one) as NodeName));
  return wrong ? Number.POSITIVE_INFINITY : Math.max(...caches.map(({ atMs }) => atMs));
}
