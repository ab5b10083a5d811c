import { expect, test } from "vitest";
import type { NeighbourState, NeighbourView } from "../l2/segment.ts";
import { presenceOf } from "./presence.ts";
import type { SegmentState } from "./segment-messages.ts";

const segment = (state: NeighbourState): Pick<SegmentState, "view"> => ({
  view: { neighbours: [{ node: "n2", state } as NeighbourView] } as unknown as SegmentState["view"],
});
const ready = new Set(["n2"]);
const none = new Set<string>();

test.each([
  { name: "heard", states: ["Heard"], pods: none, want: "Speaking" },
  { name: "heard on one of two segments", states: ["Dead", "Heard"], pods: none, want: "Speaking" },
  { name: "heard by another", states: ["Indirect"], pods: none, want: "Speaking" },
  { name: "away", states: ["Away", "Dead"], pods: ready, want: "Away" },
  { name: "dead", states: ["Dead"], pods: none, want: "Dead" },
  { name: "dead, and its Pod is not known", states: ["Dead"], pods: undefined, want: "Dead" },
  { name: "cut off here, and ready by the API", states: ["Dead"], pods: ready, want: "Speaking" },
  { name: "never heard here, and ready", states: ["Unknown"], pods: ready, want: "Speaking" },
  { name: "on no segment of this node, and ready", states: [], pods: ready, want: "Speaking" },
  { name: "on no segment of this node, and not ready", states: [], pods: none, want: "Dead" },
  { name: "on no segment, nothing is known", states: [], pods: undefined, want: "Speaking" },
] as const)("a node that is $name: $want", ({ states, pods, want }) => {
  expect(presenceOf(states.map(segment), pods)("n2")).toBe(want);
});
