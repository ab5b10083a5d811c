import type { ClaimView } from "../../src/l2/segment.ts";
import { PersistentMap } from "../../src/persistent-map.ts";
import type { SegmentState } from "../../src/speaker/segment-messages.ts";

/** Claims as a SegmentState has them. */
export function claimMap(claims: readonly ClaimView[]): SegmentState["claims"] {
  return PersistentMap.from(claims.map((claim) => [claim.ip, claim] as const));
}

/** What the segment thread says of an interface on which there is nothing to tell, but for what a test gives. */
export function segmentState(
  view: Partial<SegmentState["view"]> = {},
  more: Partial<Omit<SegmentState, "view">> = {},
): SegmentState {
  return {
    interface: "eth0",
    up: true,
    view: {
      starting: false,
      left: false,
      incarnation: 1n,
      neighbours: [],
      deputyFor: [],
      conflicts: [],
      isolated: false,
      hearsNoBroadcast: false,
      helloBlocked: [],
      otherTimers: [],
      dropped: {},
      ...view,
    },
    claims: claimMap([]),
    counters: {},
    sent: {},
    stalls: 0,
    atMs: 0,
    ...more,
  };
}
