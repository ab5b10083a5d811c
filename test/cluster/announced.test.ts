import { readFileSync } from "node:fs";
import { afterEach, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { systemClock } from "../../src/clock.ts";
import { KubeClient, type KubeRequest } from "../../src/kube/client.ts";
import { connect } from "../../src/kube/connection.ts";
import { Reflector } from "../../src/kube/reflector.ts";
import { Store } from "../../src/kube/store.ts";
import type { WriteResult } from "../../src/kube/write-status.ts";
import { noLog } from "../../src/log.ts";
import { AnnouncedWriter } from "../../src/speaker/announced-writer.ts";
import type { AnnouncementView, IPIntent } from "../../src/speaker/announcement.ts";
import type { Claimant } from "../../src/speaker/claimants.ts";
import { type LeanService, leanServices } from "../../src/speaker/lean-services.ts";
import {
  annotate,
  assigned,
  client,
  condition,
  createPool,
  createService,
  get,
  ips,
  patch,
  patchPool,
  plane,
  type SeenService,
  start,
  stranded,
  until,
  untilIP,
  useControlPlane,
} from "./controlled.ts";

/** Speakers write the condition Announced while the controller writes its own conditions on the same Services. */

useControlPlane();

/** The rights of a speaker as they are shipped. */
beforeAll(async () => {
  const file = new URL("../../config/rbac/speaker.yaml", import.meta.url);
  const roles = parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS());
  const role = roles.find(({ kind }) => kind === "ClusterRole");
  await client.request({ method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterroles", body: role });
  const account = "--serviceaccount=herald-system:herald-speaker";
  await plane.kubectl(["create", "clusterrolebinding", "herald-speaker", "--clusterrole=herald-speaker", account]);
});

/** A condition of somebody else. */
const theirs = {
  type: "example.com/Audited",
  status: "True",
  reason: "Fine",
  message: "by another",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};
const announced = (service: SeenService) => condition(service, "heraldlb.io/Announced");
const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

/** Whatever the addresses, `owner` has them; changes are seen when the writers are told to look. */
interface World {
  owner: string | undefined;
  readonly nodes: readonly string[];
}

async function asSpeaker(): Promise<KubeClient> {
  const kubeconfig = await plane.kubeconfig("system:serviceaccount:herald-system:herald-speaker");
  return new KubeClient(await connect({ kubeconfig }), { clock: systemClock });
}

/** Runs one node's writer in this process, with the rights of a speaker. */
async function speaker(self: string, world: World) {
  const over = new AbortController();
  const requests: KubeRequest[] = [];
  const client = await asSpeaker();
  const store = new Store<LeanService>();
  const deps = { client, clock: systemClock, random: Math.random, log: noLog };
  const reflector = new Reflector({ ...deps, resource: leanServices, store });
  const told: string[] = [];
  const results: WriteResult[] = [];
  const writer = new AnnouncedWriter({
    ...deps,
    client: {
      request: async (request) => {
        requests.push(request);
        return await client.request(request);
      },
    },
    services: store,
    view: () => (store.synced ? viewOf(self, world, store) : undefined),
    wrote: (result) => results.push(result),
    told: (_, before, after) => told.push(`${before?.status} -> ${after?.status}`),
  });
  store.onChange(({ key }) => writer.look([key]));
  const ended = [reflector.run(over.signal), writer.run(over.signal)];
  await reflector.whenSynced();
  writer.look("All");
  running.push(async () => {
    over.abort();
    await Promise.all(ended);
    client.close();
  });
  return { writer, requests, told, results };
}

function viewOf(self: string, { owner, nodes }: World, store: Store<LeanService>): AnnouncementView {
  const all = store.list().flatMap(({ ips }) => ips);
  const candidates = nodes.map((node) => ({ node, score: 0 }));
  const intent: IPIntent = { what: "Announced", candidates: { candidates, excluded: [] } };
  const claim = (node: string): readonly Claimant[] => [
    { node, interface: "eth0", mac: "02:00:00:00:00:01", epoch: 1n, announces: true, subnets: [] },
  ];
  return {
    self,
    speakers: nodes,
    presence: () => "Speaking",
    bgp: () => undefined,
    claimantsOf: (ip) => (owner === undefined || !all.includes(ip) ? [] : claim(owner)),
    intentOf: (ip) => (all.includes(ip) ? intent : undefined),
  };
}

const patches = (requests: readonly KubeRequest[]) => requests.filter(({ method }) => method === "PATCH").length;

test("beside the controller: both conditions are there, once written nothing is written again, and a move is one write", async () => {
  await start();
  await createPool("p", ["192.0.2.0/27"]);
  const world: World = { owner: "n1", nodes: ["n1", "n2"] };
  const [one, two] = [await speaker("n1", world), await speaker("n2", world)];
  const names = Array.from({ length: 10 }, (_, n) => `s${n}`);
  await Promise.all(names.map((name) => createService(name)));
  for (const name of names) {
    const service = await until(name, (service) => announced(service) !== undefined);
    expect(assigned(service)).toMatchObject({ status: "True", reason: "Assigned" });
    expect(announced(service)).toMatchObject({ status: "True", reason: "Layer2" });
    expect(announced(service)?.message).toMatch(
      new RegExp(`^${ips(service)[0]} by node n1 on eth0 \\(02:00:00:00:00:01\\) since 20\\S+Z$`),
    );
  }
  const times = new Map<string, unknown>();
  for (const name of names) times.set(name, announced(await get(name))?.lastTransitionTime);
  one.writer.look("All");
  two.writer.look("All");
  world.owner = "n2";
  two.writer.look("All");
  one.writer.look("All");
  for (const name of names) {
    const service = await until(name, (service) => announced(service)?.message.includes("node n2") ?? false);
    expect(assigned(service)?.status).toBe("True");
    expect(announced(service)?.lastTransitionTime).toBe(times.get(name));
  }
  expect([patches(one.requests), patches(two.requests)]).toEqual([10, 10]);
  // The watch may show a write before its answer is there.
  await expect.poll(() => [one.told.length, two.told.length], { timeout: 20_000 }).toEqual([10, 10]);
});

test("a Service that controller and speaker write at once loses neither's condition", async () => {
  await start();
  await createPool("p", ["192.0.2.40-192.0.2.49"]);
  const world: World = { owner: "n1", nodes: ["n1"] };
  const { writer } = await speaker("n1", world);
  await createService("web");
  await untilIP("web", "192.0.2.40");
  for (let n = 0; n < 4; n++) {
    await patchPool("p", { spec: { exclude: n % 2 === 0 ? ["192.0.2.40"] : [] } });
    world.owner = `n${n % 2}`;
    await patch("web", { status: { conditions: null } }, "/status"); // by somebody who means harm
    writer.look("All");
    const now = await until(
      "web",
      (service) =>
        assigned(service) !== undefined &&
        (stranded(service) !== undefined) === (n % 2 === 0) &&
        (world.owner !== "n1" || announced(service) !== undefined),
    );
    expect(ips(now)).toEqual(["192.0.2.40"]);
    world.owner = "n1";
    writer.look("All");
    await until("web", (service) => announced(service)?.message.includes("node n1") ?? false);
  }
});

test("what a speaker has seen is not what is there: it reads anew and keeps what another wrote meanwhile", async () => {
  await createPool("p", ["192.0.2.50"]);
  const one = await start();
  await createService("web");
  await untilIP("web", "192.0.2.50");
  await one.stop();
  const seen = leanServices.keep(await get("web"));
  const conditions = (await get("web")).status.conditions ?? [];
  await patch("web", { status: { conditions: [...conditions, theirs] } }, "/status");
  const client = await asSpeaker();
  const store = new Store<LeanService>();
  store.put(seen); // and no reflector: it stays behind
  const over = new AbortController();
  const results: string[] = [];
  const writer = new AnnouncedWriter({
    client,
    clock: systemClock,
    random: Math.random,
    log: noLog,
    services: store,
    view: () => viewOf("n1", { owner: "n1", nodes: ["n1"] }, store),
    wrote: (result) => results.push(result),
    told: () => {},
  });
  const ended = writer.run(over.signal);
  running.push(async () => {
    over.abort();
    await ended;
    client.close();
  });
  writer.look("All");
  const now = await until("web", (service) => announced(service) !== undefined);
  expect(now.status.conditions).toHaveLength(3);
  expect(now.status.conditions).toEqual(expect.arrayContaining([theirs, ...conditions]));
  await expect.poll(() => results, { timeout: 20_000 }).toEqual(["conflict", "written"]);
});

test("a Service that has no address any more loses the speaker's condition, and no other", async () => {
  await createPool("p", ["192.0.2.80"]);
  const one = await start();
  await speaker("n1", { owner: "n1", nodes: ["n1"] });
  await createService("web");
  const before = await until("web", (service) => announced(service) !== undefined);
  await one.stop();
  const [conditions, loadBalancer] = [[theirs, ...(before.status.conditions ?? [])], { ingress: null }];
  await patch("web", { status: { conditions, loadBalancer } }, "/status");
  const now = await until("web", (service) => announced(service) === undefined);
  expect(now.status.conditions).toEqual([theirs, assigned(before)]);
});

test("two nodes that both say they have an address do not fight without end", async () => {
  await start();
  await createPool("p", ["192.0.2.60"]);
  await createService("web");
  await untilIP("web", "192.0.2.60");
  const [one, two] = [
    await speaker("n1", { owner: "n1", nodes: ["n1", "n2"] }),
    await speaker("n2", { owner: "n2", nodes: ["n1", "n2"] }),
  ];
  // A write that the other was ahead of is no move of the quarrel: such conflicts come by chance, and are not counted.
  const written = () => [...one.results, ...two.results].filter((result) => result === "written").length;
  await expect.poll(written, { timeout: 30_000 }).toBeGreaterThanOrEqual(8);
  await new Promise((resolve) => setTimeout(resolve, 3_000)); // a quarrel without end would go on in this time
  expect(written()).toBeLessThanOrEqual(12);
});

test("a Service of another type keeps nothing of it", async () => {
  await start();
  await createPool("p", ["192.0.2.70"]);
  await speaker("n1", { owner: "n1", nodes: ["n1"] });
  await createService("web");
  await until("web", (service) => announced(service) !== undefined);
  await patch("web", { spec: { type: "ClusterIP" } });
  const now = await until("web", (service) => announced(service) === undefined && assigned(service) === undefined);
  expect(now.spec.type).toBe("ClusterIP");
  await annotate("web", {});
});
