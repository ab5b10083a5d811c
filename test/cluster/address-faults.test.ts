import { expect, test } from "vitest";
import {
  annotate,
  client,
  crashControllers,
  createPool,
  createService,
  each,
  editPool,
  ips,
  metric,
  namespace,
  ours,
  overwriteStatus,
  patchService,
  plane,
  recordOf,
  removeService,
  seen,
  services,
  settled,
  startController,
  startControllerVia,
  stopControllers,
  trail,
  untilIPs,
  untilServed,
  useWorld,
  writes,
} from "./contract-world.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

/** What must hold when other writers race, connections break, and parts die in the middle of it. */

useWorld();

const namesOf = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

const createAll = async (names: readonly string[]) => await each(names, (name) => createService(name));

/** Sees that each of the Services was given one address, once, in one write, and that no two have the same. */
function expectOneEach(names: readonly string[]): void {
  expect(names.filter((name) => trail(name).length !== 2)).toEqual([]);
  expect(names.filter((name) => writes(name) !== 2)).toEqual([]);
  expect(new Set(names.map(ips)).size).toBe(names.length);
}

test("1 000 assignments, in the middle of which the controller is killed, and then the API server", async () => {
  await stopControllers();
  await createPool("p", ["10.0.0.0/20"]);
  const names = namesOf("s", 1000);
  await createAll(names);
  await startController();
  await untilServed(names, 800);
  await crashControllers();
  expect(names.filter((name) => trail(name).length === 1).length).toBeGreaterThan(0);
  await startController();
  await untilServed(names, 400);
  await plane.stopApiServer();
  expect(names.filter((name) => trail(name).length === 1).length).toBeGreaterThan(0);
  await plane.startApiServer();
  await untilServed(names, 0, 60_000);
  await settled();
  expectOneEach(names);
}, 180_000);

test("others who write labels, annotations and statuses meanwhile lose nothing, and nobody is served twice", async () => {
  await createPool("p", ["10.0.0.0/24"]);
  const names = namesOf("s", 48);
  let isOver = false;
  const race = async (own: readonly string[]) => {
    for (let n = 0; !isOver; n++) {
      const there = own.filter((name) => services.get(`${namespace}/${name}`));
      for (const name of there) {
        await patchService(name, { metadata: { labels: { n: `${n}` }, annotations: { "example.com/n": `${n}` } } });
        if (n % 4 === 3) await addCondition(name);
      }
      if (there.length === 0) await new Promise(setImmediate);
    }
  };
  const racing = each([0, 8, 16, 24, 32, 40], (first) => race(names.slice(first, first + 8)));
  try {
    await createAll(names);
    await untilServed(names);
  } finally {
    isOver = true;
    await racing;
  }
  await settled();
  expect(names.filter((name) => trail(name).length !== 2)).toEqual([]);
  expect(new Set(names.map(ips)).size).toBe(names.length);
  for (const name of names) {
    const { metadata, status } = seen(name);
    expect(recordOf(seen(name)).slice(0, 2)).toEqual(["p", ips(name)]);
    if (metadata.annotations?.["example.com/n"] === undefined) continue;
    expect(metadata.labels?.n).toBe(metadata.annotations["example.com/n"]);
    expect(status.conditions?.filter(({ type }) => type === "heraldlb.io/Assigned")).toHaveLength(1);
  }
  const marked = names.filter((name) => seen(name).status.conditions?.some(({ type }) => type === "example.com/Seen"));
  expect(new Set(marked)).toEqual(conditioned);
});

/** Does `work` with one controller, which reaches the API server through a proxy. */
async function viaProxy(work: (proxy: TcpProxy) => Promise<void>): Promise<void> {
  await stopControllers();
  const proxy = await startTcpProxy({ host: new URL(plane.server).hostname, port: 6443 });
  try {
    await startControllerVia(proxy.port);
    await work(proxy);
    await stopControllers();
  } finally {
    await crashControllers();
    await proxy.stop();
  }
}

test("a write that another writer was faster than is refused, and what it told is told anew", async () => {
  await viaProxy(async (proxy) => {
    await createPool("p", ["10.0.0.0/24"]);
    const names = namesOf("s", 8);
    proxy.hold();
    await createAll(names);
    // On one of them it may be the Lease that is renewed.
    await expect.poll(proxy.held).toBeGreaterThan(1);
    await each(names, (name) => patchService(name, { metadata: { labels: { other: "writer" } } }));
    proxy.release();
    await untilServed(names);
    await settled();
    expect(await metric('herald_api_writes_total{kind="Service",result="conflict"}')).toBeGreaterThan(0);
    expect(names.filter((name) => trail(name).length !== 2)).toEqual([]);
    expect(new Set(names.map(ips)).size).toBe(names.length);
    expect(new Set(names.map((name) => seen(name).metadata.labels?.other))).toEqual(new Set(["writer"]));
  });
}, 60_000);

const conditioned = new Set<string>();

/** Adds another writer's condition, by a patch that leaves Herald's alone. */
async function addCondition(name: string): Promise<void> {
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, "");
  const condition = { type: "example.com/Seen", status: "True", reason: "Seen", message: "", lastTransitionTime };
  const path = `/api/v1/namespaces/${namespace}/services/${name}/status`;
  const contentType = "application/strategic-merge-patch+json";
  await client.request({ method: "PATCH", path, contentType, body: { status: { conditions: [condition] } } });
  conditioned.add(name);
}

test("connections that break again and again cost nobody an address and no second write", async () => {
  await viaProxy(async (proxy) => {
    await createPool("p", ["10.0.0.0/24"]);
    const names = namesOf("s", 120);
    for (const [at, name] of names.entries()) {
      await createService(name);
      if (at % 8 === 7) proxy.cut();
    }
    await untilServed(names, 0, 60_000);
    await settled();
    expectOneEach(names);
  });
}, 120_000);

test("what was changed while the controller heard nothing, and can't be told any more, is made good", async () => {
  await viaProxy(async (proxy) => {
    await createPool("p", ["192.0.2.10-192.0.2.19"]);
    for (const name of ["kept", "removed", "recreated", "retyped", "spoilt"]) {
      await createService(name);
      await untilServed([name]);
    }
    proxy.close();
    await removeService("removed");
    await removeService("recreated");
    await createService("recreated", { ports: [{ port: 81 }] });
    await patchService("retyped", { spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null } });
    await overwriteStatus("spoilt", "192.0.2.11");
    await createService("new");
    await editPool("p", { addresses: ["192.0.2.10-192.0.2.12", "192.0.2.14"] });
    // It has forgotten then what came before, so that the controller has to list anew.
    await plane.stopApiServer();
    await plane.startApiServer();
    proxy.open();
    await untilServed(["recreated", "new"], 0, 60_000);
    await untilIPs("spoilt", "192.0.2.14");
    await settled();
    expect(trail("kept")).toEqual(["", "192.0.2.10"]);
    expect([ips("recreated"), ips("new")].sort()).toEqual(["192.0.2.11", "192.0.2.12"]);
    expect([trail("recreated").length, trail("new").length]).toEqual([2, 2]);
  });
}, 120_000);

test("an address is nobody else's before the one that had it has been told", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.12"]);
  await createService("web");
  await untilIPs("web", "192.0.2.10");
  const allow = await refuseStatusOf("web");
  await annotate("web", { ips: "192.0.2.11" });
  await createService("next", { annotations: { "heraldlb.io/ips": "192.0.2.10" } });
  await createService("other");
  await untilServed(["other"]);
  expect([ips("web"), ips("next")]).toEqual(["192.0.2.10", ""]);
  await allow();
  await untilIPs("next", "192.0.2.10");
  expect([trail("web"), trail("next")]).toEqual([
    ["", "192.0.2.10", "192.0.2.11"],
    ["", "192.0.2.10"],
  ]);
  expect(ours().length).toBe(3);
});

test("two Services that exchange their addresses never have the same", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.12"]);
  for (const name of ["a", "b"]) {
    await createService(name);
    await untilServed([name]);
  }
  const allow = await refuseStatusOf("a", "b");
  await annotate("a", { ips: "192.0.2.12" });
  await annotate("b", { ips: "192.0.2.10" });
  await annotate("a", { ips: "192.0.2.11" });
  // Heard of by now.
  await createService("c");
  await untilServed(["c"]);
  await allow();
  await untilIPs("a", "192.0.2.11");
  await untilIPs("b", "192.0.2.10");
  const last = [trail("a"), trail("b")].map((all) => all.filter((ips) => ips !== ""));
  expect(last).toEqual([
    ["192.0.2.10", "192.0.2.11"],
    ["192.0.2.11", "192.0.2.10"],
  ]);
});

/** Has the API server refuse each write of these Services' statuses, until what this gives is called. */
async function refuseStatusOf(...names: readonly string[]): Promise<() => Promise<void>> {
  const admission = "/apis/admissionregistration.k8s.io/v1";
  const expression = `request.namespace == "${namespace}" && request.name in ${JSON.stringify(names)}`;
  const rule = { apiGroups: [""], apiVersions: ["v1"], resources: ["services/status"], operations: ["UPDATE"] };
  const spec = {
    matchConstraints: { resourceRules: [rule] },
    matchConditions: [{ name: "ours", expression }],
    validations: [{ expression: "false", message: "not this one" }],
  };
  const metadata = { name: `refuse-${namespace}` };
  const binding = { policyName: metadata.name, validationActions: ["Deny"] };
  const [policies, bindings] = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
  await client.request({ method: "POST", path: `${admission}/${policies}`, body: { metadata, spec } });
  await client.request({ method: "POST", path: `${admission}/${bindings}`, body: { metadata, spec: binding } });
  const refused = () => addCondition(names[0] ?? "").then(() => "", String);
  await expect.poll(refused, { timeout: 15_000 }).toContain("not this one");
  return async () => {
    for (const kind of [policies, bindings])
      await client.request({ method: "DELETE", path: `${admission}/${kind}/${metadata.name}` });
  };
}
