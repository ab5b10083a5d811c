import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { runController } from "../../src/controller/controller.ts";
import { KubeClient, type KubeRequest } from "../../src/kube/client.ts";
import { connect } from "../../src/kube/connection.ts";
import { noLog } from "../../src/log.ts";
import { oneByOne } from "../unit/one-by-one.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { installCrds } from "./crds.ts";

/** A control plane with controllers on it, and what tests of the controller ask of both. Pools belong to the whole cluster. */

export let plane: ControlPlane;
/** Of the test itself: may do everything. */
export let client: KubeClient;
/** The test's own. */
export let namespace = "";

let counter = 0;
const running: Running[] = [];

/** Starts a control plane for the tests of this file, gives each a namespace, and removes what it leaves. */
export function useControlPlane(): void {
  beforeAll(async () => {
    plane = await startControlPlane();
    await installCrds(plane);
    await plane.kubectl(["create", "namespace", "herald-system"]);
    client = new KubeClient(await connect({ kubeconfig: await plane.kubeconfig() }), { clock: systemClock });
  });
  afterAll(async () => {
    client?.close();
    await plane?.stop();
  });
  beforeEach(async () => {
    namespace = `t${++counter}`;
    await client.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name: namespace } } });
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
    for (const { metadata } of (await listServices()).items)
      await client.request({
        method: "DELETE",
        path: `/api/v1/namespaces/${metadata.namespace}/services/${metadata.name}`,
      });
    await client.request({ method: "DELETE", path: POOLS });
    // Nobody is left to take the finalizers off.
    const left = await client.request<{ items: { metadata: { name: string } }[] }>({ method: "GET", path: POOLS });
    for (const { metadata } of left.items) await patchPool(metadata.name, { metadata: { finalizers: null } });
  });
}

export interface Running {
  readonly registry: Registry;
  /** What it has asked of the API server: "PATCH /api/v1/...". Watches don't count. */
  readonly requests: readonly string[];
  readonly stop: () => Promise<void>;
  readonly ready: Promise<void>;
}

export interface StartOptions {
  /** Decides nothing but the name in the Lease. */
  readonly identity?: string;
  readonly classOnly?: boolean;
  /** Is awaited before each request. */
  readonly before?: (request: KubeRequest) => Promise<void>;
}

/** Runs a controller in this process. */
export async function start({ identity = "one", classOnly = false, before }: StartOptions = {}): Promise<Running> {
  const over = new AbortController();
  const registry = new Registry();
  const ready = Promise.withResolvers<void>();
  const requests: string[] = [];
  const own = new KubeClient(await connect({ kubeconfig: await plane.kubeconfig() }), { clock: systemClock });
  const ask = own.request.bind(own);
  own.request = async <T>(request: KubeRequest) => {
    await before?.(request);
    requests.push(`${request.method} ${request.path}`);
    return await ask<T>(request);
  };
  const ended = runController({
    client: own,
    namespace: "herald-system",
    identity,
    clock: systemClock,
    random: Math.random,
    log: noLog,
    registry,
    signal: over.signal,
    ready: () => ready.resolve(),
    classOnly,
  });
  const stop = async () => {
    over.abort();
    await ended;
    own.close();
  };
  const one = { registry, requests, stop, ready: ready.promise };
  running.push(one);
  return one;
}

/** Stops the controllers that run. */
export async function stopAll(): Promise<void> {
  for (const one of running.splice(0)) await one.stop();
}

export const MERGE = "application/merge-patch+json";
const POOLS = "/apis/heraldlb.io/v1alpha1/ippools";

/** What the tests read of a Service. */
export interface SeenService {
  readonly metadata: {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly annotations?: Record<string, string>;
  };
  readonly spec: { readonly type: string };
  readonly status: {
    readonly loadBalancer: { readonly ingress?: { ip?: string; ipMode?: string; hostname?: string }[] };
    readonly conditions?: SeenCondition[];
  };
}

export interface SeenCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export interface SeenPool {
  readonly metadata: {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly finalizers?: string[];
    readonly deletionTimestamp?: string;
  };
  readonly status?: {
    readonly ipv4?: { total: number; assigned: number; available: number };
    readonly ipv6?: { total: number; assigned: number; available: number };
    readonly stranded?: number;
    readonly conditions?: SeenCondition[];
  };
}

export const ips = (service: SeenService) => (service.status.loadBalancer.ingress ?? []).map(({ ip }) => ip);
export const condition = (
  { status }: { readonly status?: { readonly conditions?: SeenCondition[] } },
  wanted: string,
) => status?.conditions?.find(({ type }) => type === wanted);
export const assigned = (service: SeenService) => condition(service, "heraldlb.io/Assigned");
export const stranded = (service: SeenService) => condition(service, "heraldlb.io/Stranded");

export const path = (name: string, of = namespace) => `/api/v1/namespaces/${of}/services/${name}`;

/** All but the API server's own. */
export async function listServices(): Promise<{
  items: (SeenService & { metadata: { name: string; namespace: string } })[];
}> {
  const all = await client.request<Awaited<ReturnType<typeof listServices>>>({
    method: "GET",
    path: "/api/v1/services",
  });
  return { items: all.items.filter(({ metadata }) => metadata.name !== "kubernetes") };
}

export async function createPool(name: string, addresses: string[], more: object = {}): Promise<void> {
  const body = { apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name }, spec: { addresses, ...more } };
  await client.request({ method: "POST", path: POOLS, body });
}

export async function patchPool(name: string, body: object, subresource = ""): Promise<void> {
  await client.request({ method: "PATCH", path: `${POOLS}/${name}${subresource}`, contentType: MERGE, body });
}

export async function removePool(name: string): Promise<void> {
  await client.request({ method: "DELETE", path: `${POOLS}/${name}` });
}

export async function getPool(name: string): Promise<SeenPool> {
  return await client.request<SeenPool>({ method: "GET", path: `${POOLS}/${name}` });
}

export async function createService(name: string, spec: object = {}, annotations: object = {}): Promise<SeenService> {
  const body = {
    metadata: { name, annotations },
    spec: { type: "LoadBalancer", ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false, ...spec },
  };
  return await client.request<SeenService>({ method: "POST", path: `/api/v1/namespaces/${namespace}/services`, body });
}

export async function patch(name: string, body: object, subresource = ""): Promise<void> {
  await client.request({ method: "PATCH", path: `${path(name)}${subresource}`, contentType: MERGE, body });
}

export async function annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
  await patch(name, { metadata: { annotations } });
}

export async function remove(name: string): Promise<void> {
  await client.request({ method: "DELETE", path: path(name) });
}

export async function get(name: string): Promise<SeenService> {
  return await client.request<SeenService>({ method: "GET", path: path(name) });
}

/** Gives a Service as the next write after `from` has left it. */
export async function nextVersion(name: string, from: SeenService): Promise<SeenService> {
  const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: from.metadata.resourceVersion };
  const over = AbortSignal.timeout(15_000);
  for await (const { object } of oneByOne(client.watch(`/api/v1/namespaces/${namespace}/services`, query, over)))
    return object as SeenService;
  throw new Error(`${name} was not written`);
}

/** Waits until a Service satisfies `wanted`; what does not come is shown as it was last. */
export async function until(name: string, wanted: (service: SeenService) => boolean): Promise<SeenService> {
  const seen = await untilSeen(`/api/v1/namespaces/${namespace}/services`, name, await get(name), wanted);
  if (wanted(seen)) return seen;
  throw new Error(
    `${name} never got there: ${JSON.stringify({ status: seen.status, annotations: seen.metadata.annotations })}`,
  );
}

export const untilIP = (name: string, ip: string) => until(name, (service) => ips(service).join() === ip);
export const untilReason = (name: string, reason: string) =>
  until(name, (service) => assigned(service)?.reason === reason);

export async function untilPool(name: string, wanted: (pool: SeenPool) => boolean): Promise<SeenPool> {
  const seen = await untilSeen(POOLS, name, await getPool(name), wanted);
  if (wanted(seen)) return seen;
  throw new Error(`pool ${name} never got there: ${JSON.stringify(seen)}`);
}

/** Waits until a pool is gone. */
export async function untilPoolGone(name: string): Promise<void> {
  const all = await client.request<{ items: { metadata: { name: string } }[]; metadata: { resourceVersion: string } }>({
    method: "GET",
    path: POOLS,
  });
  if (!all.items.some(({ metadata }) => metadata.name === name)) return;
  const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: all.metadata.resourceVersion };
  for await (const { type } of oneByOne(client.watch(POOLS, query, AbortSignal.timeout(15_000))))
    if (type === "DELETED") return;
  throw new Error(`pool ${name} is still there: ${JSON.stringify(await getPool(name))}`);
}

type Seen = { readonly metadata: { readonly resourceVersion: string } };

/** Gives the object as soon as it is `wanted`, or as it was last seen. */
async function untilSeen<T extends Seen>(
  collection: string,
  name: string,
  first: T,
  wanted: (object: T) => boolean,
): Promise<T> {
  let seen = first;
  if (wanted(seen)) return seen;
  try {
    const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: seen.metadata.resourceVersion };
    for await (const { object } of oneByOne(client.watch(collection, query, AbortSignal.timeout(15_000)))) {
      seen = object as T;
      if (wanted(seen)) return seen;
    }
  } catch {} // the caller shows it
  return seen;
}

/** The controller's events about an object as it is there now, oldest first; the API server tells of Services too. */
export async function eventsAbout(
  kind: string,
  name: string,
): Promise<{ type: string; reason: string; note: string }[]> {
  const of = kind === "IPPool" ? "default" : namespace;
  const { metadata } = kind === "IPPool" ? await getPool(name) : await get(name);
  type Events = {
    items: {
      type: string;
      reason: string;
      note: string;
      eventTime: string;
      regarding: { kind: string; uid: string };
      reportingController?: string;
    }[];
  };
  const events = `/apis/events.k8s.io/v1/namespaces/${of}/events`;
  const { items } = await client.request<Events>({ method: "GET", path: events });
  return items
    .filter(({ reportingController }) => reportingController === "herald-controller")
    .filter(({ regarding }) => regarding.kind === kind && regarding.uid === metadata.uid)
    .sort((a, b) => (a.eventTime < b.eventTime ? -1 : 1))
    .map(({ type, reason, note }) => ({ type, reason, note }));
}

export const WRITTEN = 'herald_api_writes_total{kind="Service",result="written"}';
export const SERVED = 'herald_services{state="Assigned",reason="Assigned"}';

/** The value of a metric by its name with labels; undefined where it is not shown. */
export async function metric({ registry }: Running, name: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split("\n").find((line) => line.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}
