import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONDITION, EXCLUDE_NODE_LABEL } from "../../src/api/names.ts";
import { ApiFailure, type ApiObject } from "../lab/api.ts";
import { bfdUp, sessionsUp, untilSpeaker } from "../lab/bgp-sessions.ts";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName, nodePlan, podAddresses } from "../lab/plan.ts";
import { spread } from "../lab/spread.ts";
import { Random } from "../sim/random.ts";
import {
  apply,
  bgpPool,
  bgpService,
  bothRouters,
  hops,
  NO_NEWS,
  newsOf,
  pathFrom,
  prefixOf,
  probing,
  reachableBehind,
  routedTo,
  startBGP,
} from "./bgp-product.ts";
import { IPV6_ONLY, SERVICE } from "./product.ts";

/** What the routers, and the clients behind them, see of Services that are announced by BGP. */

let lab: Lab;
beforeAll(async () => {
  lab = await startBGP();
});
afterAll(() => lab?.stop());

/** Waits until the condition Announced of a Service says this. */
async function announced(
  name: string,
  wanted: { readonly status: string; readonly reason: string; readonly message: string | RegExp },
): Promise<void> {
  const { status, reason, message } = wanted;
  const says = (one: ApiObject) =>
    one.type === CONDITION.announced &&
    one.status === status &&
    one.reason === reason &&
    (typeof message === "string" ? one.message === message : message.test(one.message));
  await lab.until(
    `${SERVICE}/${name}`,
    `Service ${name} says ${reason}: ${message}`,
    (service) => service?.status.conditions?.some(says) === true,
  );
}

const remove = (...names: readonly string[]) => lab.kubectl(["delete", "service", ...names]);
const CONNECTIONS = 300;
/** A third of them each, give or take: less than this has a chance of one in a million. */
const LEAST_SHARE = 60;

test.each([
  { family: "IPv4", ip: "172.22.0.2", spec: {} },
  { family: "IPv6", ip: "2001:db8:ffff::2", spec: IPV6_ONLY },
])("$family, Cluster: both routers send over all three nodes, to both pods", async ({ ip, spec }) => {
  await apply(lab, bgpService("porter", { ips: ip }, spec));
  await routedTo(lab, ip, NODE_NAMES);
  await reachableBehind(lab, ip, ["demo-n1", "demo-n2"]);
  for (const { plan } of lab.routers) {
    const { nodes, pods } = await spread(lab, plan.client, ip, CONNECTIONS);
    expect(Object.keys(pods).sort()).toEqual(["demo-n1", "demo-n2"]);
    expect(Object.keys(nodes).sort(), plan.client).toEqual(["n1", "n2", "n3"]);
    for (const share of Object.values(nodes)) expect(share).toBeGreaterThan(LEAST_SHARE);
  }
  await remove("porter");
  await routedTo(lab, ip, []);
});

test("Local: only nodes with a pod, which sees the client's own address; a pod that is not ready takes its node away", async () => {
  const ip = "172.22.0.3";
  await apply(lab, bgpService("local", { ips: ip }, { externalTrafficPolicy: "Local" }));
  await routedTo(lab, ip, ["n1", "n2"]);
  await reachableBehind(lab, ip, ["demo-n1", "demo-n2"]);
  for (const { plan } of lab.routers) {
    const { pods, sources } = await spread(lab, plan.client, ip, CONNECTIONS);
    expect(sources).toEqual([plan.behind.client.ipv4]);
    for (const share of Object.values(pods)) expect(share).toBeGreaterThan(LEAST_SHARE);
  }
  await lab.faults.setReady("demo-n2", false);
  await routedTo(lab, ip, ["n1"]);
  await lab.faults.setReady("demo-n1", false);
  await routedTo(lab, ip, []);
  await Promise.all([lab.faults.setReady("demo-n1", true), lab.faults.setReady("demo-n2", true)]);
  await routedTo(lab, ip, ["n1", "n2"]);
  await remove("local");
});

test("a node that is to be left out announces nothing, and the others go on", async () => {
  const ip = "172.22.0.4";
  await apply(lab, bgpService("excluded", { ips: ip }));
  await routedTo(lab, ip, NODE_NAMES);
  const label = (value: string) => lab.kubectl(["label", "node", "n3", `${EXCLUDE_NODE_LABEL}${value}`]);
  await label("=");
  await routedTo(lab, ip, ["n1", "n2"]);
  await label("-");
  await routedTo(lab, ip, NODE_NAMES);
  await remove("excluded");
});

test("a node whose proxy does not forward announces nothing, which its Services say; the others go on, and nothing is lost", async () => {
  const [ip, onlyIP] = ["172.22.0.5", "172.22.7.1"];
  const nodeSelector = { matchLabels: { "kubernetes.io/hostname": "n3" } };
  await apply(
    lab,
    bgpPool("only-n3", ["172.22.7.0/24"], { nodeSelector }),
    bgpService("proxied", { ips: ip }),
    bgpService("proxied-by-n3", { pool: "only-n3", ips: onlyIP }),
  );
  await Promise.all([routedTo(lab, ip, NODE_NAMES), routedTo(lab, onlyIP, ["n3"])]);
  await reachableBehind(lab, ip, ["demo-n1", "demo-n2"]);
  // kube-proxy answers 503 on a node that the cluster autoscaler is about to remove.
  const taint = (end: string) =>
    lab.kubectl(["taint", "node", "n3", `ToBeDeletedByClusterAutoscaler:NoSchedule${end}`]);
  const lost = await probing(lab, ip, async () => {
    await taint("");
    await Promise.all([
      routedTo(lab, ip, ["n1", "n2"]),
      routedTo(lab, onlyIP, []),
      untilSpeaker(lab, "n3", "n3 withdraws its routes", (bgp) => bgp?.withdrawn === "NotForwarding"),
      announced("proxied", { status: "True", reason: "BGP", message: `${ip} advertised from 2 nodes to bird, frr` }),
      announced("proxied-by-n3", { status: "False", reason: "NoCandidate", message: /\bn3 \(NotForwarding\)/ }),
    ]);
    await taint("-");
    await Promise.all([
      routedTo(lab, ip, NODE_NAMES),
      routedTo(lab, onlyIP, ["n3"]),
      announced("proxied", { status: "True", reason: "BGP", message: `${ip} advertised from 3 nodes to bird, frr` }),
      announced("proxied-by-n3", { status: "True", reason: "BGP", message: /from node n3 to bird, frr/ }),
    ]);
  });
  expect(lost.map((one) => one.lost)).toEqual([0, 0]);
  await remove("proxied", "proxied-by-n3");
});

test("communities of all kinds and the MED arrive; the local preference does not leave the AS", async () => {
  const ip = "172.22.1.1";
  const communities = ["65000:100", "large:65000:1:2", "no-export"];
  await apply(
    lab,
    bgpPool("attributes", ["172.22.1.0/24"], { communities, med: 17, localPref: 300 }),
    bgpService("attributes", { pool: "attributes", ips: ip }),
  );
  await routedTo(lab, ip, NODE_NAMES);
  for (const router of lab.routers)
    expect(await pathFrom(router, "n2", ip), router.software).toMatchObject({
      asPath: [64513],
      communities: ["65000:100", "65535:65281"],
      largeCommunities: ["65000:1:2"],
      med: 17,
    });
  for (const [router, localPref] of lab.routers.map((one) => [one, one.software === "BIRD" ? 100 : undefined] as const))
    expect((await pathFrom(router, "n2", ip))?.localPref, router.software).toBe(localPref);

  // A change of attributes takes nothing away, and the sessions stay.
  const news = await newsOf(lab, async () => {
    await apply(lab, bgpPool("attributes", ["172.22.1.0/24"], { communities: ["65000:200"] }));
    for (const router of lab.routers)
      await expect
        .poll(async () => (await pathFrom(router, "n2", ip))?.communities, { timeout: 10_000 })
        .toEqual(["65000:200"]);
  });
  expect(news).toEqual(NO_NEWS);
  await remove("attributes");
  await routedTo(lab, ip, []);
});

test("entries for different peers: each router gets what is for it, what both have is united, and no mark of Herald's shows", async () => {
  const ip = "172.22.2.1";
  await apply(
    lab,
    bgpPool(
      "different",
      ["172.22.2.0/24"],
      { peers: ["frr"], communities: ["65000:1"] },
      { peers: ["bird"], communities: ["65000:2", "large:65000:3:4"], med: 5 },
      { communities: ["65000:9"] },
    ),
    bgpPool("frr-only", ["172.22.3.0/24"], { peers: ["frr"] }),
    bgpService("different", { pool: "different", ips: ip }),
    bgpService("frr-only", { pool: "frr-only", ips: "172.22.3.1" }),
  );
  await routedTo(lab, ip, NODE_NAMES);
  const [frr, bird] = bothRouters(lab);
  expect(await pathFrom(frr, "n1", ip)).toMatchObject({
    communities: ["65000:1", "65000:9"],
    largeCommunities: [],
    med: undefined,
  });
  expect(await pathFrom(bird, "n1", ip)).toMatchObject({
    communities: ["65000:2", "65000:9"],
    largeCommunities: ["65000:3:4"],
    med: 5,
  });
  await frr.routed("172.22.3.1/32", hops(NODE_NAMES));
  expect(bird.table.routes.has("172.22.3.1/32")).toBe(false);
  await remove("different", "frr-only");
  await routedTo(lab, ip, []);
  expect(
    bird.table.changes.some(({ prefix }) => prefix === "172.22.3.1/32"),
    "BIRD never heard of it",
  ).toBe(false);
});

test("an aggregate is one route for all its addresses, and goes with the last of them", async () => {
  const [first, second] = ["172.22.4.1", "172.22.4.2"];
  await apply(
    lab,
    bgpPool("aggregate", ["172.22.4.0/24", "2001:db8:fff4::/120"], { aggregationLength: 24, aggregationLengthV6: 120 }),
    bgpService("first", { pool: "aggregate", ips: first }),
    bgpService("second", { pool: "aggregate", ips: second }),
    bgpService("six", { pool: "aggregate" }, IPV6_ONLY),
  );
  await Promise.all(["172.22.4.0/24", "2001:db8:fff4::/120"].map((prefix) => routedTo(lab, prefix, NODE_NAMES)));
  for (const ip of [first, second]) await reachableBehind(lab, ip as string, ["demo-n1", "demo-n2"]);
  const news = await newsOf(lab, () =>
    remove("first").then(() => lab.until(`${SERVICE}/first`, "first is gone", (one) => !one)),
  );
  expect(news).toEqual(NO_NEWS);
  await routedTo(lab, "172.22.4.0/24", NODE_NAMES);
  await remove("second", "six");
  await Promise.all(["172.22.4.0/24", "2001:db8:fff4::/120"].map((prefix) => routedTo(lab, prefix, [])));
});

test("the entries' nodeSelector chooses the nodes of each", async () => {
  const ip = "172.22.5.1";
  const on = (node: NodeName) => ({ nodeSelector: { matchLabels: { "kubernetes.io/hostname": node } } });
  await apply(
    lab,
    bgpPool("chosen", ["172.22.5.0/24"], on("n1"), on("n3")),
    bgpService("chosen", { pool: "chosen", ips: ip }),
  );
  await routedTo(lab, ip, ["n1", "n3"]);
  await apply(lab, bgpPool("chosen", ["172.22.5.0/24"], on("n1")));
  await routedTo(lab, ip, ["n1"]);
  await remove("chosen");
});

const MANY = 1000;
const WRITERS = 4;
/** FRR and BIRD in turn; their sessions need 2 to 3 s to come back. */
const RESET_EACH_MS = 4000;
/** kube-proxy leaves it to another, so that it does not take the processor from the rest: nobody asks these Services. */
const NO_PROXY = { "service.kubernetes.io/service-proxy-name": "nobody" };
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
test(`${MANY} Services come and go while the routers reset their sessions again and again: they hold the right routes, and no other`, {
  timeout: 300_000,
}, async () => {
  const names = Array.from({ length: MANY }, (_, index) => `many-${index}`);
  const ipOf = (name: string) => {
    const index = Number(name.slice("many-".length));
    return `172.23.${Math.floor(index / 250)}.${1 + (index % 250)}`;
  };
  const holdExactly = (those: readonly string[]) =>
    Promise.all(
      lab.routers.map(({ table, software }) => {
        const via = hops(NODE_NAMES).sort().join();
        const wanted = new Set(those.map((name) => prefixOf(ipOf(name))));
        const wrong = () => [
          ...[...wanted].filter((prefix) => table.routes.get(prefix)?.join() !== via),
          ...[...table.routes.keys()].filter((prefix) => !wanted.has(prefix)),
        ];
        const what = `${software} holds exactly the routes of ${those.length} Services`;
        return table.until(
          what,
          () => wrong().length === 0,
          () => wrong().slice(0, 10),
          60_000,
        );
      }),
    );
  await holdExactly([]); // every other test has taken its Services away
  await apply(lab, bgpPool("many", ["172.23.0.0/16"]));
  let resets = 0;
  const enough = new AbortController();
  const resetting = (async () => {
    for (; !enough.signal.aborted; await sleep(RESET_EACH_MS)) await lab.routers[resets++ % 2]?.reset();
  })();
  try {
    await byWriters(names, async (name) => {
      const object = JSON.parse(bgpService(name, { pool: "many", ips: ipOf(name) }, { selector: null }));
      object.metadata.labels = NO_PROXY;
      await insist(() => lab.api.create(SERVICE, object));
      await insist(() => lab.api.create(SLICES, sliceOf(name)));
    });
    const [gone, left] = [names.filter((_, index) => index % 2 === 0), names.filter((_, index) => index % 2 === 1)];
    await byWriters(gone, (name) => insist(() => lab.api.delete(`${SERVICE}/${name}`)));
    enough.abort();
    await resetting;
    console.info(`${resets} resets`);
    expect(resets).toBeGreaterThan(2);
    await sessionsUp(lab, 2);
    await holdExactly(left);
    await byWriters(left, (name) => insist(() => lab.api.delete(`${SERVICE}/${name}`)));
    await holdExactly([]);
  } finally {
    enough.abort();
    await byWriters(names, (name) => insist(() => lab.api.delete(`${SLICES}/${name}`)));
  }
});

/** The endpoint of a Service that selects none by itself: the controller that writes slices takes 20 a second. */
function sliceOf(service: string): object {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: service, labels: { ...NO_PROXY, "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    ports: ["TCP", "UDP"].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 8080 })),
    endpoints: [{ addresses: [podAddresses(nodePlan("n1"), 0).ipv4], nodeName: "n1", conditions: { ready: true } }],
  };
}

/** Calls the API until it answers in time: it has much to do. What is made already is well. */
async function insist(call: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await call();
      return;
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 409) return;
      if (error instanceof ApiFailure || attempt === 10) throw error;
    }
  }
}

/** Does something with each, so many at a time. */
async function byWriters(names: readonly string[], write: (name: string) => Promise<unknown>): Promise<void> {
  const left = names.values();
  const one = async () => {
    for (const name of left) await write(name);
  };
  await Promise.all(Array.from({ length: WRITERS }, one));
}

const CHANGES = 1000;
/** The names and the seed decide all. */
test(`${CHANGES} Services come, change and go at random: no session notices, and what is left is routed`, {
  timeout: 600_000,
}, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.info(`seed ${seed}`);
  const random = new Random(seed);
  const names = Array.from({ length: 40 }, (_, index) => `random-${index}`);
  const ipOf = (name: string) => `172.22.6.${Number(name.slice("random-".length)) + 1}`;
  const pool = () =>
    bgpPool("random", ["172.22.6.0/24"], { communities: [`65000:${Math.floor(random.between(0, 100))}`] });
  await apply(lab, pool());
  const policies = new Map<string, "Cluster" | "Local">();
  // A session that was reset is not settled before its BFD is up.
  await bfdUp(lab);
  const news = await newsOf(lab, async () => {
    for (let change = 0; change < CHANGES; change++) {
      const name = random.pick(names);
      const path = `${SERVICE}/${name}`;
      if (change % 100 === 99) await apply(lab, pool());
      else if (!policies.has(name)) {
        const policy = random.pick(["Cluster", "Local"] as const);
        policies.set(name, policy);
        const object = JSON.parse(
          bgpService(name, { pool: "random", ips: ipOf(name) }, { externalTrafficPolicy: policy }),
        );
        await lab.api.create(SERVICE, object);
      } else if (random.chance(0.5)) {
        policies.delete(name);
        await lab.api.delete(path);
      } else {
        const policy = policies.get(name) === "Local" ? "Cluster" : "Local";
        policies.set(name, policy);
        await lab.api.patch(path, { spec: { externalTrafficPolicy: policy } });
      }
    }
    for (const name of names) {
      const policy = policies.get(name);
      const nodes = policy === undefined ? [] : policy === "Local" ? (["n1", "n2"] as const) : NODE_NAMES;
      await routedTo(lab, ipOf(name), nodes, 30_000);
    }
  });
  for (const { software, up, down } of news) expect({ software, up, down }).toEqual({ software, up: [], down: [] });
  await remove(...policies.keys());
  for (const name of names) await routedTo(lab, prefixOf(ipOf(name)), []);
});

test("what a router advertises goes nowhere: no node takes it, and none hands it on", async () => {
  const [frr, bird] = bothRouters(lab);
  const network = frr.plan.behind.network.ipv4;
  for (const node of NODE_NAMES) {
    expect(await lab.herald.gobgp(node, "neighbor", "192.0.2.1", "adj-in"), "FRR says it").toContain(network);
    expect(await lab.herald.gobgp(node, "global", "rib")).not.toContain(network);
  }
  expect(await bird.paths(network)).toEqual([]);
});
