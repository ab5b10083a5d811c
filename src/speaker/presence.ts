import type { NeighbourState } from "../l2/segment.ts";
import type { SegmentState } from "./segment-messages.ts";

/** What a node's speaker can do: write to the API, only hold its IPs while it is away, or neither. */
export type Presence = "Speaking" | "Away" | "Dead";

const PRESENCE: Readonly<Record<NeighbourState, Presence | undefined>> = {
  Heard: "Speaking",
  Indirect: "Speaking",
  Away: "Away",
  Dead: "Dead",
  Gone: "Dead",
  Deaf: "Dead",
  Unknown: undefined,
};
const BEST_FIRST: readonly Presence[] = ["Speaking", "Away", "Dead"];

/**
 * Tells of each other node what it can do, by the segment where it is heard best. Where it is dead or was never heard,
 * its Pod decides: it may be on another segment, or on the other side of a cut. `ready`: the nodes whose speaker's Pod
 * is Ready; undefined: not known.
 */
export function presenceOf(
  segments: readonly Pick<SegmentState, "view">[],
  ready: ReadonlySet<string> | undefined,
): (node: string) => Presence {
  const heard = new Map<string, Presence>();
  for (const { view } of segments) {
    for (const { node, state } of view.neighbours) {
      const presence = PRESENCE[state];
      const known = heard.get(node);
      if (presence === undefined) continue;
      if (known === undefined || BEST_FIRST.indexOf(presence) < BEST_FIRST.indexOf(known)) heard.set(node, presence);
    }
  }
  return (node) => {
    const known = heard.get(node);
    if (known === "Speaking" || known === "Away") return known;
    if (ready === undefined) return known ?? "Speaking";
    return ready.has(node) ? "Speaking" : "Dead";
  };
}
