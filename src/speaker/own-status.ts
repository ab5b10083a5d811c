import type { SpeakerStatus } from "../api/speaker.ts";
import { MOST_INTERFACES, MOST_SUBNETS } from "../api/speaker-words.ts";
import type { WantedCondition } from "../kube/conditions.ts";
import type { Interface } from "./interfaces.ts";
import type { OwnClaims } from "./own-claims.ts";
import { ownConditions } from "./own-conditions.ts";
import { ownLayer2, type WallTime } from "./own-layer2.ts";
import type { SegmentState } from "./segment-messages.ts";

export interface OwnStatusInput {
  readonly version: string;
  readonly interfaces: readonly Interface[];
  readonly segments: readonly SegmentState[];
  /** The same each time, so that not all claims are written anew. */
  readonly claims: OwnClaims;
  readonly bgp: { readonly status: SpeakerStatus["bgp"]; readonly conditions: readonly WantedCondition[] };
  /** The status of this node's Speaker object as it is now; undefined where there is none. */
  readonly recorded: SpeakerStatus | undefined;
  /** What this gave last; undefined at first. */
  readonly before: SpeakerStatus | undefined;
  readonly wall: WallTime;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * Gives what this node's Speaker object shall show: interfaces, and the record of claims that others, and this node's
 * next run, go by. Of a segment that is starting or not open the recorded claims stay: they are what it is going to
 * adopt. A claim that is not announced yet is not recorded. The incarnation never goes back, so that the next run outdoes this one whatever its clock says. Where there are
 * too many interfaces, those that are announced on come first.
 */
export function ownStatus(input: OwnStatusInput): SpeakerStatus {
  const { version, interfaces, segments, bgp, recorded, before = recorded, wall, nowMs } = input;
  const open = new Map(segments.map((segment) => [segment.interface, segment]));
  const names = new Set(interfaces.map(({ name }) => name));
  const weight = (name: string) => (open.has(name) ? 0 : names.has(name) ? 1 : 2);
  const byWeight = (a: string, b: string) => weight(a) - weight(b) || (a < b ? -1 : 1);
  const kept = (recorded?.layer2?.claims ?? []).filter(({ interface: name }) => open.get(name)?.view.starting ?? true);
  const running = segments.filter(({ view }) => !view.starting);
  const own = running.map((segment) => input.claims.of(segment)).filter(({ ips }) => ips.length > 0);
  const shown = [...interfaces].sort((a, b) => byWeight(a.name, b.name)).slice(0, MOST_INTERFACES);
  const claims = [...own, ...kept].sort((a, b) => byWeight(a.interface, b.interface));
  return {
    version,
    incarnation: String(newestIncarnation(segments, recorded)),
    interfaces: shown
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, mac, addresses, defaultRoute }) => ({
        name,
        mac,
        subnets: addresses.slice(0, MOST_SUBNETS),
        defaultRoute,
      })),
    layer2: {
      claims: claims.slice(0, MOST_INTERFACES).sort((a, b) => (a.interface < b.interface ? -1 : 1)),
      ...ownLayer2(segments, before?.layer2, wall),
    },
    ...(bgp.status !== undefined && { bgp: bgp.status }),
    conditions: [...ownConditions(segments, before?.conditions ?? [], nowMs, bgp.conditions)],
  };
}

function newestIncarnation(segments: readonly SegmentState[], recorded: SpeakerStatus | undefined): bigint {
  let newest = readIncarnation(recorded);
  for (const { view } of segments) if (view.incarnation > newest) newest = view.incarnation;
  return newest;
}

/** Reads the incarnation of a Speaker; what is none on the wire either counts as 0. */
export function readIncarnation(status: SpeakerStatus | undefined): bigint {
  const text = status?.incarnation ?? "";
  const value = /^[0-9]{1,20}$/.test(text) ? BigInt(text) : 0n;
  return value < 2n ** 64n - 1n ? value : 0n;
}
