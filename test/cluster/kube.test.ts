import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONDITION } from "../../src/api/names.ts";
import type { Service } from "../../src/api/objects.ts";
import { systemClock } from "../../src/clock.ts";
import { KubeClient, MERGE_PATCH } from "../../src/kube/client.ts";
import { connect } from "../../src/kube/connection.ts";
import { EventRecorder } from "../../src/kube/events.ts";
import { lead } from "../../src/kube/leader.ts";
import { Reflector } from "../../src/kube/reflector.ts";
import { nodes, services } from "../../src/kube/resource.ts";
import { patchStatus } from "../../src/kube/status-patch.ts";
import { Store } from "../../src/kube/store.ts";
import { noLog } from "../../src/log.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";

const SERVICES = "/api/v1/namespaces/default/services";

let plane: ControlPlane;
let client: KubeClient;
const ends: (() => unknown)[] = [];
beforeAll(async () => {
  plane = await startControlPlane();
  client = await clientOf("admin");
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
  await plane?.stop();
});

async function clientOf(user: string): Promise<KubeClient> {
  const made = new KubeClient(await connect({ kubeconfig: await plane.kubeconfig(user) }), { clock: systemClock });
  ends.push(() => made.close());
  return made;
}

async function create(name: string, spec: object = { type: "LoadBalancer", allocateLoadBalancerNodePorts: false }) {
  const body = { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } };
  await client.request({ method: "POST", path: SERVICES, body });
}

async function change(name: string, body: object): Promise<void> {
  await client.request({ method: "PATCH", path: `${SERVICES}/${name}`, contentType: MERGE_PATCH, body });
}

const remove = async (name: string) => await client.request({ method: "DELETE", path: `${SERVICES}/${name}` });

/** Follows the Services, and keeps what was told of them. */
async function follow() {
  const queries: Readonly<Record<string, string>>[] = [];
  const counted = {
    request: <T>(request: Parameters<KubeClient["request"]>[0]) => {
      queries.push(request.query ?? {});
      return client.request<T>(request);
    },
    watch: client.watch.bind(client),
  };
  const store = new Store<Service>({ type: ({ type }) => [type] });
  const told: string[] = [];
  const waits = new Set<() => void>();
  store.onChange(({ key, before, after }) => {
    told.push(`${key} ${before?.meta.resourceVersion ?? "-"} ${after?.meta.resourceVersion ?? "-"}`);
    for (const look of [...waits]) look();
  });
  /** Resolves when the store is as asked. */
  const until = (is: (store: Store<Service>) => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!is(store)) return;
        waits.delete(look);
        resolve();
      };
      waits.add(look);
      look();
    });
  const end = new AbortController();
  const deps = { client: counted, resource: services, store, clock: systemClock, random: Math.random, log: noLog };
  const reflector = new Reflector<Service>(deps);
  const run = reflector.run(end.signal);
  const stop = async () => {
    end.abort();
    await run;
  };
  ends.push(stop);
  await reflector.whenSynced();
  return { store, told, until, queries, stop };
}

test("a Service that comes, changes its type, and goes", async () => {
  const { store, until, told, stop } = await follow();
  await create("web");
  await create("inside", { type: "ClusterIP" });
  await until(({ size }) => size === 1);
  expect(store.get("default/web")).toMatchObject({ type: "LoadBalancer", ports: [{ protocol: "TCP", port: 80 }] });
  await change("web", { spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null } });
  await until(({ size }) => size === 0);
  await change("inside", { spec: { type: "LoadBalancer" } });
  await until(({ size }) => size === 1);
  await remove("inside");
  await until(({ size }) => size === 0);
  expect(new Set(told).size).toBe(told.length);
  await remove("web");
  await stop();
});

test("1 200 Services are listed in pages", async () => {
  const names = Array.from({ length: 1200 }, (_, index) => `many-${index}`);
  const left = names.values();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const name of left) await create(name);
    }),
  );
  const { store, queries, stop } = await follow();
  expect(store.list().map(({ meta }) => meta.name)).toEqual([...names].sort());
  expect(store.by("type", "LoadBalancer")).toHaveLength(1200);
  expect(queries.map((query) => "continue" in query)).toEqual([false, true, true, true, true]);
  await stop();
});

test("the API server goes away and comes back, ten times: nothing is missed, told twice or left open", async () => {
  const { store, told, until, stop } = await follow();
  const descriptors: number[] = [];
  await create("live");
  for (let round = 0; round < 10; round++) {
    await plane.stopApiServer(round === 5 ? "SIGTERM" : "SIGKILL"); // a graceful end takes it 10 s with a watch open
    await plane.startApiServer();
    await change("live", { metadata: { annotations: { "heraldlb.io/pool": `round-${round}` } } });
    await remove(`many-${round}`);
    await until(
      ({ get, size }) =>
        get.call(store, "default/live")?.meta.annotations["heraldlb.io/pool"] === `round-${round}` &&
        size === 1200 - round,
    );
    descriptors.push((await readdir("/proc/self/fd")).length);
  }
  expect(new Set(told).size).toBe(told.length);
  expect(told.filter((line) => line.startsWith("default/live "))).toHaveLength(11);
  expect(told).toHaveLength(1200 + 11 + 10);
  expect(Math.max(...descriptors.slice(2)) - Math.min(...descriptors.slice(2))).toBeLessThanOrEqual(3);
  await stop();
}, 180_000);

test("status, condition and record are written in one patch, on the version that was seen", async () => {
  await create("patched");
  let asked = 0;
  const written = await patchStatus(client, `${SERVICES}/patched`, (current) => {
    expect(current).toMatchObject({ metadata: { name: "patched" } });
    if (asked++ === 0) return { metadata: { resourceVersion: "ignored" }, status: {} };
    return undefined;
  });
  expect([written, asked]).toEqual([true, 1]);
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, "");
  const condition = { type: CONDITION.assigned, status: "True", reason: "Assigned", message: "", lastTransitionTime };
  let raced = false;
  const patched = await patchStatus(client, `${SERVICES}/patched`, () => {
    const ingress = [{ ip: "192.0.2.10", ipMode: "VIP" }];
    const metadata = { annotations: { "heraldlb.io/assigned-pool": "a" } };
    return { metadata, status: { loadBalancer: { ingress }, conditions: [condition] } };
  });
  expect(patched).toBe(true);
  const outcome = patchStatus(
    {
      request: async <T>(request: Parameters<KubeClient["request"]>[0]) => {
        if (request.method === "PATCH" && !raced) {
          raced = true;
          await change("patched", { metadata: { labels: { other: "writer" } } });
        }
        return await client.request<T>(request);
      },
    },
    `${SERVICES}/patched`,
    () => ({ metadata: { annotations: { "heraldlb.io/assigned-pool": "b" } } }),
  );
  expect(await outcome).toBe(true);
  expect(services.keep(await client.request({ method: "GET", path: `${SERVICES}/patched` }))).toMatchObject({
    meta: { annotations: { "heraldlb.io/assigned-pool": "b" }, labels: { other: "writer" } },
    ingress: [{ ip: "192.0.2.10", ipMode: "VIP" }],
    conditions: [condition],
  });
  expect(await patchStatus(client, `${SERVICES}/nowhere`, () => ({ status: {} }))).toBe(false);
});

test("events are there for kubectl, repeated ones as a count", async () => {
  const service = await client.request({ method: "GET", path: `${SERVICES}/patched` });
  const { meta } = services.keep(service);
  const { namespace, name, uid } = meta;
  const about = { apiVersion: "v1", kind: "Service", namespace, name, uid };
  let dropped = 0;
  const deps = { client, component: "herald-controller", clock: systemClock, random: Math.random };
  const recorder = new EventRecorder({ ...deps, dropped: () => dropped++ });
  recorder.record(about, "Warning", "NoPool", "no pool has a free address");
  recorder.record({ ...about, kind: "Node", namespace: "", name: "n1" }, "Normal", "Seen", "seen");
  await recorder.flush();
  for (let i = 0; i < 4; i++) recorder.record(about, "Warning", "NoPool", "no pool has a free address");
  await recorder.flush();
  expect(dropped).toBe(0);
  const table = await plane.kubectl(["describe", "service", "patched"]);
  expect(table).toMatch(/Warning\s+NoPool\s+.*\(x5 over .*\)\s+herald-controller\s+no pool has a free address/);
  expect(await plane.kubectl(["get", "events", "--field-selector=involvedObject.kind=Node"])).toContain("Seen");
});

test("one of two leads; when it releases the Lease or dies the other does", async () => {
  const leads = new Map<string, string[]>();
  const elect = async (identity: string) => {
    const own = await clientOf("admin");
    const end = new AbortController();
    const began = Promise.withResolvers<number>();
    const log: string[] = [];
    leads.set(identity, log);
    const done = lead({
      client: own,
      namespace: "default",
      name: "herald-controller",
      identity,
      clock: systemClock,
      random: Math.random,
      log: noLog,
      signal: end.signal,
      run: async (signal) => {
        log.push("began");
        began.resolve(performance.now());
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        log.push("ended");
      },
    });
    const stop = async () => {
      end.abort();
      await done;
    };
    ends.push(stop);
    return { own, began: began.promise, stop };
  };
  const first = await elect("first");
  await first.began;
  const second = await elect("second");
  await sleep(1500);
  expect(leads.get("second")).toEqual([]);
  await first.stop();
  await second.began;
  const third = await elect("third");
  await sleep(1000);
  second.own.close(); // as good as dead: it renews no more
  await third.began;
  expect(leads.get("second")).toEqual(["began", "ended"]);
  await third.stop();
  await second.stop();
  const table = await plane.kubectl(["get", "lease", "herald-controller", "-o", "jsonpath={.spec.leaseTransitions}"]);
  expect(table).toBe("2");
});

test("a Pod's account is enough to connect, and its token may be renewed at any time", async () => {
  await plane.kubectl(["create", "serviceaccount", "someone"]);
  const account = await mkdtemp(join(tmpdir(), "herald-account-"));
  ends.push(() => rm(account, { recursive: true }));
  const own = await connect({ kubeconfig: await plane.kubeconfig("admin") });
  const renew = async () =>
    await writeFile(join(account, "token"), await plane.kubectl(["create", "token", "someone"]));
  await Promise.all([
    renew(),
    writeFile(join(account, "ca.crt"), own.ca ?? ""),
    writeFile(join(account, "namespace"), "default"),
  ]);
  const env = { KUBERNETES_SERVICE_HOST: own.server.hostname, KUBERNETES_SERVICE_PORT: own.server.port };
  const pod = new KubeClient(await connect({ env, accountDirectory: account }), { clock: systemClock });
  ends.push(() => pod.close());
  const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const review = async () => await pod.request({ method: "POST", path, body: {} });
  const want = { status: { userInfo: { username: "system:serviceaccount:default:someone" } } };
  expect(await review()).toMatchObject(want);
  await writeFile(join(account, "token"), "run out");
  await expect(review()).rejects.toThrow(/401 Unauthorized: .*renew the token/);
  await renew();
  expect(await review()).toMatchObject(want);
});

test("a server with a certificate of another CA or name is told from one that is down", async () => {
  const { ca, ...connection } = await connect({ kubeconfig: await plane.kubeconfig("admin") });
  const wrong = [connection, { ...connection, ...(ca && { ca }), serverName: "other.example" }];
  for (const one of wrong) {
    const made = new KubeClient(one, { clock: systemClock });
    ends.push(() => made.close());
    await expect(made.request({ method: "GET", path: "/version" })).rejects.toThrow(
      "check the CA and the server's name",
    );
  }
});

test("what a user may not do is said with the remedy, and goes on being tried", async () => {
  const stranger = await clientOf("system:serviceaccount:herald-system:herald-speaker");
  await expect(stranger.request({ method: "GET", path: nodes.path })).rejects.toThrow(
    /^GET \/api\/v1\/nodes: 403 Forbidden: .*cannot list resource "nodes".*: give this user Herald's roles/,
  );
  await expect(stranger.request({ method: "GET", path: "/nothing" })).rejects.toMatchObject({ status: 403 });
});
