import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ExclusionReason } from "../election/candidates.ts";
import type { NeighbourView } from "../l2/segment.ts";
import type { IPIntent } from "./announcement.ts";
import type { Claimant } from "./claimants.ts";
import { TAKEOVER_CAUSES, takeoverOf, takeoverText } from "./takeover.ts";

const IP = "192.0.2.1";
const had = (node: string): readonly Claimant[] => [
  { node, interface: "eth0", mac: "", epoch: 1n, announces: true, subnets: [] },
];
const neighbour = (more: Partial<NeighbourView>): readonly NeighbourView[] => [
  { node: "n2", state: "Heard", lastHeardMs: 1000, leaving: false, notForwarding: false, ...more } as NeighbourView,
];
const intent = (reason?: ExclusionReason): IPIntent => ({
  what: "Announced",
  candidates: { candidates: [], excluded: reason === undefined ? [] : [{ node: "n2", reason }] },
});
interface Case {
  readonly cause: string;
  readonly recorded?: readonly Claimant[];
  readonly neighbours?: readonly NeighbourView[];
  readonly intent?: IPIntent;
}
const of = ({ cause, recorded = had("n2"), neighbours = neighbour({}), intent: known }: Case) =>
  takeoverOf({
    self: "n1",
    change: { interface: "eth0", ip: IP, what: "Claimed", cause, epoch: 3n, atMs: 1330 },
    recorded,
    neighbours,
    intent: known,
  });

test.each<Case & { want: string; durationMs?: number }>([
  { cause: "Free", neighbours: neighbour({ state: "Dead" }), want: "NodeDead", durationMs: 330 },
  { cause: "Free", neighbours: neighbour({ state: "Dead", leaving: true }), want: "NodeDead", durationMs: 330 },
  { cause: "Free", neighbours: neighbour({ state: "Gone" }), want: "SpeakerAway", durationMs: 330 },
  { cause: "Free", neighbours: neighbour({ state: "Deaf" }), want: "NodeDeaf", durationMs: 330 },
  { cause: "Free", neighbours: neighbour({ state: "Dead", lastHeardMs: undefined }), want: "NodeDead" },
  { cause: "Yielded", neighbours: neighbour({ leaving: true }), want: "Drained" },
  { cause: "Yielded", neighbours: neighbour({ leaving: true, state: "Dead" }), want: "Drained" },
  { cause: "Yielded", neighbours: neighbour({ notForwarding: true }), want: "NotForwarding" },
  { cause: "Yielded", intent: intent("NoLocalEndpoint"), want: "EndpointsMoved" },
  { cause: "Yielded", intent: intent("ExcludedByLabel"), want: "NotCandidate" },
  { cause: "Yielded", intent: intent(), want: "Preferred" },
  { cause: "Free", intent: intent(), want: "Released" },
  { cause: "Overruled", want: "Overruled" },
])("$want after $cause", ({ want, durationMs, ...one }) => {
  expect(of(one)).toEqual({ ip: IP, interface: "eth0", from: "n2", cause: want, durationMs });
});

test.each<Case & { name: string; want: string | undefined }>([
  { name: "an IP that nobody had", cause: "Free", recorded: [], want: "new" },
  { name: "one that only a node of another segment had", cause: "Free", recorded: had("n9"), want: "new" },
  { name: "one taken up after a restart", cause: "Adopted", want: undefined },
  { name: "one taken up after a pause", cause: "Resumed", want: undefined },
  { name: "one that this node had by its record", cause: "Free", recorded: had("n1"), want: undefined },
])("no takeover is $name", ({ want, name, ...one }) => {
  const takeover = of(one);
  expect(takeover === undefined ? undefined : (takeover.from ?? "new"), name).toBe(want);
});

test("a takeover in a person's words", () => {
  const dead = of({ cause: "Free", neighbours: neighbour({ state: "Dead" }) });
  expect(dead && takeoverText(dead, "n1", "02:00:00:00:00:01")).toBe(
    `${IP} is announced by node n1 on eth0 (02:00:00:00:00:01); taken over from node n2: the node is dead, 0.33 s after it was last heard`,
  );
  const fresh = of({ cause: "Free", recorded: [] });
  expect(fresh && takeoverText(fresh, "n1", "02:00:00:00:00:01")).toBe(
    `${IP} is announced by node n1 on eth0 (02:00:00:00:00:01)`,
  );
});

test("docs/metrics.md names every cause", () => {
  const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const row = page.split("\n").find((line) => line.includes("`herald_l2_takeovers_total`")) ?? "";
  expect([...row.matchAll(/`([A-Z]\w+)`/g)].map(([, cause]) => cause)).toEqual([...TAKEOVER_CAUSES]);
});
