import { afterAll, beforeAll, expect, test } from "vitest";
import { EXCLUDE_NODE_LABEL } from "../../src/api/names.ts";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
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
