import type { Condition } from "../api/objects.ts";
import type {
  SPEAKER_BROADCAST_REASONS,
  SPEAKER_CONFLICT_REASONS,
  SPEAKER_HELLO_BLOCKED_REASONS,
  SPEAKER_ISOLATED_REASONS,
  SPEAKER_TIMERS_REASONS,
} from "../api/reasons.ts";
import { conditionsWith, type WantedCondition } from "../kube/conditions.ts";
import type { SegmentState } from "./segment-messages.ts";

/** The conditions of a Speaker: each is False where all is well. */

/** Of nodes or addresses in a message, so many are named. */
const NAMED = 5;

type Segments = readonly Pick<SegmentState, "interface" | "view">[];

/** Gives the conditions of this node's Speaker; `before` are those that it had, `bgp` those of BGP. `nowMs`: since 1970. */
export function ownConditions(
  segments: Segments,
  before: readonly Condition[],
  nowMs: number,
  bgp: readonly WantedCondition[] = [],
): readonly Condition[] {
  const tellers = [helloBlocked, isolated, broadcastBlocked, addressConflict, timersDiffer];
  const wanted = [...tellers.map((tell) => tell(segments)), ...bgp];
  const types = wanted.map(({ type }) => type);
  const ours = before.filter(({ type }) => types.includes(type)); // nobody else writes this object
  return conditionsWith(ours, wanted, nowMs) ?? ours;
}

function helloBlocked(segments: Segments): WantedCondition {
  type Reason = (typeof SPEAKER_HELLO_BLOCKED_REASONS)[number];
  const found = perInterface(segments, ({ helloBlocked }) => helloBlocked);
  return condition<Reason>("HelloBlocked", found !== "", {
    True: "HellosMissing",
    False: "HellosHeard",
    message: `${found}: the node answers and its speaker is ready, but its hellos do not come in; let EtherType 0x88b5 pass`,
    fine: "hellos come in from every speaker that is there",
  });
}

function isolated(segments: Segments): WantedCondition {
  type Reason = (typeof SPEAKER_ISOLATED_REASONS)[number];
  const names = segments.filter(({ view }) => view.isolated).map((segment) => segment.interface);
  return condition<Reason>("Isolated", names.length > 0, {
    True: "NothingHeard",
    False: "Connected",
    message: `nothing at all is heard on ${names.join(", ")}: is the cable in, and the VLAN the right one?`,
    fine: "others are heard, or there are none",
  });
}

function broadcastBlocked(segments: Segments): WantedCondition {
  type Reason = (typeof SPEAKER_BROADCAST_REASONS)[number];
  const names = segments.filter(({ view }) => view.hearsNoBroadcast).map((segment) => segment.interface);
  return condition<Reason>("BroadcastBlocked", names.length > 0, {
    True: "BroadcastsMissing",
    False: "BroadcastsHeard",
    message: `hellos come in on ${names.join(", ")}, but no ARP of those who send them: the interface or the switch drops broadcasts`,
    fine: "nothing tells that broadcasts are dropped",
  });
}

function addressConflict(segments: Segments): WantedCondition {
  type Reason = (typeof SPEAKER_CONFLICT_REASONS)[number];
  const all = segments.flatMap(({ view }) => view.conflicts);
  const strangers = all.filter(({ node }) => node === undefined);
  const told = strangers.length > 0 ? strangers : all;
  const found = perInterface(segments, ({ conflicts }) =>
    conflicts.filter((one) => told.includes(one)).map(({ ip, mac, node }) => `${ip} (${node ?? mac})`),
  );
  return condition<Reason>("AddressConflict", all.length > 0, {
    True: strangers.length > 0 ? "StrangerAnswers" : "NodeAnswers",
    False: "NoConflict",
    message:
      strangers.length > 0
        ? `${found}: a stranger answers for the address; take it off there, or out of the pool`
        : `${found}: a node answers for the address by itself; with kube-proxy in IPVS mode set ipvs.strictARP`,
    fine: "nobody else answers for an address of this node",
  });
}

function timersDiffer(segments: Segments): WantedCondition {
  type Reason = (typeof SPEAKER_TIMERS_REASONS)[number];
  const found = perInterface(segments, ({ otherTimers }) =>
    otherTimers.map(
      ({ node, helloIntervalMs, multiplier, restartGraceMs }) =>
        `${node} (${helloIntervalMs}ms x ${multiplier}, grace ${restartGraceMs / 1000}s)`,
    ),
  );
  return condition<Reason>("TimersDiffer", found !== "", {
    True: "OtherTimers",
    False: "SameTimers",
    message: `${found}: goes by another hello interval, multiplier or restart grace; give all speakers the same flags`,
    fine: "all speakers that are heard go by the same timers",
  });
}

function condition<Reason extends string>(
  type: string,
  holds: boolean,
  saying: { readonly True: Reason; readonly False: Reason; readonly message: string; readonly fine: string },
): WantedCondition {
  return holds
    ? { type, status: "True", reason: saying.True, message: saying.message }
    : { type, status: "False", reason: saying.False, message: saying.fine };
}

/** "eth0: n1, n2; eth1: n3", of those interfaces where there is something; of many the first are named. */
function perInterface(segments: Segments, names: (view: SegmentState["view"]) => readonly string[]): string {
  return segments
    .map((segment) => ({ name: segment.interface, found: [...names(segment.view)].sort() }))
    .filter(({ found }) => found.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, found }) => {
      const more = found.length - NAMED;
      return `${name}: ${found.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
    })
    .join("; ");
}
