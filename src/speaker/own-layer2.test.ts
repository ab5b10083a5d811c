import { expect, test } from "vitest";
import { claimMap, segmentState } from "../../test/unit/segment-state.ts";
import type { ConflictView, NeighbourState, NeighbourView } from "../l2/segment.ts";
import { OwnClaims } from "./own-claims.ts";
import { ownConditions } from "./own-conditions.ts";
import { ownLayer2, shownOf } from "./own-layer2.ts";
import { ownStatus } from "./own-status.ts";
import type { SegmentState } from "./segment-messages.ts";

const neighbour = (node: string, state: NeighbourState, lastHeardMs?: number) =>
  ({ node, state, lastHeardMs, incarnation: 1n }) as NeighbourView;
const conflict = (ip: string, more: Partial<ConflictView> = {}): ConflictView => ({
  ip,
  mac: "02:00:00:00:00:ee",
  node: undefined,
  announced: false,
  sinceMs: 0,
  ...more,
});
type View = SegmentState["view"];
const EPOCH = Date.parse("2026-01-01T00:00:00Z");
const wall = (ms: number) => EPOCH + ms;

test("neighbours are shown by interface with their state, and those not heard with the time of their last hello", () => {
  const shown = ownLayer2(
    [
      segmentState({ neighbours: [neighbour("n3", "Dead", 61_900), neighbour("n2", "Heard", 99_000)] }),
      segmentState({ neighbours: [neighbour("n4", "Unknown")] }, { interface: "eth1" }),
    ],
    undefined,
    wall,
  );
  expect(shown).toMatchObject({
    heard: 1,
    neighbours: [
      {
        interface: "eth0",
        nodes: [
          { node: "n2", state: "Heard" },
          { node: "n3", state: "Dead", lastHeard: "2026-01-01T00:01:01Z" },
        ],
      },
      { interface: "eth1", nodes: [{ node: "n4", state: "Unknown" }] },
    ],
  });
});

test("nothing that is shown changes while nothing happens: not with hellos, not by a clock that is set", () => {
  const at = (ms: number) =>
    segmentState({
      neighbours: [neighbour("n2", "Heard", ms), neighbour("n3", "Away", 5_000)],
      conflicts: [conflict("192.0.2.1", { sinceMs: 3_000 })],
    });
  const before = ownLayer2([at(10_000)], undefined, wall);
  const after = ownLayer2([at(90_000)], { claims: [], ...before }, (ms) => wall(ms) + 12_345);
  expect(after).toEqual(before);
  expect(shownOf(at(10_000).view)).toBe(shownOf(at(90_000).view));
});

test.each<{ name: string; view: Partial<View> }>([
  { name: "a state", view: { neighbours: [neighbour("n2", "Away", 1)] } },
  { name: "a conflict", view: { conflicts: [conflict("192.0.2.1")] } },
  { name: "deputies", view: { deputyFor: [{ node: "n2", addresses: 1 }] } },
  { name: "isolation", view: { isolated: true } },
  { name: "filtered hellos", view: { helloBlocked: ["n2"] } },
  {
    name: "other timers",
    view: { otherTimers: [{ node: "n2", helloIntervalMs: 50, multiplier: 3, restartGraceMs: 60_000 }] },
  },
])("a change of what is shown is seen: $name", ({ view }) => {
  expect(shownOf(segmentState(view).view)).not.toBe(shownOf(segmentState({}).view));
});

test("owned counts each address once, deputies count by node, and conflicts have a limit", () => {
  const claims = ["192.0.2.1", "192.0.2.2"].map((ip) => ({ ip, epoch: 1n, yielding: false }));
  const asked = { ip: "192.0.2.3", epoch: 1n, yielding: false, tentative: true };
  const shown = ownLayer2(
    [
      segmentState({ deputyFor: [{ node: "n2", addresses: 1 }] }, { claims: claimMap([...claims, asked]) }),
      segmentState(
        {
          conflicts: Array.from({ length: 300 }, (_, n) => conflict(`10.0.0.${n}`)),
          deputyFor: [{ node: "n2", addresses: 1 }],
        },
        { interface: "eth1", claims: claimMap(claims) },
      ),
    ],
    undefined,
    wall,
  );
  expect(shown).toMatchObject({ owned: 2, deputyFor: [{ node: "n2", addresses: 2 }] });
  expect(shown.conflicts).toHaveLength(256);
});

test("of too many neighbours those that are not heard are shown", () => {
  const many = Array.from({ length: 1_100 }, (_, n) => neighbour(`n${n}`, n === 1_099 ? "Dead" : "Heard", 0));
  const { heard, neighbours } = ownLayer2([segmentState({ neighbours: many })], undefined, wall);
  expect(heard).toBe(1_099);
  expect(neighbours[0]?.nodes).toHaveLength(128);
  expect(neighbours[0]?.nodes).toContainEqual(expect.objectContaining({ node: "n1099", state: "Dead" }));
});

test("the object of a node with 10 000 addresses among 100 nodes stays far below the API server's limit", () => {
  const family = (of: (n: number) => string) =>
    claimMap(Array.from({ length: 10_000 }, (_, n) => ({ ip: of(n), epoch: 123_457n, yielding: false })));
  const size = (claims: SegmentState["claims"]) => {
    const neighbours = Array.from({ length: 100 }, (_, n) => neighbour(`worker-${n}.example.com`, "Dead", n));
    const segments = [segmentState({ neighbours }, { claims })];
    const status = ownStatus({
      bgp: { status: undefined, conditions: [] },
      version: "1",
      interfaces: [],
      segments,
      claims: new OwnClaims(),
      recorded: undefined,
      before: undefined,
      wall,
      nowMs: 0,
    });
    return JSON.stringify(status).length;
  };
  expect(size(family((n) => `192.168.${n >> 8}.${n & 255}`))).toBeLessThan(300_000);
  expect(size(family((n) => `2001:db8:1234:5678:9abc:def0:${n.toString(16)}:1`))).toBeLessThan(550_000);
});

const reasons = (...segments: SegmentState[]) =>
  Object.fromEntries(
    ownConditions(segments, [], EPOCH).map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  );
const FINE = {
  HelloBlocked: "False HellosHeard",
  Isolated: "False Connected",
  BroadcastBlocked: "False BroadcastsHeard",
  AddressConflict: "False NoConflict",
  TimersDiffer: "False SameTimers",
};

test.each<{ view: Partial<View>; want: Partial<typeof FINE>; message?: string }>([
  { view: {}, want: {} },
  {
    view: { helloBlocked: ["n3", "n2"] },
    want: { HelloBlocked: "True HellosMissing" },
    message:
      "eth0: n2, n3: the node answers and its speaker is ready, but its hellos do not come in; let EtherType 0x88b5 pass",
  },
  {
    view: { isolated: true },
    want: { Isolated: "True NothingHeard" },
    message: "nothing at all is heard on eth0: is the cable in, and the VLAN the right one?",
  },
  { view: { hearsNoBroadcast: true }, want: { BroadcastBlocked: "True BroadcastsMissing" } },
  {
    view: { conflicts: [conflict("192.0.2.1"), conflict("192.0.2.2", { node: "n2" })] },
    want: { AddressConflict: "True StrangerAnswers" },
    message:
      "eth0: 192.0.2.1 (02:00:00:00:00:ee): a stranger answers for the address; take it off there, or out of the pool",
  },
  {
    view: { conflicts: [conflict("192.0.2.2", { node: "n2" })] },
    want: { AddressConflict: "True NodeAnswers" },
    message:
      "eth0: 192.0.2.2 (n2): a node answers for the address by itself; with kube-proxy in IPVS mode set ipvs.strictARP",
  },
  {
    view: { otherTimers: [{ node: "n2", helloIntervalMs: 50, multiplier: 5, restartGraceMs: 30_000 }] },
    want: { TimersDiffer: "True OtherTimers" },
    message:
      "eth0: n2 (50ms x 5, grace 30s): goes by another hello interval, multiplier or restart grace; give all speakers the same flags",
  },
])("conditions: $want", ({ view, want, message }) => {
  expect(reasons(segmentState(view))).toEqual({ ...FINE, ...want });
  if (message !== undefined)
    expect(ownConditions([segmentState(view)], [], EPOCH).map((one) => one.message)).toContain(message);
});

test("a condition's time is that of its last turn, and conditions of nobody's are left out", () => {
  const first = ownConditions([segmentState({})], [], EPOCH);
  expect(ownConditions([segmentState({})], first, EPOCH + 60_000)).toEqual(first);
  const turned = ownConditions(
    [segmentState({ isolated: true })],
    [...first, { ...first[0], type: "Old" } as never],
    EPOCH + 60_000,
  );
  expect(turned.map(({ type, lastTransitionTime }) => [type, lastTransitionTime.slice(14)])).toEqual([
    ["HelloBlocked", "00:00Z"],
    ["Isolated", "01:00Z"],
    ["BroadcastBlocked", "00:00Z"],
    ["AddressConflict", "00:00Z"],
    ["TimersDiffer", "00:00Z"],
  ]);
});
