import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import type { Speaker } from "../api/speaker.ts";
import type { KubeRequest } from "../kube/client.ts";
import { Store } from "../kube/store.ts";
import type { NeighbourView } from "../l2/segment.ts";
import { noLog } from "../log.ts";
import { PersistentMap } from "../persistent-map.ts";
import type { LeanService } from "./lean-services.ts";
import { createSpeakerMetrics } from "./metrics.ts";
import type { OwnershipChange, SegmentState } from "./segment-messages.ts";
import { ServiceTeller } from "./service-teller.ts";

const IP = "192.0.2.1";
const ips = (count: number) => Array.from({ length: count }, (_, n) => `10.0.${n >> 8}.${n & 255}`);

const service = (name: string, ip: string): LeanService => ({
  meta: { namespace: "default", name, uid: `uid-${name}`, resourceVersion: "1" },
  isLoadBalancer: true,
  externalTrafficPolicy: "Cluster",
  ips: [ip],
  assignedPool: undefined,
  announced: undefined,
});
const recordOf = (node: string, claimed: readonly string[]) =>
  ({
    meta: { namespace: "", name: node, uid: node, resourceVersion: "1" },
    status: {
      interfaces: [{ name: "eth0", mac: "", subnets: ["192.0.2.9/24"] }],
      layer2: { claims: [{ interface: "eth0", ips: claimed.map((ip) => `${ip}=1`) }] },
    },
  }) as unknown as Speaker;
const segment = (claimed: readonly string[], more: { tentative?: boolean } = {}) =>
  ({
    interface: "eth0",
    claims: PersistentMap.from(claimed.map((ip) => [ip, { ip, epoch: 3n, yielding: false, ...more }])),
    view: {
      starting: false,
      conflicts: [],
      neighbours: [{ node: "n2", state: "Dead", lastHeardMs: 100 } as NeighbourView],
    },
  }) as unknown as SegmentState;
const change = (what: string, cause: string, ip = IP): OwnershipChange => ({
  interface: "eth0",
  ip,
  what,
  cause,
  epoch: 3n,
  atMs: 430,
});

function world(services: readonly LeanService[], speakers: readonly Speaker[]) {
  const clock = new FakeClock();
  const requests: { readonly at: number; readonly request: KubeRequest }[] = [];
  const [serviceStore, speakerStore] = [new Store<LeanService>({ ip: (service) => service.ips }), new Store<Speaker>()];
  serviceStore.replace(services);
  speakerStore.replace(speakers);
  const registry = new Registry();
  const teller = new ServiceTeller({
    client: {
      request: async <T>(request: KubeRequest) => {
        requests.push({ at: clock.now(), request });
        return {} as T;
      },
    },
    node: "n1",
    clock,
    random: () => 0,
    log: noLog,
    metrics: createSpeakerMetrics(registry),
    services: serviceStore,
    speakers: speakerStore,
    interfaces: () => [{ name: "eth0", mac: "02:00:00:00:00:01" } as never],
  });
  const over = new AbortController();
  const ended = teller.run(over.signal);
  const events = () =>
    requests.flatMap(({ at, request }) => {
      const { reason, note, regarding } = request.body as { reason: string; note: string; regarding: { name: string } };
      return request.path.includes("/events") ? [{ at, reason, note, name: regarding.name }] : [];
    });
  const stop = async () => {
    over.abort();
    await clock.advance(1_000);
    await ended;
  };
  const asked: string[] = [];
  return { teller, clock, registry, events, asked, stop };
}

test("a takeover is told once on each Service that has the IP, with its cause", async () => {
  const { teller, clock, events, stop, registry } = world(
    [service("web", IP), service("dns", IP), service("other", "192.0.2.2")],
    [recordOf("n2", [IP])],
  );
  teller.changed([change("Claimed", "Free")]);
  await clock.advance(1_000);
  expect(events()).toEqual([]); // the state that explains it comes next
  teller.setSegments([segment([IP])], true);
  teller.setSegments([segment([IP])], true);
  await clock.advance(1_000);
  expect(events().map(({ name, reason }) => `${name} ${reason}`)).toEqual(["dns TakenOver", "web TakenOver"]);
  expect(events()[0]?.note).toBe(
    `${IP} is announced by node n1 on eth0 (02:00:00:00:00:01); taken over from node n2: the node is dead, 0.33 s after it was last heard`,
  );
  expect(await registry.getSingleMetricAsString("herald_l2_takeovers_total")).toContain('{cause="NodeDead"} 1');
  await stop();
});

test("an IP that is still asked for is told when it is announced, once", async () => {
  const { teller, clock, events, stop } = world([service("web", IP)], []);
  teller.changed([change("Claimed", "Free")]);
  teller.setSegments([segment([IP], { tentative: true })], true);
  await clock.advance(1_000);
  expect(events()).toEqual([]);
  teller.changed([change("Claimed", "Free"), change("Announced", "NoAnswer")]);
  teller.setSegments([segment([IP])], true);
  await clock.advance(1_000);
  expect(events().map(({ reason }) => reason)).toEqual(["Announced"]);
  await stop();
});

test("a conflict is told, with who has the IP", async () => {
  const { teller, clock, events, stop } = world([service("web", IP)], []);
  teller.changed([change("Conflict", "Stranger 02:00:00:00:00:ee"), change("ConflictOver", "NoAnswer")]);
  teller.setSegments([segment([IP])], true);
  await clock.advance(1_000);
  expect(events()).toMatchObject([
    {
      reason: "AddressConflict",
      note: `${IP}: a stranger (02:00:00:00:00:ee) answers for it too, as node n1 sees on eth0`,
    },
  ]);
  await stop();
});

test("what was given up again before it could be told is not told, nor is what was taken up after a restart", async () => {
  const { teller, clock, events, stop } = world([service("web", IP)], [recordOf("n2", [IP])]);
  teller.changed([change("Claimed", "Free"), change("Lost", "HigherEpoch")]);
  teller.setSegments([segment([])], true);
  teller.changed([change("Claimed", "Adopted")]);
  teller.setSegments([segment([IP])], true);
  await clock.advance(60_000);
  expect(events()).toEqual([]);
  await stop();
});

test("of 2 000 IPs taken over at once all are told, 50 a second, some at a time", async () => {
  const all = ips(2_000);
  const { teller, clock, events, stop } = world(
    all.map((ip, n) => service(`s${n}`, ip)),
    [recordOf("n2", all)],
  );
  teller.changed(all.map((ip) => change("Claimed", "Free", ip)));
  teller.setSegments([segment(all)], true);
  await clock.advance(250_000); // the recorder rests between its writes
  expect(events()).toHaveLength(2_000);
  for (const [, some] of Map.groupBy(events(), ({ at }) => Math.floor(at / 1000)))
    expect(some.length).toBeLessThanOrEqual(50 + 16);
  expect((events().at(-1)?.at ?? 0) - (events()[0]?.at ?? 0)).toBeGreaterThanOrEqual((2_000 - 16) * (1000 / 50));
  await stop();
});

test("where one IP changed, nothing is computed for the Services of others", async () => {
  const all = ips(1_000);
  const { teller, clock, asked, stop } = world(
    all.map((ip, n) => service(`s${n}`, ip)),
    [recordOf("n2", all)],
  );
  const known = { ready: undefined, bgp: { nodes: [], peers: [], secrets: [], pools: [], held: new Map() } };
  const intentOf = (ip: string) => {
    asked.push(ip);
    return undefined;
  };
  teller.setSegments([segment([])], true);
  teller.setIntents({ ...known, intentOf }, "All");
  await clock.advance(60_000); // until all is written
  expect(new Set(asked)).toEqual(new Set(all));
  asked.length = 0;
  teller.setIntents({ ...known, intentOf }, []);
  await clock.advance(10_000);
  expect(asked).toEqual([]);
  teller.setIntents({ ...known, intentOf }, ["10.0.0.7"]);
  teller.recordsChanged(["10.0.0.8"]);
  teller.setSegments([segment(["10.0.0.9"])], true);
  await clock.advance(10_000);
  expect([...new Set(asked)].sort()).toEqual(["10.0.0.7", "10.0.0.8", "10.0.0.9"]);
  await stop();
});
