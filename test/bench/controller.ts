import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { API_VERSION } from "../../src/api/names.ts";
import { systemClock } from "../../src/clock.ts";
import { formatIP, parseIP } from "../../src/ipam/addresses.ts";
import { KubeClient, MERGE_PATCH } from "../../src/kube/client.ts";
import { connect } from "../../src/kube/connection.ts";
import type { ControlPlane } from "../cluster/control-plane.ts";
import { type Reaper, startReaper } from "../reaper/reaper.ts";
import type { Benchmark, Figure } from "./figure.ts";
import { readApiWrites, writesBetween } from "./load/api-writes.ts";
import type { LoopReport, MeasuredProcess } from "./load/measured-process.ts";
import { Observer } from "./load/observer.ts";
import { buildProduct, startController, startPlane } from "./load/product.ts";
import { byWriters, createService, deleteService, namesOf, patchBare } from "./load/services.ts";

const SERVICES = 10_000;
/** CPU time that the controller may spend on them. */
const CPU_S = 14;
/**
 * The event loop is watched over the last part of a burst, when there is most to walk over: 50 looks a second would be a
 * tenth of the CPU that is measured over all of it.
 */
const WATCHED_SHARE = 0.1;
/** Services that are there when a single one is measured for the first time. */
const FEW = 100;
/** Odd, so that the median is one of them. */
const SINGLES = 31;
const WAITING = 1000;
const IDLE_MS = 30_000;
/** Long enough for what would be written for no reason to be written. */
const QUIET_MS = 3000;
const ALL_WITHIN_MS = 600_000;
const POOL = "bench";
const POOL_PATH = `/apis/${API_VERSION}/ippools`;
const FIRST = parseIP("10.64.0.0");

/** What the stages share. */
interface Stage {
  readonly emit: (figure: Figure) => void;
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  readonly observer: Observer;
}

/**
 * Measures the controller against a real API server, with as many Services as `size` says (10 000 by default). All that
 * runs shares the machine: etcd, the API server, the 32 writers, and the product, built and in the surroundings of a Pod.
 */
export const run: Benchmark = async (emit, size = SERVICES) => {
  const reaper = await startReaper();
  try {
    const main = await buildProduct(reaper);
    const floorMs = await onPlane(reaper, emit, (stage) => measureFloor(stage, size));
    await onPlane(reaper, emit, async (stage) => {
      const start = () => startController(reaper, stage.plane, main);
      let controller = await start();
      await createPool(stage.client);
      await byWriters(namesOf("few", FEW), (name) => createService(stage.client, name));
      await addressesOf(stage, FEW);
      const fewMs = await measureSingles(stage, FEW);
      await measureBurst(stage, controller, size, floorMs);
      await measureSingles(stage, size, fewMs);
      controller = await measureRestart(stage, controller, start, size);
      await measureEdits(stage, controller, size);
      await measureFull(stage, controller);
      await controller.stop();
    });
  } finally {
    await reaper.reap();
  }
};

async function onPlane<T>(
  reaper: Reaper,
  emit: (figure: Figure) => void,
  stages: (stage: Stage) => Promise<T>,
): Promise<T> {
  const plane = await startPlane(reaper);
  const client = new KubeClient(await connect({ kubeconfig: await plane.kubeconfig() }), { clock: systemClock });
  const observer = await Observer.start(client);
  try {
    return await stages({ emit, plane, client, observer });
  } finally {
    observer.stop();
    client.close();
    await plane.stop();
  }
}

/** Gives how long the API server alone takes for the creation and one write of each status. */
async function measureFloor({ client, observer, emit }: Stage, size: number): Promise<number> {
  const names = namesOf("web", size);
  // As many as are there with the controller: the more there are, the longer the API server takes to create one.
  await byWriters(namesOf("few", FEW + SINGLES), (name) => createService(client, name));
  progress(`creating ${size} Services without a controller`);
  const createdMs = await byWriters(names, (name) => createService(client, name));
  progress("writing their status");
  const patchedMs = await byWriters(names, (name) => patchBare(client, name));
  await observer.until("all statuses seen", () => observer.addresses.size === size, ALL_WITHIN_MS);
  emit({ name: `creating ${size} Services, no controller`, value: createdMs, unit: "ms", load: loadavg()[0] });
  emit({ name: `${size} bare status patches`, value: patchedMs, unit: "ms", load: loadavg()[0] });
  return createdMs + patchedMs;
}

async function measureBurst(
  { client, observer, plane, emit }: Stage,
  controller: MeasuredProcess,
  size: number,
  floorMs: number,
): Promise<void> {
  progress(`creating ${size} Services with the controller`);
  const [writes, cpuS, present] = [await readApiWrites(plane), controller.cpuS(), observer.addresses.size];
  const started = performance.now();
  const names = namesOf("web", size);
  const watchedFrom = names[Math.floor(size * (1 - WATCHED_SHARE))];
  const createdMs = await byWriters(names, async (name) => {
    if (name === watchedFrom) controller.watchLoop();
    await createService(client, name);
  });
  await addressesOf({ observer }, present + size);
  const lastAt = Math.max(...[...observer.addresses.values()].map(({ at }) => at));
  const [value, load] = [lastAt - started, loadavg()[0]];
  const name = `${size} Services with an address`;
  emit({ name, value, unit: "ms", limit: floorMs, ratio: value / floorMs, createdMs, load });
  progress("waiting for the last events");
  const total = await settled(plane, writes, "POST events");
  const drainedMs = performance.now() - started;
  const [spentS, limit] = [controller.cpuS() - cpuS, (CPU_S * size) / SERVICES];
  emit({ name: "controller's CPU for them", value: spentS, unit: "s", limit, ratio: spentS / limit, drainedMs });
  emitProcess(emit, `with ${size} Services`, controller, await controller.loop());
  const perService = Object.fromEntries(Object.entries(total).map(([what, times]) => [what, times / size]));
  emit({ name: "status writes a Service", value: perService["PATCH services/status"] ?? 0, unit: "1", ...perService });
  emit({ name: "events a Service", value: perService["POST events"] ?? 0, unit: "1" });
}

/** Waits until nothing of that kind has been written for a while; gives what was written since `before`. */
async function settled(
  plane: ControlPlane,
  before: Awaited<ReturnType<typeof readApiWrites>>,
  kind: string,
): Promise<Readonly<Record<string, number>>> {
  for (let last = -1; ; ) {
    const now = writesBetween(before, await readApiWrites(plane));
    if ((now[kind] ?? 0) === last) return now;
    last = now[kind] ?? 0;
    await sleep(QUIET_MS);
  }
}

/**
 * Measures how long a single new Service waits for its address, from the moment on in which its creator hears that it is
 * there: the more Services there are, the longer the API server takes to create one. The limit, one by one in between,
 * is a Service whose status its creator writes at once.
 */
async function measureSingles(stage: Stage, present: number, fewMs?: number): Promise<number> {
  const { client, observer, plane, emit } = stage;
  progress(`one new Service at a time, with ${present} present`);
  await settled(plane, await readApiWrites(plane), "POST events");
  const before = await readApiWrites(plane);
  const [values, limits, creations]: [number[], number[], number[]] = [[], [], []];
  for (const index of Array(SINGLES).keys()) {
    for (const bare of [true, false]) {
      const name = `${bare ? "bare" : "single"}-${present}-${index}`;
      const begun = performance.now();
      await createService(client, name, bare ? "example.com/other" : undefined);
      const created = performance.now();
      creations.push(created - begun);
      if (bare) await patchBare(client, name);
      await observer.until(`${name} has an address`, () => observer.addresses.has(name), 30_000);
      (bare ? limits : values).push((observer.addresses.get(name)?.at ?? Number.NaN) - created);
      if (bare) await deleteService(client, name);
      await sleep(50);
    }
  }
  const total = await settled(plane, before, "POST events");
  const [value, limit, createMs] = [median(values), median(limits), median(creations)];
  const statusWrites = ((total["PATCH services/status"] ?? 0) - SINGLES) / SINGLES;
  const details = { createMs, statusWrites, events: (total["POST events"] ?? 0) / SINGLES, load: loadavg()[0] };
  const ratios = { ratio: value / limit, ...(fewMs !== undefined && { ratioToFew: value / fewMs }) };
  emit({ name: `one new Service, ${present} present`, value, unit: "ms", limit, ...ratios, ...details });
  return value;
}

/** Ends the controller, creates a Service, and starts it anew; gives the new one. */
async function measureRestart(
  { client, observer, plane, emit }: Stage,
  controller: MeasuredProcess,
  start: () => Promise<MeasuredProcess>,
  size: number,
): Promise<MeasuredProcess> {
  progress(`restarting the controller with ${size} Services`);
  const idleFrom = controller.cpuS();
  await sleep(10_000);
  emit({ name: `idle with ${size} Services`, value: (controller.cpuS() - idleFrom) * 6, unit: "s CPU a minute" });
  await controller.stop();
  await createService(client, "late");
  const [before, writes, moves] = [new Map(observer.addresses), await readApiWrites(plane), observer.moves];
  const again = await start();
  // Nothing waits for it while its modules are loaded.
  await observer.until("the controller starts", () => again.log.includes("controller starts"), 60_000);
  again.watchLoop();
  await observer.until("the new Service has an address", () => observer.addresses.has("late"), 60_000);
  const servedMs = (observer.addresses.get("late")?.at ?? Number.NaN) - again.startedAt;
  await sleep(QUIET_MS);
  const total = writesBetween(writes, await readApiWrites(plane));
  const moved = [...before].filter(([name, { ip }]) => observer.addresses.get(name)?.ip !== ip).length;
  emit({ name: "restart until a new Service is served", value: servedMs, unit: "ms", cpuS: again.cpuS(), ...total });
  emit({ name: "moved by the restart", value: moved + observer.moves - moves, unit: "Services" });
  emitProcess(emit, "after a restart", again, await again.loop());
  return again;
}

/** Edits the pool in ways that concern nobody who has an address of it. */
async function measureEdits({ client, plane, emit }: Stage, controller: MeasuredProcess, size: number): Promise<void> {
  const edits = {
    "an annotation": { metadata: { annotations: { "example.com/edited": "yes" } } },
    "the priority": { spec: { priority: 10 } },
    "a range cut in two": { spec: { addresses: ["10.64.0.0-10.64.255.255", "10.65.0.0/16"] } },
  };
  for (const [what, body] of Object.entries(edits)) {
    progress(`editing the pool: ${what}`);
    const [before, cpuS] = [await readApiWrites(plane), controller.cpuS()];
    controller.watchLoop();
    await client.request({ method: "PATCH", path: `${POOL_PATH}/${POOL}`, contentType: MERGE_PATCH, body });
    await sleep(QUIET_MS);
    const total = writesBetween(before, await readApiWrites(plane));
    const value = total["PATCH services/status"] ?? 0;
    const spent = { cpuS: controller.cpuS() - cpuS, ...(await controller.loop()) };
    emit({ name: `pool of ${size} edited, ${what}: Services written`, value, unit: "writes", ...spent, ...total });
  }
}

/** Narrows the pool to what is held, has Services wait for it, and gives back one address. */
async function measureFull(stage: Stage, controller: MeasuredProcess): Promise<void> {
  const { client, observer, plane, emit } = stage;
  const held = observer.addresses.size;
  if (FIRST === undefined) throw new Error("no first address");
  const last = formatIP({ ...FIRST, value: FIRST.value + BigInt(held - 1) });
  const spec = { addresses: [`${formatIP(FIRST)}-${last}`] };
  await client.request({ method: "PATCH", path: `${POOL_PATH}/${POOL}`, contentType: MERGE_PATCH, body: { spec } });
  progress(`${WAITING} Services wait for a full pool`);
  await byWriters(namesOf("waiting", WAITING), (name) => createService(client, name));
  await observer.until("all say that they wait", () => observer.refused.size === WAITING, 60_000);
  const events = await readApiWrites(plane);
  await settled(plane, events, "POST events");
  const [idleFrom, before] = [controller.cpuS(), await readApiWrites(plane)];
  await sleep(IDLE_MS);
  const idle = writesBetween(before, await readApiWrites(plane));
  const value = ((controller.cpuS() - idleFrom) * 60_000) / IDLE_MS;
  emit({ name: `idle, ${WAITING} waiting for a full pool`, value, unit: "s CPU a minute", ...idle });

  const [freed, cpuS] = [await readApiWrites(plane), controller.cpuS()];
  const [{ name, ip }] = [...observer.addresses].map(([name, { ip }]) => ({ name, ip })) as [
    { name: string; ip: string },
  ];
  const started = performance.now();
  await deleteService(client, name);
  const taker = () => [...observer.addresses].find(([, address]) => address.ip === ip);
  await observer.until("somebody has the freed address", () => taker() !== undefined, 30_000);
  const servedMs = (taker()?.[1].at ?? Number.NaN) - started;
  await sleep(QUIET_MS);
  const total = writesBetween(freed, await readApiWrites(plane));
  const served = WAITING - observer.refused.size;
  const spent = { servedMs, cpuS: controller.cpuS() - cpuS };
  const writes = total["PATCH services/status"] ?? 0;
  emit({ name: "one address freed: Services written", value: writes, unit: "writes", served, ...spent, ...total });
}

async function createPool(client: KubeClient): Promise<void> {
  const spec = { addresses: ["10.64.0.0-10.65.255.255"] };
  const body = { apiVersion: API_VERSION, kind: "IPPool", metadata: { name: POOL }, spec };
  await client.request({ method: "POST", path: POOL_PATH, body });
}

/** Waits until so many Services have an address. */
async function addressesOf({ observer }: Pick<Stage, "observer">, count: number): Promise<void> {
  await observer.until(`${count} have an address`, () => observer.addresses.size === count, ALL_WITHIN_MS, 20);
}

function emitProcess(emit: Stage["emit"], when: string, process: MeasuredProcess, loop: LoopReport): void {
  const { now, most } = process.memoryMB();
  const memory = { value: now, unit: "MB", limit: 150, ratio: now / 150, most, heapMB: loop.heapMB };
  emit({ name: `controller's memory ${when}`, ...memory });
  // What the machine takes away, the limit does not mean.
  const { longestCpuMs: value, longestMs: byTheClockMs } = loop;
  emit({ name: `event loop blocked at most ${when}`, value, unit: "ms", limit: 50, ratio: value / 50, byTheClockMs });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function progress(text: string): void {
  console.error(`bench: ${text}`);
}
