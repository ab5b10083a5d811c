import { expect, test } from "vitest";
import {
  annotate,
  annotation,
  assigned,
  client,
  condition,
  crashControllers,
  createPool,
  createService,
  editPool,
  ips,
  namespace,
  overwriteStatus,
  patchPool,
  patchService,
  recordOf,
  removePool,
  removeService,
  restartController,
  SIGHT,
  seen,
  services,
  settled,
  startController,
  stopControllers,
  stranded,
  trail,
  until,
  untilGone,
  untilHeld,
  untilIPs,
  untilPool,
  untilPoolGone,
  untilPoolSays,
  untilReason,
  untilServed,
  useWorld,
  versions,
  writes,
} from "./contract-world.ts";

/** Each clause of docs/addresses.md on who holds what, through the API server. */

useWorld();

/** A record as Herald writes it. */
const record = (pool: string, ips: string, at = "2026-01-01T00:00:00.000Z") => ({
  "heraldlb.io/assigned-pool": pool,
  "heraldlb.io/assigned-ips": ips,
  "heraldlb.io/assigned-at": at,
});

test("a new Service costs one write and one event, and none when others change it or the controller restarts", async () => {
  await createPool("p", ["192.0.2.0/24"]);
  const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
  await Promise.all(names.map((name) => createService(name)));
  await untilServed(names);
  for (let n = 0; n < 5; n++) await patchService("s0", { metadata: { labels: { n: `${n}` } } });
  await restartController();
  await settled();
  expect(names.map(writes)).toEqual(names.map((name) => (name === "s0" ? 2 + 5 : 2)));
  type Told = { reason: string; note: string; regarding: { name: string }; reportingController?: string };
  type Events = { items: Told[] };
  const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
  const told = async () => {
    const { items } = await client.request<Events>({ method: "GET", path });
    // The API server tells of Services too: when it has repaired what it knows of their ClusterIPs.
    const own = items.filter(({ reportingController }) => reportingController === "herald-controller");
    return own.map(({ reason, note, regarding }) => `${regarding.name}: ${reason}: ${note}`).sort();
  };
  const expected = names.map((name) => `${name}: Assigned: ${ips(name)} from pool "p"`).sort();
  await expect.poll(told, { timeout: 10_000 }).toEqual(expected);
});

test("a restart while Services wait writes nothing, and who waits longest is served next", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.12"]);
  for (const n of [0, 1, 2]) {
    await createService(`s${n}`);
    await untilIPs(`s${n}`, `192.0.2.1${n}`);
  }
  await createService("late");
  await untilReason("late", "PoolExhausted");
  await settled();
  const before = versions();
  await restartController();
  await settled();
  expect(versions()).toEqual(before);
  await crashControllers();
  await startController();
  await settled();
  expect(versions()).toEqual(before);
  await stopControllers();
  await removeService("s1");
  await createService("a-later-one");
  await startController();
  await untilIPs("late", "192.0.2.11");
  await untilReason("a-later-one", "PoolExhausted");
  expect([trail("s0"), trail("s2")]).toEqual([
    ["", "192.0.2.10"],
    ["", "192.0.2.12"],
  ]);
});

/** In the order of priority, the last first: from "autoAssign" on a pool gives a new Service nothing after the edit. */
const EDITS = [
  { edit: "priority", spec: { priority: -1 }, undo: { priority: 0 } },
  { edit: "narrowed", spec: { addresses: ["10.0.1.5-10.0.1.9"] }, why: "OutsidePool" },
  { edit: "excluded", spec: { exclude: ["10.0.2.0/31"] }, undo: { exclude: [] }, why: "Excluded" },
  { edit: "avoided", spec: { avoidBuggyIPs: true }, undo: { avoidBuggyIPs: false }, why: "Avoided" },
  { edit: "auto-assign", spec: { autoAssign: false }, undo: { autoAssign: true } },
  { edit: "disabled", spec: { disabled: true }, undo: { disabled: false } },
  {
    edit: "namespace-selector",
    spec: { namespaceSelector: { matchLabels: { some: "other" } } },
    undo: { namespaceSelector: null },
    why: "NamespaceSelector",
  },
  {
    edit: "service-selector",
    spec: { serviceSelector: { matchExpressions: [{ key: "some", operator: "Exists" }] } },
    undo: { serviceSelector: null },
    why: "ServiceSelector",
  },
];

test.each(SIGHT)("pools edited $sight move nobody, and say who is stranded", async ({ during }) => {
  const addresses = (at: number) => [`10.0.${at}.0-10.0.${at}.9`];
  for (const [at, { edit }] of EDITS.entries()) {
    await createPool(edit, addresses(at), { priority: at });
    await createService(edit);
    await untilIPs(edit, `10.0.${at}.0`);
  }
  const records = EDITS.map(({ edit }) => recordOf(seen(edit)));
  await during(async () => {
    for (const { edit, spec } of EDITS) await editPool(edit, spec);
  });
  for (const { edit, why } of EDITS) {
    if (why === undefined) continue;
    const service = await until(edit, (one) => stranded(one)?.reason === why);
    expect(stranded(service)?.message).toContain(`pool "${edit}"`);
    expect(stranded(service)?.message).toContain("heraldlb.io/reassign");
    expect((await untilPool(edit, ({ status }) => status?.stranded === 1)).status?.conditions).toContainEqual(
      expect.objectContaining({ type: "Stranded", status: "True" }),
    );
  }
  await createService("new");
  await untilIPs("new", "10.0.3.1");
  await settled();
  const expected = EDITS.map((_, at) => ["", `10.0.${at}.0`]);
  expect(EDITS.map(({ edit }) => trail(edit))).toEqual(expected);
  expect(EDITS.map(({ edit }) => stranded(seen(edit))?.reason)).toEqual(EDITS.map(({ why }) => why));
  expect(EDITS.map(({ edit }) => assigned(seen(edit))?.status)).toEqual(EDITS.map(() => "True"));
  await during(async () => {
    for (const [at, { edit, undo }] of EDITS.entries()) await editPool(edit, undo ?? { addresses: addresses(at) });
  });
  for (const { edit } of EDITS) {
    await until(edit, (one) => stranded(one) === undefined);
    await untilPoolSays(edit, "Stranded", "NoneStranded");
  }
  expect(EDITS.map(({ edit }) => trail(edit))).toEqual(expected);
  expect(EDITS.map(({ edit }) => recordOf(seen(edit)))).toEqual(records);
});

const RENAMINGS = SIGHT.flatMap((one) => [
  { ...one, order: ["remove", "create"] },
  { ...one, order: ["create", "remove"] },
]);

test.each(RENAMINGS)("a pool renamed $sight ($order) takes its holders along", async ({ during, order }) => {
  const addresses = ["192.0.2.10-192.0.2.19", "2001:db8::10-2001:db8::19"];
  await createPool("before", addresses);
  await createService("web", { ipFamilyPolicy: "RequireDualStack" });
  const { metadata } = await untilIPs("web", "192.0.2.10,2001:db8::10");
  await createService("db");
  await untilIPs("db", "192.0.2.11");
  await untilHeld("before");
  await during(async () => {
    for (const step of order)
      if (step === "create") await createPool("after", addresses);
      else await removePool("before");
  });
  for (const name of ["web", "db"]) await until(name, (one) => annotation(one, "assigned-pool") === "after");
  await untilPoolGone("before");
  await createService("new");
  await untilIPs("new", "192.0.2.12");
  expect([trail("web"), trail("db")]).toEqual([
    ["", "192.0.2.10,2001:db8::10"],
    ["", "192.0.2.11"],
  ]);
  expect(annotation(seen("web"), "assigned-at")).toBe(metadata.annotations?.["heraldlb.io/assigned-at"]);
  expect([stranded(seen("web")), stranded(seen("db"))]).toEqual([undefined, undefined]);
});

test.each(SIGHT)("a pool split $sight keeps each holder its address, in the half that has it", async ({ during }) => {
  await createPool("all", ["192.0.2.10-192.0.2.13"]);
  const names = ["s0", "s1", "s2", "s3"];
  for (const name of names) {
    await createService(name);
    await untilServed([name]);
  }
  await during(async () => {
    await createPool("half", ["192.0.2.12-192.0.2.13"]);
    await editPool("all", { addresses: ["192.0.2.10-192.0.2.11"] });
  });
  for (const name of ["s2", "s3"]) await until(name, (one) => annotation(one, "assigned-pool") === "half");
  for (const name of ["all", "half"]) {
    const { status } = await untilPool(name, ({ status }) => status?.ipv4?.assigned === 2);
    expect(status).toMatchObject({ ipv4: { total: 2, available: 0 }, stranded: 0 });
  }
  await settled();
  expect(names.map(trail)).toEqual([10, 11, 12, 13].map((n) => ["", `192.0.2.${n}`]));
  expect(names.map((name) => annotation(seen(name), "assigned-pool"))).toEqual(["all", "all", "half", "half"]);
  expect(names.map((name) => stranded(seen(name)))).toEqual(names.map(() => undefined));
});

test("a pool deleted under its holders gives nothing more, and goes with the last of them", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.13"]);
  for (const name of ["a", "b"]) {
    await createService(name);
    await untilServed([name]);
  }
  await untilHeld("p");
  await removePool("p");
  await untilPoolSays("p", "Ready", "Terminating");
  await createService("late");
  expect(assigned(await untilReason("late", "NoFittingPool"))?.message).toContain('pool "p" is being deleted');
  await removeService("a");
  await settled();
  await restartController();
  await settled();
  expect((await untilPoolSays("p", "Ready", "Terminating")).metadata.deletionTimestamp).toBeDefined();
  expect([trail("b"), stranded(seen("b")), ips("late")]).toEqual([["", "192.0.2.11"], undefined, ""]);
  await removeService("b");
  await untilPoolGone("p");
  await createPool("p", ["192.0.2.10-192.0.2.13"]);
  await untilIPs("late", "192.0.2.10");
});

test("a pool removed past its finalizer strands its holders, who keep their addresses over a restart", async () => {
  await createPool("p", ["192.0.2.10"]);
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  await untilHeld("p");
  await stopControllers();
  await removePool("p");
  await patchPool("p", { metadata: { finalizers: null } });
  await untilPoolGone("p");
  await startController();
  await until("web", (one) => stranded(one)?.reason === "PoolGone");
  await restartController();
  await createPool("q", ["192.0.2.10-192.0.2.11"]);
  await until("web", (one) => annotation(one, "assigned-pool") === "q" && stranded(one) === undefined);
  await createService("new");
  await untilIPs("new", "192.0.2.11");
  expect(trail("web")).toEqual(["", "192.0.2.10"]);
});

test("reassign moves a Service once, and takes the annotation off in the same write", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.11"]);
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  await createPool("better", ["192.0.2.20"], { priority: 1 });
  await annotate("web", { reassign: "false" });
  await annotate("web", { reassign: "true" });
  await until("web", (one) => annotation(one, "reassign") === undefined);
  expect(trail("web")).toEqual(["", "192.0.2.10", "192.0.2.20"]);
  const asking = services.versions(`${namespace}/web`).filter((one) => annotation(one, "reassign") === "true");
  expect(asking.map(({ status }) => status.loadBalancer.ingress?.[0]?.ip)).toEqual(["192.0.2.10"]);
  expect(writes("web")).toBe(2 + 2 + 1);
  // What a new one would get is what it has, its own counted as free.
  await annotate("web", { reassign: "true" });
  await until("web", (one) => annotation(one, "reassign") === undefined);
  expect(trail("web").at(-1)).toBe("192.0.2.20");
  for (const name of ["p", "better"]) {
    await editPool(name, { disabled: true });
    await untilPoolSays(name, "Ready", "Disabled");
  }
  await annotate("web", { reassign: "true" });
  const kept = await untilReason("web", "NoFittingPool");
  expect(assigned(kept)?.message).toMatch(/^keeps 192\.0\.2\.20 from pool "better", and waits: .*is disabled/);
  expect(annotation(kept, "reassign")).toBe("true");
  await restartController();
  await settled();
  expect([ips("web"), annotation(seen("web"), "reassign")]).toEqual(["192.0.2.20", "true"]);
  await editPool("p", { disabled: false });
  await untilIPs("web", "192.0.2.10");
  expect(annotation(seen("web"), "reassign")).toBeUndefined();
  expect(trail("web")).toEqual(["", "192.0.2.10", "192.0.2.20", "192.0.2.10"]);
});

test.each(SIGHT)("a Service restored $sight gets its address where that is free, else another", async ({ during }) => {
  await createPool("p", ["192.0.2.10-192.0.2.14"]);
  for (const name of ["a", "b", "c"]) {
    await createService(name);
    await untilServed([name]);
  }
  const { b, c } = { b: seen("b").metadata.annotations ?? {}, c: seen("c").metadata.annotations ?? {} };
  await createService("taker");
  for (const name of ["a", "b", "c"]) await removeService(name);
  await annotate("taker", { ips: "192.0.2.12" });
  await untilIPs("taker", "192.0.2.12");
  await during(async () => {
    await createService("b", { annotations: b });
    await createService("c", { annotations: c });
  });
  expect((await untilIPs("b", "192.0.2.11")).metadata.annotations).toEqual(b);
  await untilIPs("c", "192.0.2.10");
  expect([trail("taker").at(-1), trail("b"), trail("c")]).toEqual([
    "192.0.2.12",
    ["", "192.0.2.11"],
    ["", "192.0.2.10"],
  ]);
});

test.each(SIGHT)("a Service re-created $sight under its old name is a new one", async ({ during }) => {
  await createPool("p", ["192.0.2.10-192.0.2.14"]);
  for (const name of ["a", "web"]) {
    await createService(name);
    await untilServed([name]);
  }
  await removeService("a");
  const { uid } = seen("web").metadata;
  await during(async () => {
    await removeService("web");
    await createService("web");
  });
  await until("web", ({ metadata }) => metadata.uid !== uid);
  await untilIPs("web", "192.0.2.10");
  expect(trail("web")).toEqual(["", "192.0.2.10"]);
});

test.each(SIGHT)("a status or record that somebody spoils $sight is put back", async ({ during }) => {
  await createPool("p", ["192.0.2.10-192.0.2.15"]);
  const names = ["emptied", "others", "foreign", "unnoted", "forged"];
  for (const name of names) {
    await createService(name);
    await untilServed([name]);
  }
  const before = names.map((name) => [ips(name), recordOf(seen(name)).slice(0, 2)]);
  await during(async () => {
    await createService("new");
    await overwriteStatus("emptied");
    await overwriteStatus("others", "192.0.2.10");
    await overwriteStatus("foreign", "203.0.113.9", "203.0.113.10");
    await annotate("unnoted", { "assigned-pool": null, "assigned-ips": null, "assigned-at": null });
    await annotate("forged", { "assigned-pool": "other", "assigned-at": "2020-01-01T00:00:00.000Z" });
  });
  for (const [at, name] of names.entries()) {
    const [ip = "", noted = []] = before[at] ?? [];
    await until(name, (one) => ips(name) === ip && recordOf(one).slice(0, 2).join() === (noted as string[]).join());
  }
  await untilIPs("new", "192.0.2.15");
  await settled();
  expect(names.map((name) => [ips(name), recordOf(seen(name)).slice(0, 2)])).toEqual(before);
});

test.each(SIGHT)("a type changed $sight to ClusterIP frees the address, and back asks anew", async ({ during }) => {
  await createPool("p", ["192.0.2.10-192.0.2.11"]);
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  await during(async () => {
    await patchService("web", { spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null } });
  });
  await createService("next");
  await untilIPs("next", "192.0.2.10");
  await until("web", ({ status }) => status.loadBalancer.ingress === undefined);
  await patchService("web", { spec: { type: "LoadBalancer" } });
  await untilIPs("web", "192.0.2.11");
  expect(trail("next")).toEqual(["", "192.0.2.10"]);
});

test("a foreign class is never touched, and its address never given out", async () => {
  const annotations = { ...record("p", "192.0.2.11"), "heraldlb.io/reassign": "true" };
  await createService("theirs", { loadBalancerClass: "example.com/other", annotations });
  await overwriteStatus("theirs", "192.0.2.10");
  const before = await until("theirs", (one) => ips("theirs") === "192.0.2.10" && one.metadata.uid !== "");
  await createPool("p", ["192.0.2.10-192.0.2.12"]);
  await createService("ours", { loadBalancerClass: "heraldlb.io/herald" });
  await untilIPs("ours", "192.0.2.11");
  await createService("classless");
  await untilIPs("classless", "192.0.2.12");
  await createService("asks", { annotations: { "heraldlb.io/ips": "192.0.2.10" } });
  expect(assigned(await untilReason("asks", "IPInUse"))?.message).toContain(`${namespace}/theirs`);
  const { resourceVersion } = seen("classless").metadata;
  await restartController("--class-only");
  await createService("left-alone");
  await createService("also-asks", {
    loadBalancerClass: "heraldlb.io/herald",
    annotations: { "heraldlb.io/ips": "192.0.2.12" },
  });
  // Served before, and another's now as far as this controller knows.
  expect(assigned(await untilReason("also-asks", "IPInUse"))?.message).toContain(`${namespace}/classless`);
  await settledOfClass();
  expect([writes("left-alone"), seen("classless").metadata.resourceVersion]).toEqual([1, resourceVersion]);
  await restartController();
  await untilReason("left-alone", "PoolExhausted");
  await settled();
  expect(seen("theirs")).toEqual(before);
  await removeService("theirs");
  await untilIPs("asks", "192.0.2.10");
  expect(["ours", "classless"].map(trail)).toEqual([
    ["", "192.0.2.11"],
    ["", "192.0.2.12"],
  ]);
});

/** As `settled`, of a controller that serves nobody without a class. */
async function settledOfClass(): Promise<void> {
  for (const name of ["one", "two"]) {
    await createService(name, { loadBalancerClass: "heraldlb.io/herald", annotations: { "heraldlb.io/pool": name } });
    await untilReason(name, "UnknownPool");
    await removeService(name);
  }
}

test("addresses from before Herald stay with the eldest that has them", async () => {
  await stopControllers();
  for (const name of ["a", "b", "c", "d"]) await createService(name);
  await overwriteStatus("b", "192.0.2.12");
  await overwriteStatus("c", "192.0.2.12");
  await overwriteStatus("d", "203.0.113.5");
  await createPool("p", ["192.0.2.10-192.0.2.15"]);
  await startController();
  await untilIPs("b", "192.0.2.12");
  await untilIPs("a", "192.0.2.10");
  await untilIPs("c", "192.0.2.11");
  await untilIPs("d", "192.0.2.13");
  expect(recordOf(seen("b")).slice(0, 2)).toEqual(["p", "192.0.2.12"]);
  expect(trail("b")).toEqual(["", "192.0.2.12"]);
});

test.each(SIGHT)("a record forged $sight takes nobody's address", async ({ during }) => {
  await createPool("p", ["192.0.2.10-192.0.2.19"]);
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  await during(async () => {
    await createService("a-thief", { annotations: record("p", "192.0.2.10", "2020-01-01T00:00:00.000Z") });
    await createService("b-outside", { annotations: record("p", "203.0.113.1") });
    await createService("c-garbage", { annotations: record("p", "x,\u0000y,192.0.2.10", "never") });
    await createService("d-both", { annotations: record("p", "192.0.2.18,192.0.2.10") });
  });
  await untilIPs("a-thief", "192.0.2.11");
  await untilIPs("b-outside", "192.0.2.12");
  await untilIPs("c-garbage", "192.0.2.13");
  await untilIPs("d-both", "192.0.2.18");
  await restartController();
  await settled();
  expect(trail("web")).toEqual(["", "192.0.2.10"]);
});

test("a Service that is being deleted keeps its address until it is gone", async () => {
  await createPool("p", ["192.0.2.10"]);
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  await patchService("web", { metadata: { finalizers: ["example.com/wait"] } });
  await createService("next");
  await removeService("web");
  await untilReason("next", "PoolExhausted");
  await restartController();
  await settled();
  expect([trail("web"), ips("next")]).toEqual([["", "192.0.2.10"], ""]);
  await patchService("web", { metadata: { finalizers: null } });
  await untilGone("web");
  await untilIPs("next", "192.0.2.10");
});

test("someone's edit of a pool's status or finalizers is put right", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.19"]);
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  await untilHeld("p");
  const right = (await untilPool("p", ({ status }) => status?.ipv4?.assigned === 1)).status;
  const said = right?.conditions?.map(({ type, status, reason }) => [type, status, reason]);
  const spoils = [
    { ipv4: { total: 1, assigned: 1, available: 0 }, stranded: 7, conditions: [] },
    { ipv4: null, ipv6: null, stranded: null, conditions: null },
    { conditions: right?.conditions?.map((one) => ({ ...one, status: "False", reason: "Spoilt" })) },
  ];
  for (const status of spoils) {
    await patchPool("p", { status }, "/status");
    const mended = await untilPool("p", (pool) => pool.status?.ipv4?.available === 9 && isAsBefore(pool.status));
    expect(mended.status).toMatchObject({ ipv4: right?.ipv4, ipv6: right?.ipv6, stranded: 0 });
  }
  await patchPool("p", { metadata: { finalizers: null } });
  await untilPool("p", ({ metadata }) => metadata.finalizers === undefined);
  await untilHeld("p");

  function isAsBefore(status: { conditions?: readonly { type: string; status: string; reason: string }[] }): boolean {
    return (
      JSON.stringify(status.conditions?.map(({ type, status, reason }) => [type, status, reason])) ===
      JSON.stringify(said)
    );
  }
});

test("two pools may not overlap: the younger gives nothing until it is mended, and its holders keep theirs", async () => {
  await createPool("young", ["192.0.2.10-192.0.2.19"], { priority: 1 });
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  // Made in a later second: the older of two is the one with the earlier creationTimestamp.
  await createPool("younger", ["192.0.2.15-192.0.2.30"], { priority: 2 });
  const pool = await untilPoolSays("younger", "Overlapping", "Overlapping");
  expect(condition(pool, "Ready")?.message).toContain("192.0.2.15-192.0.2.19");
  await createService("new");
  await untilIPs("new", "192.0.2.11");
  await editPool("young", { addresses: ["192.0.2.11-192.0.2.20"] });
  await until("web", (one) => stranded(one)?.reason === "OutsidePool");
  await editPool("younger", { addresses: ["192.0.2.21-192.0.2.30"] });
  await untilPoolSays("younger", "Ready", "Valid");
  await createService("third");
  await untilIPs("third", "192.0.2.21");
  expect([trail("web"), trail("new")]).toEqual([
    ["", "192.0.2.10"],
    ["", "192.0.2.11"],
  ]);
});
