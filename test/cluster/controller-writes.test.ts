import { expect, test } from "vitest";
import { oneByOne } from "../unit/one-by-one.ts";
import {
  annotate,
  assigned,
  client,
  condition,
  createPool,
  createService,
  eventsAbout,
  get,
  ips,
  listServices,
  MERGE,
  metric,
  namespace,
  nextVersion,
  patch,
  patchPool,
  plane,
  remove,
  removePool,
  start,
  stopAll,
  stranded,
  until,
  untilIP,
  untilPool,
  untilPoolGone,
  untilReason,
  useControlPlane,
  WRITTEN,
} from "./controlled.ts";

/** What the controller writes, how often, and what becomes of it when others write too. */

useControlPlane();

const IN_USE = "heraldlb.io/in-use";

test("20 Services cost 20 status patches and 20 events, and nothing else but the pool's own", async () => {
  const one = await start();
  await createPool("p", ["192.0.2.0/27"]);
  await untilPool("p", (pool) => condition(pool, "Ready")?.status === "True");
  const before = one.requests.length;
  const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
  await Promise.all(names.map((name) => createService(name)));
  for (const name of names) await until(name, (service) => ips(service).length === 1);
  await untilPool("p", ({ status }) => status?.ipv4?.assigned === 20);
  const events = async () => (await Promise.all(names.map((name) => eventsAbout("Service", name)))).flat();
  await expect.poll(events, { timeout: 30_000 }).toHaveLength(20);
  const asked = one.requests.slice(before).filter((line) => !/ippools|leases/.test(line));
  expect(asked.filter((line) => /^PATCH .*\/services\/s\d+\/status$/.test(line))).toHaveLength(20);
  expect(asked.filter((line) => /^POST .*\/events$/.test(line))).toHaveLength(20);
  expect(asked).toHaveLength(40);
  const finalizers = one.requests.filter((line) => line === "PATCH /apis/heraldlb.io/v1alpha1/ippools/p");
  expect(finalizers).toHaveLength(1);
  expect(await metric(one, "herald_service_assignment_seconds_count")).toBe(20);
});

test("a pool in use carries the finalizer beside others', stays until its last holder is gone, and gives nothing new", async () => {
  await start();
  await createPool("p", ["192.0.2.10-192.0.2.19"]);
  const fresh = await untilPool("p", (pool) => condition(pool, "Ready")?.status === "True");
  expect(fresh.metadata.finalizers).toBeUndefined();
  await patchPool("p", { metadata: { finalizers: ["example.com/theirs"] } });
  await createService("web");
  const used = await untilPool("p", ({ metadata }) => metadata.finalizers?.includes(IN_USE) ?? false);
  expect(used.metadata.finalizers).toEqual(["example.com/theirs", IN_USE]);
  await removePool("p");
  const ending = await untilPool("p", (pool) => condition(pool, "Ready")?.reason === "Terminating");
  expect(ending.status?.ipv4).toEqual({ total: 10, assigned: 1, available: 0 });
  expect(ips(await get("web"))).toEqual(["192.0.2.10"]);
  expect(stranded(await get("web"))).toBeUndefined();
  await createService("next");
  expect(assigned(await untilReason("next", "NoFittingPool"))?.message).toContain('pool "p" is being deleted');
  await remove("web");
  await untilPool("p", ({ metadata }) => metadata.finalizers?.join() === "example.com/theirs");
  await patchPool("p", { metadata: { finalizers: null } });
  await untilPoolGone("p");
  await untilReason("next", "NoPool");
});

test("the finalizer goes with the last holder, and comes again where somebody takes it off", async () => {
  await start();
  await createPool("p", ["192.0.2.20"]);
  await createService("web");
  await untilPool("p", ({ metadata }) => metadata.finalizers?.join() === IN_USE);
  await patchPool("p", { metadata: { finalizers: null } });
  await untilPool("p", ({ metadata }) => metadata.finalizers?.join() === IN_USE);
  await remove("web");
  await untilPool("p", ({ metadata }) => metadata.finalizers === undefined);
});

test("reassign moves a Service in one write that takes the annotation off, and lets a deleted pool go", async () => {
  await start();
  await createPool("old", ["192.0.2.30"]);
  await createService("web");
  await untilIP("web", "192.0.2.30");
  await untilPool("old", ({ metadata }) => metadata.finalizers?.includes(IN_USE) ?? false);
  await removePool("old");
  await untilPool("old", (pool) => condition(pool, "Ready")?.reason === "Terminating");
  await annotate("web", { "heraldlb.io/reassign": "true" });
  const waiting = await until("web", (service) => assigned(service)?.status === "False");
  expect(waiting.metadata.annotations?.["heraldlb.io/reassign"]).toBe("true");
  expect(ips(waiting)).toEqual(["192.0.2.30"]);
  await createPool("new", ["192.0.2.31"]);
  const moved = await nextVersion("web", waiting);
  expect(ips(moved)).toEqual(["192.0.2.31"]);
  expect(moved.metadata.annotations).toEqual({
    "heraldlb.io/assigned-pool": "new",
    "heraldlb.io/assigned-ips": "192.0.2.31",
    "heraldlb.io/assigned-at": expect.any(String),
  });
  expect(assigned(moved)).toMatchObject({ status: "True", reason: "Assigned" });
  await untilPoolGone("old");
  await expect
    .poll(() => eventsAbout("Service", "web"))
    .toContainEqual(expect.objectContaining({ reason: "Assigned", note: '192.0.2.31 from pool "new"' }));
});

test("reassign that changes nothing is done once, and again when it is asked for again", async () => {
  await start();
  await createPool("p", ["192.0.2.35-192.0.2.36"]);
  await createService("web");
  await untilIP("web", "192.0.2.35");
  for (let n = 0; n < 2; n++) {
    await annotate("web", { "heraldlb.io/reassign": "true" });
    const after = await until("web", ({ metadata }) => metadata.annotations?.["heraldlb.io/reassign"] === undefined);
    expect(ips(after)).toEqual(["192.0.2.35"]);
  }
});

test("an excluded address stays with its holder, who is stranded as long as that lasts", async () => {
  await start();
  await createPool("p", ["192.0.2.40-192.0.2.49"]);
  await createService("web");
  const before = await untilIP("web", "192.0.2.40");
  await patchPool("p", { spec: { exclude: ["192.0.2.40"] } });
  const now = await until("web", (service) => stranded(service) !== undefined);
  expect(stranded(now)).toMatchObject({ status: "True", reason: "Excluded" });
  expect(assigned(now)).toEqual(assigned(before));
  expect(ips(now)).toEqual(["192.0.2.40"]);
  const pool = await untilPool("p", ({ status }) => status?.stranded === 1);
  expect(condition(pool, "Stranded")).toMatchObject({ status: "True", reason: "Stranded" });
  for (const [kind, name] of [
    ["Service", "web"],
    ["IPPool", "p"],
  ] as const)
    await expect
      .poll(() => eventsAbout(kind, name))
      .toContainEqual(expect.objectContaining({ type: "Warning", reason: "Stranded" }));
  await patchPool("p", { spec: { exclude: [] } });
  await until("web", (service) => stranded(service) === undefined);
  await untilPool("p", (pool) => pool.status?.stranded === 0 && condition(pool, "Stranded")?.status === "False");
});

test("somebody's edit of a pool's status is put right, and their own condition stays", async () => {
  await start();
  await createPool("p", ["192.0.2.75-192.0.2.79"]);
  await createService("web");
  const before = await untilPool("p", ({ status }) => status?.ipv4?.assigned === 1);
  const theirs = {
    type: "example.com/Audited",
    status: "True",
    reason: "Fine",
    message: "by hand",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  const usage = { total: 9, assigned: 9, available: 0 };
  const edit = { ipv4: usage, ipv6: usage, stranded: 7, conditions: [theirs] };
  await patchPool("p", { status: edit }, "/status");
  const mended = await untilPool("p", ({ status }) => status?.ipv4?.total === 5);
  expect(mended.status).toMatchObject({ ipv4: before.status?.ipv4, ipv6: before.status?.ipv6, stranded: 0 });
  expect(mended.status?.conditions?.map(({ type }) => type)).toEqual([
    "example.com/Audited",
    ...["Ready", "Overlapping", "Exhausted", "Stranded"],
  ]);
  await patchPool("p", { status: null }, "/status");
  expect((await untilPool("p", ({ status }) => status?.ipv4?.total === 5)).status?.conditions).toHaveLength(4);
});

test("of two pools that overlap the younger says so, and heals when the other is edited", async () => {
  await start();
  await createPool("older", ["192.0.2.80-192.0.2.85"], { autoAssign: false });
  await untilPool("older", (pool) => condition(pool, "Ready")?.status === "True");
  // Within one second the names decide.
  await createPool("younger", ["192.0.2.85-192.0.2.89"]);
  const young = await untilPool("younger", (pool) => condition(pool, "Overlapping")?.status === "True");
  expect(condition(young, "Ready")).toMatchObject({ status: "False", reason: "Overlapping" });
  expect(condition(young, "Overlapping")?.message).toContain('has 192.0.2.85 in common with pool "older"');
  await createService("web");
  await untilReason("web", "NoFittingPool");
  await patchPool("older", { spec: { exclude: ["192.0.2.85"] } });
  await untilIP("web", "192.0.2.85");
  await untilPool("younger", (pool) => condition(pool, "Ready")?.status === "True");
  const events = async () => (await eventsAbout("IPPool", "younger")).map(({ type, reason }) => `${type} ${reason}`);
  await expect.poll(events).toEqual(["Warning Overlapping", "Normal Ready"]);
});

test("a request that can't be met changes nothing, says why, and is met when it can be", async () => {
  await start();
  await createPool("p", ["192.0.2.95-192.0.2.97"], { exclude: ["192.0.2.97"] });
  await createService("holder", {}, { "heraldlb.io/ips": "192.0.2.96" });
  await untilIP("holder", "192.0.2.96");
  await createService("web");
  await untilIP("web", "192.0.2.95");
  for (const [asked, reason] of [
    ["192.0.2.300", "InvalidRequest"],
    ["192.0.2.97", "IPExcluded"],
    ["203.0.113.1", "IPOutsidePools"],
    ["2001:db8::1", "WrongFamily"],
    ["192.0.2.96", "IPInUse"],
  ] as const) {
    await annotate("web", { "heraldlb.io/ips": asked });
    const seen = await untilReason("web", reason);
    expect(assigned(seen)?.status).toBe("False");
    expect(assigned(seen)?.message).toMatch(/^keeps 192\.0\.2\.95 from pool "p", and waits: .*; /);
    expect(seen.status.loadBalancer.ingress).toEqual([{ ip: "192.0.2.95", ipMode: "VIP" }]);
  }
  await remove("holder");
  expect(assigned(await untilIP("web", "192.0.2.96"))).toMatchObject({ status: "True", reason: "Assigned" });
  await patch("web", { spec: { loadBalancerIP: "192.0.2.95" } });
  await untilReason("web", "ConflictingRequests");
  await annotate("web", { "heraldlb.io/ips": null, "heraldlb.io/pool": "nobody" });
  await untilReason("web", "UnknownPool");
  await annotate("web", { "heraldlb.io/pool": "" });
  await untilIP("web", "192.0.2.95");
});

test("a restored Service waits with its record for its old address, while the pool gives out nothing", async () => {
  await start();
  await createPool("p", ["192.0.2.120-192.0.2.129"], { disabled: true });
  const noted = {
    "heraldlb.io/assigned-pool": "p",
    "heraldlb.io/assigned-ips": "192.0.2.125",
    "heraldlb.io/assigned-at": "2026-01-01T00:00:00.000Z",
  };
  await createService("web", {}, noted);
  const waiting = await until("web", (service) => assigned(service)?.status === "False");
  expect(waiting.metadata.annotations).toEqual(noted);
  await patchPool("p", { spec: { disabled: false } });
  expect((await untilIP("web", "192.0.2.125")).metadata.annotations).toEqual(noted);
});

test("a Service that goes to another type and comes back at once is served anew", async () => {
  await start();
  await createPool("p", ["192.0.2.130"]);
  await createService("web");
  await untilIP("web", "192.0.2.130");
  for (let n = 0; n < 3; n++) {
    await patch("web", { spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null } });
    await patch("web", { spec: { type: "LoadBalancer", allocateLoadBalancerNodePorts: false } });
    const seen = await until("web", (service) => ips(service).length === 1 && assigned(service)?.status === "True");
    const noted = seen.metadata.annotations?.["heraldlb.io/assigned-ips"];
    expect([ips(seen), noted]).toEqual([["192.0.2.130"], "192.0.2.130"]);
  }
});

test("a Service that is given another class is let go of, and not touched from then on", async () => {
  await start();
  await createPool("p", ["192.0.2.135"]);
  await createService("web");
  await untilIP("web", "192.0.2.135");
  await patch("web", { spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null } });
  await patch("web", { spec: { type: "LoadBalancer", loadBalancerClass: "example.com/other" } });
  await until("web", (service) => assigned(service) === undefined && service.metadata.annotations === undefined);
  await createService("next");
  await untilIP("next", "192.0.2.135");
  await patch("web", { status: { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } } }, "/status");
  const theirs = await get("web");
  await annotate("next", { "heraldlb.io/reassign": "true" });
  await until("next", ({ metadata }) => metadata.annotations?.["heraldlb.io/reassign"] === undefined);
  expect(await get("web")).toEqual(theirs);
});

test("a Service that went to another type while nobody led is let go of, and none of another class is touched", async () => {
  const first = await start();
  await createPool("p", ["192.0.2.136-192.0.2.137"]);
  for (const name of ["turned", "given"]) {
    await createService(name);
    await until(name, (service) => ips(service).length === 1);
  }
  await createService("theirs", { loadBalancerClass: "example.com/other" }, { "example.com/note": "x" });
  await first.stop();
  for (const name of ["turned", "given"])
    await patch(name, { spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null } });
  await patch("given", { spec: { type: "LoadBalancer", loadBalancerClass: "example.com/other" } });
  const others = await Promise.all(["theirs", "given"].map(get));
  const second = await start();
  await until("turned", (service) => assigned(service) === undefined && service.metadata.annotations === undefined);
  await createService("next");
  await until("next", (service) => ips(service).length === 1);
  expect(await Promise.all(["theirs", "given"].map(get))).toEqual(others);
  expect(second.requests.filter((line) => /\/services\/(theirs|given)/.test(line))).toEqual([]);
});

test("a namespace's labels decide, also after they change", async () => {
  const one = await start();
  await createPool("p", ["192.0.2.140-192.0.2.149"], { namespaceSelector: { matchLabels: { team: namespace } } });
  await createService("web");
  expect(assigned(await untilReason("web", "NoFittingPool"))?.message).toContain("namespaceSelector");
  const edit = async (metadata: object) => {
    const path = `/api/v1/namespaces/${namespace}`;
    await client.request({ method: "PATCH", path, contentType: MERGE, body: { metadata } });
  };
  await edit({ labels: { team: namespace } });
  await untilIP("web", "192.0.2.140");
  await edit({ labels: { team: null } });
  expect(stranded(await until("web", (service) => stranded(service) !== undefined))?.reason).toBe("NamespaceSelector");
  expect(ips(await get("web"))).toEqual(["192.0.2.140"]);
  await edit({ labels: { team: namespace } });
  await until("web", (service) => stranded(service) === undefined);
  await edit({ annotations: { "example.com/note": "no label" } });
  await createService("last");
  await untilIP("last", "192.0.2.141");
  expect(one.requests.filter((line) => line.endsWith("/services/web/status"))).toHaveLength(4);
});

test("somebody who writes in between is no obstacle: a conflict is tried again at once", async () => {
  let conflicts = 0;
  const one = await start({
    before: async (request) => {
      if (request.method !== "PATCH" || !/\/services\/s\d+\/status$/.test(request.path) || conflicts >= 10) return;
      conflicts++;
      const body = { metadata: { labels: { round: `${conflicts}` } } };
      await client.request({ method: "PATCH", path: request.path.replace("/status", ""), contentType: MERGE, body });
    },
  });
  await createPool("p", ["192.0.2.150-192.0.2.159"]);
  const names = Array.from({ length: 8 }, (_, n) => `s${n}`);
  await Promise.all(names.map((name) => createService(name)));
  for (const name of names) await until(name, (service) => ips(service).length === 1);
  expect(new Set((await listServices()).items.flatMap(ips)).size).toBe(8);
  await expect.poll(() => metric(one, WRITTEN)).toBe(8);
  expect(await metric(one, 'herald_api_writes_total{kind="Service",result="failed"}')).toBeUndefined();
});

test("restarts in the midst of assigning move nobody, and give nothing twice", async () => {
  await createPool("p", ["10.1.0.0/22"]);
  const names = Array.from({ length: 300 }, (_, n) => `s${n}`);
  const first = new Map<string, string>();
  const moved: string[] = [];
  const over = new AbortController();
  const watching = (async () => {
    for await (const { object } of oneByOne(client.watch("/api/v1/services", {}, over.signal))) {
      const service = object as Awaited<ReturnType<typeof listServices>>["items"][number];
      const [{ name }, ip] = [service.metadata, ips(service).join()];
      const known = first.get(name);
      if (known === undefined && ip !== "") first.set(name, ip);
      if (known !== undefined && known !== ip) moved.push(`${name}: ${known} -> ${ip}`);
    }
  })().catch(() => {});
  const creating = Promise.all(
    [0, 1, 2, 3].map(async (writer) => {
      for (const [n, name] of names.entries()) if (n % 4 === writer) await createService(name);
    }),
  );
  for (let round = 0; first.size < names.length; round++) {
    await start({ identity: `round ${round}` });
    const wanted = Math.min(names.length, first.size + 60);
    await expect.poll(() => first.size, { timeout: 20_000, interval: 5 }).toBeGreaterThanOrEqual(wanted);
    await stopAll();
  }
  await creating;
  over.abort();
  await watching;
  expect(moved).toEqual([]);
  expect(new Set(first.values()).size).toBe(names.length);
  for (const service of (await listServices()).items)
    expect(service.metadata.annotations?.["heraldlb.io/assigned-ips"]).toBe(ips(service).join());
}, 120_000);

test("kubectl describe shows of a pool what it is and what has happened", async () => {
  await start();
  await createPool("p", ["192.0.2.160"]);
  await createService("web");
  await untilPool("p", (pool) => condition(pool, "Exhausted")?.status === "True");
  await expect.poll(() => eventsAbout("IPPool", "p")).toHaveLength(1);
  const text = await plane.kubectl(["describe", "ippool", "p"]);
  expect(text).toMatch(/Warning\s+Exhausted\s+.*no IPv4 address is left/);
  expect(text).toMatch(/Finalizers:\s+heraldlb\.io\/in-use/);
});
