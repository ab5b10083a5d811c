import { expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import { ApiError } from "../kube/api-error.ts";
import { type KubeRequest, STRATEGIC_MERGE_PATCH } from "../kube/client.ts";
import type { ConditionText } from "../kube/conditions.ts";
import { Store } from "../kube/store.ts";
import { noLog } from "../log.ts";
import { AnnouncedWriter } from "./announced-writer.ts";
import type { AnnouncementView } from "./announcement.ts";
import type { Claimant } from "./claimants.ts";
import type { LeanService } from "./lean-services.ts";

const ips = (count: number) => Array.from({ length: count }, (_, n) => `10.0.${n >> 8}.${n & 255}`);

function service(n: number, ip: string): LeanService {
  const meta = { namespace: "default", name: `s${n}`, uid: `uid-${n}`, resourceVersion: "1" };
  const spec = { isLoadBalancer: true, externalTrafficPolicy: "Cluster" } as const;
  return { meta, ...spec, ips: [ip], assignedPool: undefined, announced: undefined };
}

/** A writer of node n1, a store of Services, and an API server that keeps what it is told and tells the store. */
function world(count: number, { owner = "n1" }: { owner?: string } = {}) {
  const clock = new FakeClock();
  const store = new Store<LeanService>();
  store.replace(ips(count).map((ip, n) => service(n, ip)));
  const requests: { readonly at: number; readonly request: KubeRequest }[] = [];
  const told: string[] = [];
  const results: string[] = [];
  const state = { owner: owner as string | undefined, fails: false, tellsStore: true, views: true };
  let version = 1;
  const answer = (request: KubeRequest) => {
    requests.push({ at: clock.now(), request });
    if (state.fails) throw new ApiError("PATCH", 503, {});
    const key = request.path.replace(/^\/api\/v1\/namespaces\/(\w+)\/services\/(\w+)\/status$/, "$1/$2");
    const before = store.get(key);
    const { status } = request.body as { status: { conditions: readonly [ConditionText] } };
    expect(request.contentType).toBe(STRATEGIC_MERGE_PATCH);
    const { status: is, reason, message } = status.conditions[0];
    if (before === undefined) throw new ApiError("PATCH", 404, {});
    const meta = { ...before.meta, resourceVersion: String(++version) };
    if (state.tellsStore) store.put({ ...before, meta, announced: { status: is, reason, message } });
    return {};
  };
  const view = (): AnnouncementView | undefined => {
    if (!state.views) return undefined;
    const claim = (node: string): readonly Claimant[] => [
      { node, interface: "eth0", mac: "m", epoch: 1n, announces: true, subnets: [] },
    ];
    const candidates = [{ node: "n1", score: 0 }];
    return {
      self: "n1",
      speakers: ["n1"],
      presence: () => "Speaking",
      bgp: () => undefined,
      claimantsOf: () => (state.owner === undefined ? [] : claim(state.owner)),
      intentOf: () => ({ what: "Announced", candidates: { candidates, excluded: [] } }),
    };
  };
  const writer = new AnnouncedWriter({
    client: { request: async <T>(request: KubeRequest) => answer(request) as T },
    clock,
    random: () => 0,
    log: noLog,
    services: store,
    view,
    wrote: (result) => results.push(result),
    told: ({ meta }, before, after) => told.push(`${meta.name}: ${before?.reason} -> ${after?.reason}`),
  });
  store.onChange(({ key }) => writer.look([key]));
  const over = new AbortController();
  const ended = writer.run(over.signal);
  const stop = async () => {
    over.abort();
    await clock.advance(0);
    await ended;
  };
  return { clock, store, requests, told, results, state, writer, stop };
}

test("a look at all comes the later the more there are: what is announced goes before what is told", async () => {
  const { clock, requests, writer, stop } = world(4_000);
  writer.look("All");
  await clock.advance(399);
  expect(requests).toEqual([]);
  await clock.advance(1);
  expect(requests).not.toEqual([]);
  await stop();
});

test("nothing is written while nothing is known; then each condition once, on the version that was seen", async () => {
  const { clock, requests, state, writer, told, stop } = world(2);
  state.views = false;
  writer.look("All");
  await clock.advance(60_000);
  expect(requests).toEqual([]);
  state.views = true;
  writer.look("All");
  await clock.advance(1_000);
  expect(requests.map(({ request }) => [request.path, (request.body as { metadata: object }).metadata])).toEqual([
    ["/api/v1/namespaces/default/services/s0/status", { resourceVersion: "1" }],
    ["/api/v1/namespaces/default/services/s1/status", { resourceVersion: "1" }],
  ]);
  writer.look("All");
  await clock.advance(60_000);
  expect(requests).toHaveLength(2);
  expect(told).toEqual(["s0: undefined -> Layer2", "s1: undefined -> Layer2"]);
  await stop();
});

test("a storm is written at a bounded rate, and what was written is not written again while the store is behind", async () => {
  const { clock, requests, state, writer, stop } = world(500);
  state.tellsStore = false;
  writer.look("All");
  for (let s = 0; s < 20; s++) {
    await clock.advance(1_000);
    writer.look("All");
  }
  expect(requests).toHaveLength(500);
  const perSecond = Map.groupBy(requests, ({ at }) => Math.floor(at / 1000));
  for (const [, some] of perSecond) expect(some.length).toBeLessThanOrEqual(51);
  await stop();
});

test("with the API server away it is tried on with a back-off, and written as it is by then", async () => {
  const { clock, requests, results, state, writer, stop, store } = world(1);
  state.fails = true;
  writer.look("All");
  await clock.advance(60_000);
  expect(requests.length).toBeGreaterThan(2);
  expect(requests.length).toBeLessThan(15);
  expect(new Set(results)).toEqual(new Set(["failed"]));
  state.fails = false;
  await clock.advance(30_000);
  expect(store.get("default/s0")?.announced).toMatchObject({ status: "True", reason: "Layer2" });
  await stop();
});

test("what nobody has is written when it has stayed so for 5 s, and not if it is over before", async () => {
  const { clock, requests, state, writer, store, stop } = world(1);
  state.owner = undefined;
  writer.look("All");
  await clock.advance(4_000);
  state.owner = "n1";
  writer.look("All");
  await clock.advance(1_000);
  expect(store.get("default/s0")?.announced).toMatchObject({ reason: "Layer2" });
  expect(requests).toHaveLength(1);
  state.owner = undefined;
  writer.look("All");
  await clock.advance(5_000);
  expect(requests).toHaveLength(1);
  await clock.advance(1_000);
  expect(store.get("default/s0")?.announced).toMatchObject({ status: "False", reason: "Pending" });
  await clock.advance(60_000);
  expect(requests).toHaveLength(2);
  await stop();
});

test("what another node owns is that node's to write", async () => {
  const { clock, requests, writer, stop } = world(3, { owner: "n2" });
  writer.look("All");
  await clock.advance(60_000);
  expect(requests).toEqual([]);
  await stop();
});

test("a Service that is overwritten again and again is written less and less", async () => {
  const { clock, requests, writer, store, stop } = world(1);
  let version = 1000;
  writer.look("All");
  for (let s = 0; s < 300; s++) {
    await clock.advance(1_000);
    const now = store.get("default/s0");
    if (now === undefined) throw new Error("it is gone");
    store.put({ ...now, meta: { ...now.meta, resourceVersion: String(++version) }, announced: undefined });
  }
  expect(requests.length).toBeGreaterThanOrEqual(8);
  expect(requests.length).toBeLessThanOrEqual(16);
  await stop();
});
