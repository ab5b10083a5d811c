import { setImmediate } from "node:timers/promises";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import type { IPPool } from "../api/ippool.ts";
import type { Namespace, Service } from "../api/objects.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeRequest } from "../kube/client.ts";
import { EventRecorder } from "../kube/events.ts";
import { ipPools } from "../kube/herald-resources.ts";
import { namespaces, services } from "../kube/resource.ts";
import { Store } from "../kube/store.ts";
import { noLog } from "../log.ts";
import { createControllerMetrics } from "./metrics.ts";
import { Term } from "./term.ts";

type Json = Readonly<Record<string, unknown>>;

/** Time goes on with each look at it, so that whatever takes several steps takes several turns. */
class RunningClock extends FakeClock {
  #looks = 0;

  override now(): number {
    return super.now() + 4 * this.#looks++;
  }
}

/** A term on stores that the test fills; what it asks of the API server is noted, and answered with nothing. */
class World {
  readonly clock: FakeClock;
  readonly services = new Store<Service>();
  readonly pools = new Store<IPPool>();
  readonly namespaces = new Store<Namespace>();
  readonly registry = new Registry();
  readonly over = new AbortController();
  readonly asked: KubeRequest[] = [];
  /** Keys of Services that are of another type since nobody led. */
  leftovers: readonly string[] = [];
  /** Gives the answer to a request, or throws. */
  answer: (request: KubeRequest) => unknown = () => ({});
  #version = 0;

  constructor(clock = new FakeClock()) {
    this.clock = clock;
  }

  start(): void {
    const client = {
      request: async <T>(request: KubeRequest): Promise<T> => {
        this.asked.push(request);
        return this.answer(request) as T;
      },
    };
    const events = new EventRecorder({ client, component: "test", clock: this.clock, random: () => 0 });
    const never = Promise.resolve();
    const leftovers = async () => this.leftovers;
    const watched = { ...this, leftovers, synced: never, ended: never };
    const metrics = createControllerMetrics(this.registry);
    const deps = { client, clock: this.clock, random: () => 0, log: noLog, classOnly: false, metrics, events, watched };
    void new Term(deps).run(this.over.signal);
  }

  namespace(name: string, labels: Json = {}, more: Json = {}): void {
    this.namespaces.put(namespaces.keep({ metadata: { ...this.#meta(name), labels, ...more } }));
  }

  pool(name: string, addresses: readonly string[], more: Json = {}): void {
    const { finalizers, generation = 1, status, ...spec } = more;
    const metadata = { ...this.#meta(name), finalizers, generation };
    this.pools.put(ipPools.keep({ metadata, spec: { addresses, ...spec }, status }));
  }

  /** Gives it as the API server would. */
  service(name: string, more: Json = {}, annotations: Json = {}): Json {
    const raw = this.raw(name, more, annotations);
    this.services.put(services.keep(raw));
    return raw;
  }

  raw(name: string, more: Json = {}, annotations: Json = {}): Json {
    const metadata = { ...this.#meta(name), namespace: "n", annotations };
    return { metadata, spec: { type: "LoadBalancer", ipFamilies: ["IPv4"] }, ...more };
  }

  /** What was asked since the last call, as "PATCH services/web/status"; events are left out. */
  told(): string[] {
    const all = this.asked.splice(0).filter(({ path }) => !path.includes("/events"));
    return all.map(({ method, path }) => `${method} ${path.replace(/^.*\/(services|ippools)\//, "$1/")}`);
  }

  #meta(name: string) {
    return { name, uid: name, resourceVersion: `${++this.#version}`, creationTimestamp: "2026-01-01T00:00:00Z" };
  }
}

/** What a pool's status says when it is as it should be, so that a test sees other writes only. */
async function settle(world: World): Promise<void> {
  await world.clock.advance(5000);
  world.told();
}

test("the status of a pool is written at most once a second, however many addresses are given out", async () => {
  const world = new World();
  world.namespace("n");
  world.pool("p", ["192.0.2.0/24"], { finalizers: ["heraldlb.io/in-use"] });
  world.start();
  await settle(world);
  const written: number[] = [];
  for (let n = 0; n < 50; n++) {
    world.service(`s${n}`);
    await world.clock.advance(100);
    if (world.told().includes("PATCH ippools/p/status")) written.push(world.clock.now());
  }
  expect(written.length).toBeGreaterThanOrEqual(4);
  for (const [n, ms] of written.entries()) if (n > 0) expect(ms - (written[n - 1] ?? 0)).toBeGreaterThanOrEqual(1000);
  world.over.abort();
});

test("a new Service costs one request, and later looks none", async () => {
  const world = new World();
  world.namespace("n");
  world.pool("p", ["192.0.2.0/24"], { finalizers: ["heraldlb.io/in-use"] });
  world.start();
  await settle(world);
  world.service("web");
  await world.clock.advance(0);
  expect(world.told()).toEqual(["PATCH services/web/status"]);
  expect(await world.registry.getSingleMetricAsString("herald_service_assignment_seconds")).toContain("_count 1");
  world.over.abort();
});

test("a finalizer that is refused is tried again after a back-off, not for each Service, and holds nobody up", async () => {
  const world = new World();
  world.namespace("n");
  world.pool("p", ["192.0.2.0/24"]);
  world.start();
  await settle(world);
  world.answer = ({ method, path }) => {
    if (method === "GET") return { metadata: { uid: "p", resourceVersion: "1" } };
    if (path.endsWith("/ippools/p")) throw new ApiError("PATCH", 403, {});
    return {};
  };
  for (let n = 0; n < 20; n++) world.service(`s${n}`);
  await world.clock.advance(0);
  const told = world.told();
  expect(told.filter((line) => line.startsWith("PATCH services/"))).toHaveLength(20);
  expect(told.filter((line) => line === "PATCH ippools/p")).toHaveLength(1);
  world.answer = ({ method }) => (method === "GET" ? { metadata: { uid: "p", resourceVersion: "1" } } : {});
  await world.clock.advance(500);
  expect(world.told()).toContain("PATCH ippools/p");
  world.over.abort();
});

test("of a namespace only its labels matter, and a Service whose namespace nobody has seen yet is left alone", async () => {
  const world = new World();
  world.pool("p", ["192.0.2.0/24"], {
    namespaceSelector: { matchLabels: { team: "a" } },
    finalizers: ["heraldlb.io/in-use"],
  });
  world.service("web");
  world.start();
  await settle(world);
  world.service("late");
  await world.clock.advance(0);
  expect(world.told()).toEqual([]);
  world.namespace("n", { team: "a" });
  await world.clock.advance(0);
  expect(world.told().sort()).toEqual(["PATCH services/late/status", "PATCH services/web/status"]);
  await settle(world);
  world.namespace("n", { team: "a" }, { annotations: { "heraldlb.io/x": "y" } });
  await world.clock.advance(0);
  expect(world.told()).toEqual([]);
  world.over.abort();
});

test("a pool of which nothing but the status changed makes nobody look at Services", async () => {
  const world = new World();
  world.namespace("n");
  world.pool("p", ["192.0.2.1"], { finalizers: ["heraldlb.io/in-use"] });
  world.service("web");
  world.start();
  await settle(world);
  world.pool("p", ["192.0.2.1"], { finalizers: ["heraldlb.io/in-use"], status: { stranded: 7 } });
  await world.clock.advance(900);
  expect(world.told()).toEqual([]);
  await world.clock.advance(200);
  expect(world.told()).toEqual(["PATCH ippools/p/status"]);
  world.over.abort();
});

test("an edit of one pool has the others' status looked at, at once", async () => {
  const world = new World();
  world.pool("a", ["192.0.2.1-192.0.2.5"]);
  world.pool("b", ["192.0.2.5-192.0.2.9"]);
  world.start();
  await settle(world);
  world.pool("a", ["192.0.2.1-192.0.2.4"], { generation: 2 });
  await world.clock.advance(0);
  const healed = world.asked.find(({ path }) => path.endsWith("/ippools/b/status"));
  expect(healed?.body).toMatchObject({
    status: { conditions: expect.arrayContaining([expect.objectContaining({ type: "Ready", status: "True" })]) },
  });
  world.over.abort();
});

test("an address is written onto the next Service once the one that had it has been seen without it", async () => {
  const world = new World();
  const asking = (loadBalancerIP: string, ...has: readonly string[]) => ({
    spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], loadBalancerIP },
    status: { loadBalancer: { ingress: has.map((ip) => ({ ip, ipMode: "VIP" })) } },
  });
  world.namespace("n");
  world.pool("p", ["192.0.2.1-192.0.2.2"], { finalizers: ["heraldlb.io/in-use"] });
  world.service("web", asking("192.0.2.1", "192.0.2.1"));
  world.start();
  await settle(world);
  world.service("web", asking("192.0.2.2", "192.0.2.1"));
  world.service("next", asking("192.0.2.1"));
  await world.clock.advance(0);
  expect(world.told()).toEqual(["PATCH services/web/status"]);
  world.service("web", asking("192.0.2.2", "192.0.2.2"));
  await world.clock.advance(0);
  expect(world.told()).toContain("PATCH services/next/status");
  world.over.abort();
});

test("a change that concerns many takes several turns, and nothing is written of it, or heard, before it is done", async () => {
  const world = new World(new RunningClock());
  const names = Array.from({ length: 20 }, (_, n) => `s${n + 10}`);
  world.namespace("n");
  const raw = names.map((name) => world.service(name)).at(-1);
  const inFlight = Promise.withResolvers<void>();
  world.answer = ({ method, path }) => {
    if (method === "GET") return raw;
    const isLast = path.endsWith("/services/s29/status") && world.pools.size === 0;
    return isLast ? inFlight.promise : {};
  };
  world.start();
  await turnsOf(400);
  expect(world.told()).toHaveLength(20); // they have to wait, all of them
  world.pool("p", ["192.0.2.10-192.0.2.39"], { finalizers: ["heraldlb.io/in-use"] });
  world.service("late");
  inFlight.reject(new ApiError("PATCH", 409, {}));
  await turnsOf(5);
  expect(world.told()).toEqual(["GET services/s29"]);
  await turnsOf(400);
  const written = new Map(world.asked.map(({ path, body }) => [path, ingressOf(body)]));
  const asked = world.asked.filter(({ path }) => path.includes("/services/"));
  const last = asked.filter(({ path }) => path.endsWith("/s29/status")).map(({ body }) => ingressOf(body));
  expect(new Set(last)).toEqual(new Set(["192.0.2.29"]));
  const of = (name: string) => written.get(`/api/v1/namespaces/n/services/${name}/status`);
  expect([of("s11"), of("s29"), of("late")]).toEqual(["192.0.2.11", "192.0.2.29", "192.0.2.30"]);
  world.over.abort();
});

test("what got another type while nobody led is cleaned of what is Herald's, and nothing of another class is touched", async () => {
  const world = new World();
  world.namespace("n");
  const noted = { "heraldlb.io/assigned-ips": "192.0.2.1", "example.com/x": "y" };
  const told = { type: "heraldlb.io/Assigned", status: "True", reason: "Assigned", message: "" };
  const theirs = { type: "LoadBalancer", loadBalancerClass: "example.com/other" };
  const ingress = { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } };
  const raws = [
    world.raw("turned", { spec: { type: "ClusterIP" } }, noted),
    world.service("other", { spec: theirs, status: { ...ingress, conditions: [told, { ...told, type: "Theirs" }] } }),
    world.service("foreign", { spec: theirs, status: ingress }, { "example.com/x": "y" }),
  ];
  world.answer = ({ method, path }) =>
    method === "GET" ? raws.find((raw) => nameOf(raw) === path.split("/").at(-1)) : {};
  world.leftovers = ["n/turned"];
  world.start();
  await world.clock.advance(5000);
  const patches = world.asked.filter(({ method }) => method === "PATCH").map(({ path, body }) => ({ path, body }));
  expect(patches).toEqual([
    {
      path: "/api/v1/namespaces/n/services/turned/status",
      body: expect.objectContaining({
        metadata: expect.objectContaining({ annotations: { "heraldlb.io/assigned-ips": null } }),
      }),
    },
  ]);
  expect(patches[0]?.body).not.toHaveProperty("status");
  world.over.abort();
});

async function turnsOf(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

function nameOf(raw: Json): unknown {
  return (raw.metadata as Json).name;
}

function ingressOf(body: unknown): string | undefined {
  type Written = { status?: { loadBalancer?: { ingress?: { ip: string }[] } } };
  return (body as Written | undefined)?.status?.loadBalancer?.ingress?.map(({ ip }) => ip).join();
}
