import { setTimeout as sleep } from "node:timers/promises";
import { Gobgp } from "../../../src/bgp/gobgp.ts";
import type { Route } from "../../../src/bgp/model.ts";
import { bgpService, hops, prefixOf, startBGP } from "../../e2e/bgp-product.ts";
import { SERVICE } from "../../e2e/product.ts";
import type { ApiObject } from "../../lab/api.ts";
import { gobgpdSocket } from "../../lab/gobgpd.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES } from "../../lab/plan.ts";
import type { Router } from "../../lab/routers.ts";
import type { Row } from "../failover/row.ts";

/** What Herald and the API server may add to 1.2 times a bare route, in ms. */
const SLACK_MS = 50;

/**
 * A Service is created: how long until the routers' kernels have a route to it. The bar comes from routes that are handed
 * to gobgpd by hand.
 */
export const NEW_SERVICE: Row = {
  name: "new-service",
  size: 50,
  start: () => startBGP(),
  measure: async ({ lab, size, bars }) => {
    const bare = await bareRoutes(lab, size);
    const whole = byRouter(lab);
    const addressed: number[] = [];
    const sliced: number[] = [];
    for (let index = 0; index < size; index++) {
      const name = `new-${index}`;
      const ip = `172.22.0.${index + 10}`;
      const prefix = prefixOf(ip);
      const seen = await watchService(lab, name);
      const at = now();
      await lab.api.create(SERVICE, JSON.parse(bgpService(name, { ips: ip })));
      await Promise.all(lab.routers.map((router) => router.routed(prefix, hops(NODE_NAMES))));
      seen.stop();
      addressed.push(seen.addressedAt() - at);
      sliced.push(seen.slicedAt() - at);
      for (const router of lab.routers) whole.get(router.software)?.push(firstSeen(router, prefix) - at);
    }
    bars.show("from its creation to its address, median", median(addressed), "ms");
    bars.show("from its creation to its EndpointSlice, median", median(sliced), "ms");
    for (const { software } of lab.routers) {
      const [times = [], floor = []] = [whole.get(software), bare.get(software)];
      const [bareMs, p95] = [median(floor), percentile(times, 0.95)];
      bars.show(`to ${software}'s kernel, median`, median(times), "ms", 1.2 * bareMs + SLACK_MS, { bareMs, p95 });
    }
  },
};

function byRouter(lab: Lab): Map<string, number[]> {
  return new Map(lab.routers.map(({ software }) => [software, []]));
}

/** When a prefix first was in a router's kernel, in ms since 1970. */
function firstSeen({ table }: Router, prefix: string): number {
  return table.changes.find((change) => change.prefix === prefix)?.at ?? Number.NaN;
}

const now = () => performance.timeOrigin + performance.now();

/** Hands routes to n1's gobgpd one by one while its speaker is stopped; gives how long each took to a router's kernel. */
async function bareRoutes(lab: Lab, count: number): Promise<Map<string, number[]>> {
  const times = byRouter(lab);
  const speaker = lab.herald.speaker("n1");
  const gobgp = new Gobgp(gobgpdSocket(lab.directory, "n1"));
  speaker.signal("SIGSTOP");
  const prefixes = Array.from({ length: count }, (_, index) => `172.23.0.${index}/32`);
  for (const prefix of prefixes) {
    const at = now();
    await gobgp.apply([{ do: "AddRoutes", routes: [bareRoute(prefix)] }]);
    await Promise.all(lab.routers.map((router) => router.routed(prefix, hops(["n1"]))));
    for (const router of lab.routers) times.get(router.software)?.push(firstSeen(router, prefix) - at);
  }
  await gobgp.apply([{ do: "DeleteRoutes", prefixes }]);
  for (const router of lab.routers) for (const prefix of prefixes) await router.routed(prefix, []);
  gobgp.close();
  speaker.signal("SIGCONT");
  return times;
}

function bareRoute(prefix: string): Route {
  const attributes = { communities: [], largeCommunities: [], localPref: undefined, med: undefined };
  return { prefix, profile: undefined, ...attributes };
}

/** Notes when a Service has its address, and when it has an EndpointSlice with endpoints. */
async function watchService(lab: Lab, name: string) {
  const stop = new AbortController();
  let [addressedAt, slicedAt] = [Number.NaN, Number.NaN];
  const follow = (path: string, label: string, note: (object: ApiObject) => void) =>
    lab.api.watch(`${path}?${label}`, ({ object }) => note(object), stop.signal).catch(() => {});
  void follow(SERVICE, `fieldSelector=metadata.name%3D${name}`, (service) => {
    if (Number.isNaN(addressedAt) && service.status?.loadBalancer?.ingress) addressedAt = now();
  });
  const slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
  void follow(slices, `labelSelector=kubernetes.io%2Fservice-name%3D${name}`, (slice) => {
    if (Number.isNaN(slicedAt) && slice.endpoints?.length) slicedAt = now();
  });
  await sleep(50); // the watches stand
  return { addressedAt: () => addressedAt, slicedAt: () => slicedAt, stop: () => stop.abort() };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}
