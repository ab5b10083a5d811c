import { expect, test } from "vitest";
import {
  assigned,
  client,
  condition,
  createPool,
  createService,
  eventsAbout,
  get,
  getPool,
  ips,
  listServices,
  metric,
  namespace,
  nextVersion,
  patch,
  patchPool,
  path,
  plane,
  remove,
  SERVED,
  start,
  stopAll,
  until,
  untilIP,
  untilPool,
  untilReason,
  useControlPlane,
  WRITTEN,
} from "./controlled.ts";

useControlPlane();

test("a Service gets its address, record and condition in one write, and one event", async () => {
  await start();
  await createPool("p", ["192.0.2.10-192.0.2.20"]);
  const created = await createService("web");
  const service = await nextVersion("web", created);
  expect(service.status.loadBalancer.ingress).toEqual([{ ip: "192.0.2.10", ipMode: "VIP" }]);
  expect(service.metadata.annotations).toEqual({
    "heraldlb.io/assigned-pool": "p",
    "heraldlb.io/assigned-ips": "192.0.2.10",
    "heraldlb.io/assigned-at": expect.stringMatching(/^\d{4}-.*Z$/),
  });
  expect(assigned(service)).toMatchObject({ status: "True", reason: "Assigned", message: '192.0.2.10 from pool "p"' });
  await expect
    .poll(() => eventsAbout("Service", "web"))
    .toEqual([{ type: "Normal", reason: "Assigned", note: '192.0.2.10 from pool "p"' }]);
  expect((await get("web")).metadata.resourceVersion).toBe(service.metadata.resourceVersion);
});

test("a Service waits, says why, and gets the address of the one that is deleted", async () => {
  await start();
  await createService("web");
  expect(assigned(await untilReason("web", "NoPool"))).toMatchObject({
    status: "False",
    message: "there is no IPPool to take an address from; create one",
  });
  await createPool("six", ["2001:db8::/120"]);
  await untilReason("web", "NoFittingPool");
  await createPool("p", ["192.0.2.30"]);
  await untilIP("web", "192.0.2.30");
  await createService("next");
  const waiting = await untilReason("next", "PoolExhausted");
  expect(assigned(waiting)?.message).toBe(
    'no pool can give what is asked for: pool "p" has no free IPv4 address; pool "six" has no IPv4 addresses; add addresses to a pool, or delete a Service that holds one',
  );
  await remove("web");
  const served = await untilIP("next", "192.0.2.30");
  expect(assigned(served)).toMatchObject({ status: "True", reason: "Assigned" });
});

test("a change of type frees the address, clears the record and serves who waits", async () => {
  await start();
  await createPool("p", ["192.0.2.40"]);
  await createService("web");
  await untilIP("web", "192.0.2.40");
  await createService("next");
  await untilReason("next", "PoolExhausted");
  await patch("web", { spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null } });
  await untilIP("next", "192.0.2.40");
  const web = await until(
    "web",
    (service) => service.metadata.annotations === undefined && assigned(service) === undefined,
  );
  expect(ips(web)).toEqual([]);
});

test("addresses of foreign classes are neither given out nor touched", async () => {
  await start();
  await createService("theirs", { loadBalancerClass: "example.com/other" });
  await patch("theirs", { status: { loadBalancer: { ingress: [{ ip: "192.0.2.50" }] } } }, "/status");
  const before = await get("theirs");
  await createPool("p", ["192.0.2.50-192.0.2.51"]);
  await createService("ours", { loadBalancerClass: "heraldlb.io/herald" });
  await untilIP("ours", "192.0.2.51");
  expect(await get("theirs")).toEqual(before);
});

test("with class-only, a Service of no class is left alone", async () => {
  await start({ classOnly: true });
  await createPool("p", ["192.0.2.55-192.0.2.56"]);
  await createService("classless");
  await createService("ours", { loadBalancerClass: "heraldlb.io/herald" });
  await untilIP("ours", "192.0.2.55");
  expect((await get("classless")).status).toEqual({ loadBalancer: {} });
});

test("dual stack: both families of one pool, IPv4 first", async () => {
  await start();
  await createPool("p", ["2001:db8::10-2001:db8::1f", "192.0.2.60"]);
  await createService("web", { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6", "IPv4"] });
  const service = await untilIP("web", "192.0.2.60,2001:db8::10");
  expect(service.metadata.annotations?.["heraldlb.io/assigned-ips"]).toBe("192.0.2.60,2001:db8::10");
  await createService("second", { ipFamilyPolicy: "PreferDualStack" });
  await untilIP("second", "2001:db8::11");
  await createService("third", { ipFamilyPolicy: "RequireDualStack" });
  await untilReason("third", "PoolExhausted");
});

test("a status that somebody empties, overwrites or un-notes is put back", async () => {
  await start();
  await createPool("p", ["192.0.2.70-192.0.2.79"]);
  await createService("web");
  const before = await untilIP("web", "192.0.2.70");
  await patch("web", { status: { loadBalancer: { ingress: null } } }, "/status");
  await untilIP("web", "192.0.2.70");
  await patch("web", { status: { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } } }, "/status");
  await untilIP("web", "192.0.2.70");
  await patch("web", {
    metadata: { annotations: { "heraldlb.io/assigned-pool": null, "heraldlb.io/assigned-ips": "192.0.2.79" } },
  });
  const after = await until("web", (service) => service.metadata.annotations?.["heraldlb.io/assigned-pool"] === "p");
  expect([after.metadata.annotations, after.status]).toEqual([before.metadata.annotations, before.status]);
});

test("somebody who overwrites a status again and again is answered at a pace", async () => {
  const one = await start();
  await createPool("p", ["192.0.2.78"]);
  await createService("web");
  await untilIP("web", "192.0.2.78");
  for (let n = 0; n < 40; n++) {
    await patch("web", { status: { loadBalancer: { ingress: [{ ip: `203.0.113.${n}` }] } } }, "/status");
    await new Promise(setImmediate);
    if (n < 5) await untilIP("web", "192.0.2.78");
    else await client.request({ method: "GET", path: path("web") });
  }
  await untilIP("web", "192.0.2.78");
  expect(await metric(one, WRITTEN)).toBeLessThan(15);
});

test("one Service whose status the API server refuses holds nobody up, and is served once it may be", async () => {
  const admission = "/apis/admissionregistration.k8s.io/v1";
  const only = { name: "ours", expression: `request.namespace == "${namespace}" && request.name == "refused"` };
  const spec = {
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["services/status"], operations: ["UPDATE"] }],
    },
    matchConditions: [only],
    validations: [{ expression: "false", message: "not this one" }],
  };
  const policies = [
    ["validatingadmissionpolicies", { metadata: { name: "refuse" }, spec }],
    [
      "validatingadmissionpolicybindings",
      { metadata: { name: "refuse" }, spec: { policyName: "refuse", validationActions: ["Deny"] } },
    ],
  ] as const;
  for (const [kind, body] of policies) await client.request({ method: "POST", path: `${admission}/${kind}`, body });
  await createService("refused");
  const refused = () => patch("refused", { status: { loadBalancer: { ingress: [{ ip: "203.0.113.1" }] } } }, "/status");
  await expect.poll(() => refused().then(() => "", String), { timeout: 15_000 }).toContain("not this one");
  await createPool("p", ["192.0.2.130-192.0.2.169"]);
  const one = await start();
  await expect.poll(() => metric(one, 'herald_api_writes_total{kind="Service",result="failed"}')).toBeGreaterThan(0);
  const names = Array.from({ length: 35 }, (_, n) => `s${n}`);
  for (const name of names) await createService(name);
  for (const name of names) await until(name, (service) => ips(service).length === 1);
  for (const [kind] of policies) await client.request({ method: "DELETE", path: `${admission}/${kind}/refuse` });
  await until("refused", (service) => ips(service).length === 1);
}, 60_000);

test("a restart with Services that wait moves nobody and writes nothing", async () => {
  await start();
  await createPool("p", ["192.0.2.80-192.0.2.84"]);
  for (let n = 0; n < 5; n++) {
    await createService(`s${n}`);
    await untilIP(`s${n}`, `192.0.2.8${n}`);
  }
  await createService("late");
  await untilReason("late", "PoolExhausted");
  const usage = { total: 5, assigned: 5, available: 0 };
  await untilPool("p", ({ status }) => status?.ipv4?.assigned === 5);
  await stopAll();
  const before = await listServices();
  const second = await start({ identity: "two" });
  await second.ready;
  // It leads and has caught up once it has served a Service that came after all others.
  await createPool("six", ["2001:db8::1"], { autoAssign: false });
  await untilPool("six", (pool) => condition(pool, "Ready")?.status === "True");
  const pool = await getPool("p");
  const after = (await listServices()).items.filter(({ metadata }) => metadata.name !== "late");
  expect(after).toEqual(before.items.filter(({ metadata }) => metadata.name !== "late"));
  expect(pool.status?.ipv4).toEqual(usage);
  expect(await metric(second, SERVED)).toBe(5);
  // The one that waits heard of the new pool; nobody else was written.
  await expect.poll(() => metric(second, WRITTEN)).toBe(1);
  await remove("s3");
  await untilIP("late", "192.0.2.83");
});

test("holders are adopted before those who wait are served, also from another controller", async () => {
  await createService("older");
  await createService("holder");
  await patch("holder", { status: { loadBalancer: { ingress: [{ ip: "192.0.2.90" }] } } }, "/status");
  await createPool("p", ["192.0.2.90-192.0.2.91"]);
  await start();
  await untilIP("older", "192.0.2.91");
  const holder = await untilReason("holder", "Assigned");
  expect(holder.status.loadBalancer.ingress).toEqual([{ ip: "192.0.2.90", ipMode: "VIP" }]);
});

test("addresses from before Herald stay, also where their pool is made after its start", async () => {
  await start();
  await createService("older");
  await createService("holder");
  await patch("holder", { status: { loadBalancer: { ingress: [{ ip: "192.0.2.95" }] } } }, "/status");
  const noted = {
    "heraldlb.io/assigned-pool": "p",
    "heraldlb.io/assigned-ips": "192.0.2.96",
    "heraldlb.io/assigned-at": "2026-01-01T00:00:00.000Z",
  };
  const body = {
    metadata: { name: "restored", annotations: noted },
    spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
  };
  await client.request({ method: "POST", path: `/api/v1/namespaces/${namespace}/services`, body });
  for (const name of ["older", "holder", "restored"]) await untilReason(name, "NoPool");
  await createPool("p", ["192.0.2.95-192.0.2.97"]);
  await untilIP("older", "192.0.2.97");
  expect(ips(await untilReason("holder", "Assigned"))).toEqual(["192.0.2.95"]);
  expect((await untilIP("restored", "192.0.2.96")).metadata.annotations).toEqual(noted);
});

test("a cloud's address stays on a Service that no pool serves", async () => {
  await start();
  await createService("web");
  await patch("web", { status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } } }, "/status");
  await untilReason("web", "NoPool");
  expect(ips(await get("web"))).toEqual(["203.0.113.7"]);
});

test("of two controllers one writes, and the other takes over at once when it ends", async () => {
  const first = await start({ identity: "one" });
  await createPool("p", ["192.0.2.100-192.0.2.109"]);
  await createService("a");
  await untilIP("a", "192.0.2.100");
  const second = await start({ identity: "two" });
  await second.ready;
  expect(await metric(second, SERVED)).toBeUndefined();
  await first.stop();
  await createService("b");
  await untilIP("b", "192.0.2.101");
  expect(ips(await get("a"))).toEqual(["192.0.2.100"]);
});

test("a pool that only the controller can see through is not Ready, and heals", async () => {
  await start();
  await createPool("p", ["2001:db8::9-2001:db8::1", "192.0.2.110"]);
  const bad = await untilPool("p", (pool) => condition(pool, "Ready")?.status === "False");
  expect(condition(bad, "Ready")).toMatchObject({
    reason: "InvalidSpec",
    message: 'spec.addresses[0] "2001:db8::9-2001:db8::1" starts after its end; swap the two addresses',
  });
  await createService("web");
  expect(assigned(await untilReason("web", "NoFittingPool"))?.message).toContain('pool "p" is not Ready');
  await patchPool("p", { spec: { addresses: ["2001:db8::1-2001:db8::9", "192.0.2.110"] } });
  await untilIP("web", "192.0.2.110");
  const good = await untilPool("p", ({ status }) => status?.ipv4?.assigned === 1);
  expect(good.status).toMatchObject({
    ipv4: { total: 1, assigned: 1, available: 0 },
    ipv6: { total: 9, assigned: 0, available: 9 },
  });
  expect(condition(good, "Ready")).toMatchObject({ status: "True", reason: "Valid" });
});

test("while the API server is away nothing is lost, and afterwards nothing is written twice", async () => {
  const one = await start();
  await createPool("p", ["192.0.2.120-192.0.2.129"]);
  await createService("web");
  const before = await untilIP("web", "192.0.2.120");
  await expect.poll(() => metric(one, WRITTEN)).toBe(1);
  await plane.stopApiServer();
  await plane.startApiServer();
  await createService("next");
  await untilIP("next", "192.0.2.121");
  expect((await get("web")).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  await expect.poll(() => metric(one, WRITTEN)).toBe(2);
});

test("100 Services at once get 100 addresses, with one write each", async () => {
  await createPool("p", ["10.0.0.0/24"]);
  const one = await start();
  await one.ready;
  const names = Array.from({ length: 100 }, (_, n) => `s${n}`);
  await Promise.all(names.map((name) => createService(name)));
  const all = await Promise.all(names.map((name) => until(name, (service) => ips(service).length === 1)));
  expect(new Set(all.flatMap(ips)).size).toBe(100);
  await expect.poll(() => metric(one, WRITTEN)).toBe(100);
});
