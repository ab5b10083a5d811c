import type { SegmentState } from "../../src/speaker/segment-messages.ts";

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
    claims: [],
    counters: {},
    sent: {},
    stalls: 0,
    atMs: 0,
    ...more,
  };
}
