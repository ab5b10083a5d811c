import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { parseDocument } from "yaml";
import { systemClock } from "../../src/clock.ts";
import { KubeClient, MERGE_PATCH } from "../../src/kube/client.ts";
import { connect } from "../../src/kube/connection.ts";
import { type Reaper, startReaper } from "../reaper/reaper.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type ControllerProcess, startControllerProcess } from "./controller-process.ts";
import { Follower, keyOf, type Versioned } from "./follower.ts";

/**
 * A real control plane, the controller as a process of its own with exactly the rights of config/rbac, and every version
 * of every Service and pool as the API server tells of them: a test can say what never happened in between.
 */

export interface SeenCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

export interface SeenService extends Versioned {
  readonly metadata: Versioned["metadata"] & {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly type: string; readonly loadBalancerClass?: string };
  readonly status: {
    readonly loadBalancer: { readonly ingress?: readonly { readonly ip?: string; readonly ipMode?: string }[] };
    readonly conditions?: readonly SeenCondition[];
  };
}

interface Usage {
  readonly total: number;
  readonly assigned: number;
  readonly available: number;
}

export interface SeenPool extends Versioned {
  readonly metadata: Versioned["metadata"] & {
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string;
    readonly generation: number;
  };
  readonly status?: {
    readonly ipv4?: Usage;
    readonly ipv6?: Usage;
    readonly stranded?: number;
    readonly conditions?: readonly SeenCondition[];
  };
}

/** The fields of a Service that a test sets; all but the first two are of its spec. */
export interface ServiceFields {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export let plane: ControlPlane;
/** Of the test itself: may do everything. */
export let client: KubeClient;
export let services: Follower<SeenService>;
export let pools: Follower<SeenPool>;
/** The test's own. */
export let namespace = "";

const CONTROLLER = "system:serviceaccount:herald-system:herald-controller";
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/herald-system/leases/herald-controller";
const POOLS = "/apis/heraldlb.io/v1alpha1/ippools";
const NAMESPACES = "/api/v1/namespaces";
const IN_USE = "heraldlb.io/in-use";

let reaper: Reaper;
let running: ControllerProcess[] = [];
let tests = 0;
let starts = 0;
let barriers = 0;
let metricsPort = 0;
/** Services by the address that they have according to both status and record. */
const holders = new Map<string, string>();
/** What should never be, seen in this test. */
let faults: string[] = [];

/** Gives each test of the file a controller and a namespace, and removes what it leaves. */
export function useWorld(): void {
  beforeAll(async () => {
    reaper = await startReaper();
    plane = await startControlPlane({ reaper });
    client = new KubeClient(await connect({ kubeconfig: await plane.kubeconfig() }), { clock: systemClock });
    await plane.kubectl(["apply", "-k", new URL("../../config/default", import.meta.url).pathname]);
    await plane.kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "ippools.heraldlb.io"]);
    await createNamespace("barrier");
    services = new Follower(client, "/api/v1/services");
    pools = new Follower(client, POOLS);
    for (const one of [services, pools]) void one.run();
    services.onVersion(lookForDoubles);
  });
  afterAll(async () => {
    for (const one of [services, pools]) one?.stop();
    await crashControllers();
    client?.close();
    await plane?.stop();
    await reaper?.reap();
  });
  beforeEach(async () => {
    namespace = `t${++tests}`;
    await createNamespace(namespace);
    faults = [];
    if (running.length === 0) await startController();
  });
  afterEach(async () => {
    const found = faults;
    await clear();
    expect(found).toEqual([]);
  });
}

async function clear(): Promise<void> {
  await each(ours().map(keyOf), removeService);
  await client.request({ method: "DELETE", path: POOLS });
  // Nobody needs to wait until the controller has taken the finalizers off.
  for (const { metadata } of pools.all())
    await client.request(patchOf(`${POOLS}/${metadata.name}`, { metadata: { finalizers: null } })).catch(() => {});
  await pools.until(
    () => pools.all().length === 0 || undefined,
    () => `pools are left: ${pools.all().map(keyOf)}`,
  );
  await services.until(
    () => ours().length === 0 || undefined,
    () => `Services are left: ${ours().map(keyOf)}`,
  );
}

/** Does `work` for all, 32 at a time. */
export async function each<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  const worker = async () => {
    for (const one of left) await work(one);
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

/** All Services but the API server's own. */
export function ours(): readonly SeenService[] {
  return services.all().filter((one) => keyOf(one) !== "default/kubernetes");
}

/** Looks whether a new version of a Service has an address that another has, and no key to share it under. */
function lookForDoubles(key: string, version: SeenService | undefined): void {
  for (const [ip, holder] of holders) if (holder === key) holders.delete(ip);
  if (version?.spec.type !== "LoadBalancer" || annotation(version, "sharing-key")) return;
  const noted = annotation(version, "assigned-ips")?.split(",") ?? [];
  for (const ip of ipsOf(version).filter((ip) => noted.includes(ip))) {
    const other = holders.get(ip);
    if (other) faults.push(`${ip} is of both ${other} and ${key}`);
    holders.set(ip, key);
  }
}

/** Starts one more controller, which leads when this resolves unless another does. Flags that come twice count as they come last. */
export async function startController(...flags: readonly string[]): Promise<ControllerProcess> {
  const isFirst = running.length === 0;
  const kubeconfig = ["--kubeconfig", await plane.kubeconfig(CONTROLLER)];
  metricsPort = await freePort();
  const own = ["--identity", `c${++starts}`, "--metrics-address", `127.0.0.1:${metricsPort}`];
  const one = await startControllerProcess(reaper, [...kubeconfig, ...own, ...flags]);
  running.push(one);
  if (isFirst) await leads(one);
  return one;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The value of a metric of the controller that was started last, by its name with labels. */
export async function metric(name: string): Promise<number | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}

/** Starts a controller that reaches the API server through a proxy, on this port of 127.0.0.1. */
export async function startControllerVia(port: number): Promise<ControllerProcess> {
  const config = parseDocument(await readFile(await plane.kubeconfig(CONTROLLER), "utf8"));
  config.setIn(["clusters", 0, "cluster", "server"], `https://127.0.0.1:${port}`);
  config.setIn(["clusters", 0, "cluster", "tls-server-name"], "kubernetes");
  const path = join(plane.directory, `kubeconfig-${port}`);
  await writeFile(path, config.toString(), { mode: 0o600 });
  return await startController("--kubeconfig", path);
}

/** Waits until a controller leads. */
async function leads(one: ControllerProcess): Promise<void> {
  await one.line(({ message }) => message === "leading");
}

/** Ends all controllers in order. */
export async function stopControllers(): Promise<void> {
  for (const one of [...running]) await stop(one);
}

/** Ends one controller in order: it releases its Lease. */
async function stop(one: ControllerProcess): Promise<void> {
  running = running.filter((other) => other !== one);
  expect(await one.end()).toBe(0);
}

/** Kills all controllers, and removes the Lease: its running out is not what most tests are about. */
export async function crashControllers(): Promise<void> {
  for (const one of [...running]) await kill(one);
  await client?.request({ method: "DELETE", path: LEASE }).catch(() => {});
}

async function kill(one: ControllerProcess): Promise<void> {
  running = running.filter((other) => other !== one);
  try {
    process.kill(one.pid, "SIGKILL");
  } catch {} // it has ended by itself
  await one.ended;
}

export async function restartController(...flags: readonly string[]): Promise<ControllerProcess> {
  await stopControllers();
  return await startController(...flags);
}

/** When the cluster is changed: in sight of the controller, or while there is none. */
export const SIGHT = [
  { sight: "while the controller runs", during: async (change: () => Promise<void>) => await change() },
  {
    sight: "while the controller is down",
    during: async (change: () => Promise<void>) => {
      await stopControllers();
      await change();
      await startController();
    },
  },
];

const fullKey = (name: string) => (name.includes("/") ? name : `${namespace}/${name}`);
const servicePath = (name: string) => `${NAMESPACES}/${fullKey(name).replace("/", "/services/")}`;
const patchOf = (path: string, body: object) => ({ method: "PATCH", path, contentType: MERGE_PATCH, body }) as const;

export async function createNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
  await client.request({ method: "POST", path: NAMESPACES, body: { metadata: { name, labels } } });
}

export async function labelNamespace(name: string, labels: Readonly<Record<string, string | null>>): Promise<void> {
  await client.request(patchOf(`${NAMESPACES}/${name}`, { metadata: { labels } }));
}

/** A name with a slash is of another namespace. */
export async function createService(
  name: string,
  { annotations = {}, labels = {}, ...spec }: ServiceFields = {},
): Promise<void> {
  const [of, own] = fullKey(name).split("/");
  const body = {
    metadata: { name: own, annotations, labels },
    spec: { type: "LoadBalancer", ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false, ...spec },
  };
  await client.request({ method: "POST", path: `${NAMESPACES}/${of}/services`, body });
}

export async function patchService(name: string, body: object): Promise<void> {
  await client.request(patchOf(servicePath(name), body));
}

export async function annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
  const named = Object.entries(annotations).map(([key, value]) => [`heraldlb.io/${key}`, value]);
  await patchService(name, { metadata: { annotations: Object.fromEntries(named) } });
}

/** Writes addresses into the status of a Service, as another controller would. */
export async function overwriteStatus(name: string, ...ips: readonly string[]): Promise<void> {
  const ingress = ips.length > 0 ? ips.map((ip) => ({ ip })) : null;
  await client.request(patchOf(`${servicePath(name)}/status`, { status: { loadBalancer: { ingress } } }));
}

export async function removeService(name: string): Promise<void> {
  await client.request({ method: "DELETE", path: servicePath(name) });
}

/** Where a controller runs it has taken up the pool when this resolves. */
export async function createPool(name: string, addresses: readonly string[], more: object = {}): Promise<void> {
  const body = { apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name }, spec: { addresses, ...more } };
  const { metadata } = await client.request<SeenPool>({ method: "POST", path: POOLS, body });
  if (running.length > 0)
    await untilPool(name, (pool) => pool.metadata.uid === metadata.uid && condition(pool, "Ready") !== undefined);
}

export async function patchPool(name: string, body: object, subresource = ""): Promise<void> {
  await client.request(patchOf(`${POOLS}/${name}${subresource}`, body));
}

export async function editPool(name: string, spec: object): Promise<void> {
  await patchPool(name, { spec });
}

export async function removePool(name: string): Promise<void> {
  await client.request({ method: "DELETE", path: `${POOLS}/${name}` });
}

const ipsOf = ({ status }: SeenService) => (status.loadBalancer.ingress ?? []).map(({ ip = "" }) => ip);

/** The addresses in the status now, joined by commas. */
export const ips = (name: string) => ipsOf(seen(name)).join();

/** What the status said from the creation of the Service until now, each change once. */
export function trail(name: string): readonly string[] {
  const all = services.versions(fullKey(name)).map((one) => ipsOf(one).join());
  return all.filter((one, at) => one !== all[at - 1]);
}

/** How often the Service was written, its creation included. */
export const writes = (name: string) => services.versions(fullKey(name)).length;

export function seen(name: string): SeenService {
  const found = services.get(fullKey(name));
  if (found === undefined) throw new Error(`there is no Service ${fullKey(name)}`);
  return found;
}

export const annotation = ({ metadata }: SeenService, name: string) => metadata.annotations?.[`heraldlb.io/${name}`];

/** The record: pool, addresses and time. */
export const recordOf = (service: SeenService) =>
  ["assigned-pool", "assigned-ips", "assigned-at"].map((name) => annotation(service, name));

type WithConditions = { readonly status?: { readonly conditions?: readonly SeenCondition[] } } | undefined;

export const condition = (of: WithConditions, type: string) => of?.status?.conditions?.find((one) => one.type === type);
export const assigned = (of: SeenService) => condition(of, "heraldlb.io/Assigned");
export const stranded = (of: SeenService) => condition(of, "heraldlb.io/Stranded");

/** Waits until a Service is as wanted; what does not come is shown as it was last. */
export async function until(name: string, wanted: (service: SeenService) => boolean): Promise<SeenService> {
  const look = () => {
    const one = services.get(fullKey(name));
    return one && wanted(one) ? one : undefined;
  };
  return await services.until(look, () => `${name} never got there: ${lastSeen(services.get(fullKey(name)))}`);
}

function lastSeen(object: (Versioned & { readonly status?: unknown }) | undefined): string {
  const log = running.flatMap(({ lines }) => lines.slice(-5)).map((line) => JSON.stringify(line));
  return [JSON.stringify(object && { metadata: object.metadata, status: object.status }), ...log].join("\n");
}

export const untilIPs = async (name: string, ips: string) =>
  await until(name, (one) => ipsOf(one).join() === ips && assigned(one)?.status === "True");
export const untilReason = async (name: string, reason: string) =>
  await until(name, (one) => assigned(one)?.reason === reason);

/** Waits until all of these Services have an address, but for `left` of them. */
export async function untilServed(names: readonly string[], left = 0, patienceMs?: number): Promise<void> {
  const waiting = new Set(names.map(fullKey));
  await services.until(
    () => {
      for (const key of waiting) if (ipsOf(services.get(key) ?? NOTHING).length > 0) waiting.delete(key);
      return waiting.size <= left || undefined;
    },
    () => `${waiting.size} wait, as ${lastSeen(services.get([...waiting][0] ?? ""))}`,
    patienceMs,
  );
}

const NOTHING: SeenService = {
  metadata: { name: "", uid: "", resourceVersion: "" },
  spec: { type: "" },
  status: { loadBalancer: {} },
};

export async function untilGone(name: string): Promise<void> {
  await services.until(
    () => services.get(fullKey(name)) === undefined || undefined,
    () => `${name} is still there: ${lastSeen(services.get(fullKey(name)))}`,
  );
}

export async function untilPool(name: string, wanted: (pool: SeenPool) => boolean): Promise<SeenPool> {
  const look = () => {
    const one = pools.get(name);
    return one && wanted(one) ? one : undefined;
  };
  return await pools.until(look, () => `pool ${name} never got there: ${lastSeen(pools.get(name))}`);
}

/** Waits until a condition of a pool is there for its present spec. */
export async function untilPoolSays(name: string, type: string, reason: string): Promise<SeenPool> {
  return await untilPool(name, (pool) => condition(pool, type)?.reason === reason);
}

export async function untilPoolGone(name: string): Promise<void> {
  await pools.until(
    () => pools.get(name) === undefined || undefined,
    () => `pool ${name} is still there: ${lastSeen(pools.get(name))}`,
  );
}

/** Waits until the controller keeps a pool in existence. */
export const untilHeld = async (name: string) =>
  await untilPool(name, ({ metadata }) => metadata.finalizers?.includes(IN_USE) ?? false);

/**
 * Waits until the controller has heard of all that was written before, and has written what it then had to: it gives a
 * Service an address that its pool did not have before, and another after that.
 */
export async function settled(): Promise<void> {
  const top = `198.18.${barriers >> 7}.${((barriers++ % 128) * 2 + 1) % 256}`;
  const addresses = [`198.18.0.0-${top}`];
  if (pools.get("barrier")) await editPool("barrier", { addresses });
  else await createPool("barrier", addresses, { autoAssign: false });
  for (const name of [`barrier/a${barriers}`, `barrier/b${barriers}`]) {
    await createService(name, { annotations: { "heraldlb.io/ips": top } });
    await untilIPs(name, top);
    await removeService(name);
    await untilGone(name);
  }
}

/** All Services as they are, without those of `settled`. */
export function versions(): Readonly<Record<string, string>> {
  const all = ours().filter(({ metadata }) => metadata.namespace !== "barrier");
  return Object.fromEntries(all.map((one) => [keyOf(one), one.metadata.resourceVersion]));
}
