import { setTimeout as sleep } from "node:timers/promises";
import { Gobgp } from "../../../src/bgp/gobgp.ts";
import type { Route } from "../../../src/bgp/model.ts";
import { apply, bgpService, PEERS, peer } from "../../e2e/bgp-product.ts";
import { SERVICE, startProduct } from "../../e2e/product.ts";
import { ApiFailure } from "../../lab/api.ts";
import { sessionsUp } from "../../lab/bgp-sessions.ts";
import { gobgpdSocket } from "../../lab/gobgpd.ts";
import type { Lab } from "../../lab/lab.ts";
import type { Bars, Row } from "../failover/row.ts";
import { countCalls } from "../load/gobgp-calls.ts";

const ROUNDS = 5;
const WRITERS = 8;
const ATTEMPTS = 10;
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
const NODE = "n1";
const POOL_PATH = "/apis/heraldlb.io/v1alpha1/ippools/many";
const CHANGES = 20;

/**
 * Many Services become routes at once: how long until they are in the routers' kernels, against a stream of the same
 * routes to gobgpd; and what one change among them costs. One node announces.
 */
export const MANY_SERVICES: Row = {
  name: "many-services",
  size: 10_000,
  // Without node proxies, so nobody may be asked whether they forward.
  start: () =>
    startProduct({
      routers: { logsRoutes: false },
      nodeGraceMs: 600_000,
      speakerFlags: ["--node-proxy-health", "off"],
    }),
  measure: async ({ lab, size, bars }) => {
    await settle(lab, size);
    const gobgp = new Gobgp(gobgpdSocket(lab.directory, NODE));
    const times = { herald: byRouter(lab), raw: byRouter(lab) };
    for (let round = 0; round < ROUNDS; round++) {
      const at = performance.now();
      await lab.api.patch(POOL_PATH, { spec: { announce: [{ bgp: {} }] } });
      await noteFull(lab, size, at, times.herald);
      const routes = [...(await gobgp.read()).routes.values()];
      if (round === 0) await oneChange(lab, size, bars);
      lab.herald.speaker(NODE).signal("SIGSTOP");
      await wipe(lab, gobgp, routes);
      const rawAt = performance.now();
      await Promise.all([gobgp.apply([{ do: "AddRoutes", routes }]), noteFull(lab, size, rawAt, times.raw)]);
      await lab.api.patch(POOL_PATH, { spec: { announce: [] } });
      await wipe(lab, gobgp, routes);
      lab.herald.speaker(NODE).signal("SIGCONT");
      await untilHerald(lab, 0); // it has seen the pool, and what was done to gobgpd meanwhile
    }
    for (const { software } of lab.routers) {
      const [herald, raw] = [times.herald.get(software), times.raw.get(software)];
      bars.show(`to ${software}'s kernel, median`, median(herald), "ms", 1.2 * median(raw), {
        services: size,
        herald,
        raw,
      });
    }
    gobgp.close();
  },
};

type Times = Map<string, number[]>;

function byRouter(lab: Lab): Times {
  return new Map(lab.routers.map(({ software }) => [software, []]));
}

function median(values: readonly number[] = []): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Brings up the Services, with addresses and endpoints, and sessions of one node; nothing is announced yet. */
async function settle(lab: Lab, size: number): Promise<void> {
  // What else runs on a node, and the other nodes' speakers, would only take the processor away.
  for (const proxy of lab.kubeProxies.values()) await proxy.stop("SIGTERM");
  for (const node of ["n2", "n3"] as const)
    await Promise.all([lab.herald.speaker(node), lab.herald.gobgpd(node)].map((one) => one.stop("SIGTERM")));
  const spec = { addresses: ["172.24.0.0/16"], autoAssign: false, announce: [] };
  const pool = { apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name: "many" }, spec };
  const peers = Object.entries(PEERS).map(([name, { bfd: _, ...rest }]) => peer(name, rest));
  await apply(lab, JSON.stringify(pool), ...peers);
  await sessionsUp(lab, lab.routers.length, [NODE]);
  let next = 0;
  const write = async () => {
    for (let index = next++; index < size; index = next++) {
      await create(lab, SERVICE, JSON.parse(bgpService(`many-${index}`, { pool: "many" }, { selector: null })));
      await create(lab, SLICES, slice(`many-${index}`));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  const given = `{.status.ipv4.assigned}`;
  for (;;) {
    const assigned = Number(await lab.kubectl(["get", "ippools.heraldlb.io", "many", `--output=jsonpath=${given}`]));
    if (assigned === size) break;
    await sleep(1000);
  }
  await sleep(3000); // the speaker has seen the last of it
}

/** Creates an object; tries on where an API server with too much to do does not answer in time. */
async function create(lab: Lab, path: string, object: object): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await lab.api.create(path, object);
      return;
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 409) return; // it was made, only the answer was late
      if (error instanceof ApiFailure || attempt === ATTEMPTS) throw error;
    }
  }
}

function slice(service: string): object {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: service, labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.1.2"], nodeName: NODE, conditions: { ready: true, serving: true } }],
    ports: [{ name: "tcp", protocol: "TCP", port: 8080 }],
  };
}

/** Waits until each router's kernel has as many routes, and notes how long after `at` that was. */
async function noteFull(lab: Lab, size: number, at: number, times: Times): Promise<void> {
  await Promise.all(
    lab.routers.map(async ({ software, table }) => {
      const count = () => table.routes.size;
      await table.until(`${software}'s kernel has ${size} routes`, () => count() === size, count, 120_000);
      times.get(software)?.push(performance.now() - at);
    }),
  );
}

/** Waits until the speaker says that its gobgpd holds as many routes as it was told of. */
async function untilHerald(lab: Lab, routes: number): Promise<void> {
  for (const giveUp = performance.now() + 60_000; ; await sleep(100)) {
    const [, said] = /^herald_bgp_routes (\d+)$/m.exec(await lab.statusPage(NODE, "/metrics")) ?? [];
    if (Number(said) === routes) return;
    if (performance.now() > giveUp) throw new Error(`the speaker of ${NODE} says ${said} routes, not ${routes}`);
  }
}

async function wipe(lab: Lab, gobgp: Gobgp, routes: readonly Route[]): Promise<void> {
  await gobgp.apply([{ do: "DeleteRoutes", prefixes: routes.map(({ prefix }) => prefix) }]);
  for (const { software, table } of lab.routers) {
    const count = () => table.routes.size;
    await table.until(`${software}'s kernel has no route`, () => count() === 0, count, 120_000);
  }
}

/** Takes endpoints of one Service after the other away and gives them back, and counts what gobgpd is asked meanwhile. */
async function oneChange(lab: Lab, size: number, bars: Bars): Promise<void> {
  const [router] = lab.routers;
  if (router === undefined) return;
  const counter = await countCalls(gobgpdSocket(lab.directory, NODE));
  await lab.herald.speaker(NODE).restart("SIGTERM");
  await lab.speakerReady(NODE);
  await sleep(5000); // it has compared all there is
  const before = counter.counts();
  const times: number[] = [];
  const change = async (endpoints: readonly object[], routes: number) => {
    const at = performance.now();
    await lab.api.patch(`${SLICES}/many-0`, { endpoints });
    const count = () => router.table.routes.size;
    await router.table.until(`a change of one of ${size}`, () => count() === routes, count);
    times.push(performance.now() - at);
  };
  const { endpoints } = slice("many-0") as { endpoints: readonly object[] };
  for (let one = 0; one < CHANGES; one += 2) {
    await change([], size - 1);
    await change(endpoints, size);
  }
  const calls = Object.fromEntries(
    [...counter.counts()]
      .map(([name, count]) => [name, count - (before.get(name) ?? 0)])
      .filter(([, count]) => count !== 0),
  );
  bars.show(`a change of one, to ${router.software}'s kernel, median`, median(times), "ms", undefined, {
    services: size,
  });
  const told = ["AddPath", "DeletePath", "AddPathStream"].reduce((sum, name) => sum + Number(calls[name] ?? 0), 0);
  bars.show("calls that tell gobgpd of a change of one", told / CHANGES, "calls", 1, {
    services: size,
    changes: CHANGES,
    calls,
  });
  bars.show("lists that a change of one costs", Number(calls.ListPath ?? 0) / CHANGES, "calls", 0, { services: size });
  await counter.stop();
  await lab.herald.speaker(NODE).restart("SIGTERM");
  await lab.speakerReady(NODE);
}
