import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { connect } from "../../src/kube/connection.ts";
import { type Reaper, startReaper } from "../reaper/reaper.ts";
import { oneByOne } from "../unit/one-by-one.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type ControllerProcess, startControllerProcess } from "./controller-process.ts";
import { installCrds } from "./crds.ts";

/** Two controllers as processes of their own, of which one ends, in one way or another. */

let plane: ControlPlane;
let reaper: Reaper;
let client: KubeClient;
beforeAll(async () => {
  reaper = await startReaper();
  plane = await startControlPlane({ reaper });
  await installCrds(plane);
  await plane.kubectl(["create", "namespace", "herald-system"]);
  client = new KubeClient(await connect({ kubeconfig: await plane.kubeconfig() }), { clock: systemClock });
  const pool = { apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name: "p" } };
  const body = { ...pool, spec: { addresses: ["10.2.0.0/20"] } };
  await client.request({ method: "POST", path: "/apis/heraldlb.io/v1alpha1/ippools", body });
});
afterAll(async () => {
  client?.close();
  await plane?.stop();
  await reaper?.reap();
});

const running: ControllerProcess[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.end();
});

async function start(identity: string): Promise<ControllerProcess> {
  const flags = ["--kubeconfig", await plane.kubeconfig(), "--identity", identity];
  const one = await startControllerProcess(reaper, flags);
  running.push(one);
  return one;
}

const leads = (one: ControllerProcess) => one.line(({ message }) => message === "leading");
const waits = (one: ControllerProcess) => one.line(({ message }) => message.startsWith("another leads"));

interface Seen {
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
  readonly status: { readonly loadBalancer: { readonly ingress?: { ip: string }[] } };
}
const SERVICES = "/api/v1/namespaces/default/services";
const ipOf = ({ status }: Seen) => status.loadBalancer.ingress?.map(({ ip }) => ip).join() ?? "";

/** Notes each Service's first address, and whatever is not as it should be from then on. */
function observe() {
  const first = new Map<string, string>();
  const wrong: string[] = [];
  const over = new AbortController();
  const looks = new Set<() => void>();
  const see = (service: Seen) => {
    const { name } = service.metadata;
    const [ip, known] = [ipOf(service), first.get(name)];
    if (known !== undefined && known !== ip) wrong.push(`${name} moved from ${known} to ${ip}`);
    if (known !== undefined || ip === "") return;
    const holder = [...first].find(([, other]) => other === ip);
    if (holder) wrong.push(`${name} was given ${ip}, which ${holder[0]} has`);
    first.set(name, ip);
    for (const look of looks) look();
  };
  const ended = (async () => {
    for await (const { object } of oneByOne(client.watch(SERVICES, {}, over.signal))) see(object as Seen);
  })().catch((error: unknown) => {
    if (!over.signal.aborted) wrong.push(`the test's watch ended: ${error}`);
  });
  return {
    first,
    wrong,
    /** Resolves when so many Services have an address. */
    async have(count: number): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = () => first.size >= count && resolve();
      looks.add(look);
      look();
      const tooLong = setTimeout(() => {
        const logs = running.map(({ lines }) => JSON.stringify(lines.slice(-3)));
        reject(
          new Error(`${first.size} of ${count} Services have an address; ${wrong.join()}; logs: ${logs.join(" ")}`),
        );
      }, 40_000);
      await promise.finally(() => clearTimeout(tooLong));
    },
    async end(): Promise<void> {
      over.abort();
      await ended;
    },
  };
}

/** Creates Services, a few at a time: there are always some in the midst of being served. */
async function create(names: readonly string[]): Promise<void> {
  const spec = { type: "LoadBalancer", ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false };
  const left = [...names];
  const writer = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift())
      await client.request({ method: "POST", path: SERVICES, body: { metadata: { name }, spec } });
  };
  await Promise.all(Array.from({ length: 4 }, writer));
}

test.each([
  { how: "SIGTERM", signal: "SIGTERM" as const, withinMs: 2000 },
  // The Lease of one that can't give it up runs out after 4 s, and the other looks twice a second.
  { how: "kill -9", signal: "SIGKILL" as const, withinMs: 5000 },
])(
  "when the leader ends by $how in the midst of its work the other goes on, and nobody moves",
  async ({ how, signal, withinMs }) => {
    const seen = observe();
    const names = Array.from({ length: 120 }, (_, n) => `${signal.toLowerCase()}-${n}`);
    const first = await start(`first-${signal}`);
    await leads(first);
    const second = await start(`second-${signal}`);
    await waits(second);
    const before = seen.first.size;
    const creating = create(names);
    await seen.have(before + 30);
    process.kill(first.pid, signal);
    const killedMs = Date.now();
    expect(await first.ended).toBe(signal === "SIGKILL" ? "SIGKILL" : 0);
    await leads(second);
    const tookMs = Date.now() - killedMs;
    await creating;
    await seen.have(before + names.length);
    // What Herald promises; a busy machine gets a second more.
    expect(tookMs, `${how}: taken over after ${tookMs} ms`).toBeLessThan(withinMs + 1000);
    const all = await client.request<{ items: Seen[] }>({ method: "GET", path: SERVICES });
    const served = all.items.filter((service) => ipOf(service) !== "");
    expect(served.map((one) => one.metadata.annotations?.["heraldlb.io/assigned-ips"])).toEqual(served.map(ipOf));
    await seen.end();
    expect(seen.wrong).toEqual([]);
  },
  60_000,
);

test("a rolling update, each of the old ones replaced in turn, gives nothing twice", async () => {
  const seen = observe();
  const old = [await start("old-a"), await start("old-b")];
  await Promise.race(old.map(leads));
  const names = Array.from({ length: 150 }, (_, n) => `rolling-${n}`);
  const before = seen.first.size;
  const creating = create(names);
  await seen.have(before + 30);
  for (const [n, one] of old.entries()) {
    const next = await start(`new-${n}`);
    await Promise.race([leads(next), waits(next)]);
    expect(await one.end()).toBe(0);
  }
  await creating;
  await seen.have(before + names.length);
  await seen.end();
  expect(seen.wrong).toEqual([]);
}, 90_000);

test("a leader that was stopped and wakes after another has taken over writes nothing more", async () => {
  const seen = observe();
  const first = await start("sleeper");
  await leads(first);
  const second = await start("watchful");
  await waits(second);
  const before = seen.first.size;
  const names = Array.from({ length: 120 }, (_, n) => `sleep-${n}`);
  const creating = create(names);
  await seen.have(before + 30);
  process.kill(first.pid, "SIGSTOP");
  await leads(second);
  await creating;
  await seen.have(before + names.length);
  process.kill(first.pid, "SIGCONT");
  await first.line(({ message }) => message.startsWith("the Lease is lost"));
  await create(["sleep-last"]);
  await seen.have(before + names.length + 1);
  await seen.end();
  expect(seen.wrong).toEqual([]);
}, 60_000);
