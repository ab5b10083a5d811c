import type { SpeakerStatus } from "../api/speaker.ts";
import { MOST_CONFLICTS, MOST_NEIGHBOURS } from "../api/speaker-words.ts";
import { wholeSeconds } from "../kube/conditions.ts";
import type { SegmentState } from "./segment-messages.ts";

type Layer2 = Required<NonNullable<SpeakerStatus["layer2"]>>;

/** Turns a time of the segments' clock into milliseconds since 1970. */
export type WallTime = (segmentMs: number) => number;

/**
 * Gives what else than claims a Speaker shows of layer 2. All of it stays the same while nothing happens, so a time is
 * told as it was in `before`: computed anew it may differ by a second.
 */
export function ownLayer2(
  segments: readonly SegmentState[],
  before: SpeakerStatus["layer2"],
  wall: WallTime,
): Omit<Layer2, "claims"> {
  const sorted = [...segments].sort((a, b) => (a.interface < b.interface ? -1 : 1));
  return {
    owned: countOwned(sorted),
    heard: new Set(
      sorted.flatMap(({ view }) => view.neighbours.flatMap(({ node, state }) => (state === "Heard" ? [node] : []))),
    ).size,
    neighbours: sorted.map((segment) => neighboursOf(segment, before, wall)),
    deputyFor: deputies(sorted),
    conflicts: sorted.flatMap((segment) => conflictsOf(segment, before, wall)).slice(0, MOST_CONFLICTS),
  };
}

/** Counts the IPs that are announced, one on two interfaces once. */
function countOwned(segments: readonly SegmentState[]): number {
  const owned = new Set<string>();
  for (const { claims } of segments) for (const { ip, tentative } of claims.values()) if (!tentative) owned.add(ip);
  return owned.size;
}

function neighboursOf(
  { interface: name, view }: SegmentState,
  before: SpeakerStatus["layer2"],
  wall: WallTime,
): Layer2["neighbours"][number] {
  const known = before?.neighbours?.find((one) => one.interface === name)?.nodes ?? [];
  const then = new Map(known.map((one) => [one.node, one.lastHeard]));
  const quiet = (state: string) => (state === "Heard" ? 1 : 0);
  const nodes = [...view.neighbours]
    .sort((a, b) => quiet(a.state) - quiet(b.state) || (a.node < b.node ? -1 : 1))
    .slice(0, MOST_NEIGHBOURS)
    .sort((a, b) => (a.node < b.node ? -1 : 1))
    .map(({ node, state, lastHeardMs }) => {
      if (state === "Heard") return { node, state };
      const lastHeard = then.get(node) ?? (lastHeardMs === undefined ? undefined : wholeSeconds(wall(lastHeardMs)));
      return { node, state, ...(lastHeard !== undefined && { lastHeard }) };
    });
  return { interface: name, nodes };
}

function deputies(segments: readonly SegmentState[]): Layer2["deputyFor"] {
  const counts = new Map<string, number>();
  for (const { node, addresses } of segments.flatMap(({ view }) => view.deputyFor))
    counts.set(node, (counts.get(node) ?? 0) + addresses);
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, MOST_NEIGHBOURS)
    .map(([node, addresses]) => ({ node, addresses }));
}

function conflictsOf(
  { interface: name, view }: SegmentState,
  before: SpeakerStatus["layer2"],
  wall: WallTime,
): Layer2["conflicts"] {
  const known = new Map(
    (before?.conflicts ?? []).filter((one) => one.interface === name).map((one) => [`${one.ip} ${one.mac}`, one.since]),
  );
  return view.conflicts.map(({ ip, mac, node, announced, sinceMs }) => ({
    interface: name,
    ip,
    mac,
    ...(node !== undefined && { node }),
    announced,
    since: known.get(`${ip} ${mac}`) ?? wholeSeconds(wall(sinceMs)),
  }));
}

/** Gives of a segment all that its Speaker shows but for claims, as a text: the same as long as nothing changes. */
export function shownOf(view: SegmentState["view"]): string {
  const { neighbours, deputyFor, conflicts, isolated, hearsNoBroadcast, helloBlocked, otherTimers } = view;
  return JSON.stringify([
    neighbours.map(({ node, state, lastHeardMs }) => [node, state, state === "Heard" ? 0 : lastHeardMs]),
    deputyFor,
    conflicts,
    [isolated, hearsNoBroadcast, helloBlocked, otherTimers],
  ]);
}
