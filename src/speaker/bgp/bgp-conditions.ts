import type {
  SPEAKER_GOBGP_REASONS,
  SPEAKER_NEXT_HOP_REASONS,
  SPEAKER_PEER_REFUSED_REASONS,
  SPEAKER_SESSION_REASONS,
} from "../../api/reasons.ts";
import type { NodePeers } from "../../bgp/peers.ts";
import type { ReconcilerView } from "../../bgp/reconciler.ts";
import type { WantedCondition } from "../../kube/conditions.ts";
import type { BGPStatus } from "./own-bgp.ts";

/** The conditions of a Speaker that are about BGP. There are none where no BGPPeer selects the node; each is False where all is well. */
export const BGP_CONDITIONS = ["GobgpUnavailable", "PeerRefused", "SessionDown", "NextHopMissing"] as const;

/** Of peers in a message, so many are named. */
const NAMED = 5;
/** A session that is not there for a moment, as at its start, is nothing to tell, in ms. */
const SESSION_MS = 5_000;

export interface BGPConditionsInput {
  readonly outcomes: NodePeers["outcomes"];
  readonly problem: ReconcilerView["problem"];
  readonly status: BGPStatus | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

export function bgpConditions(input: BGPConditionsInput): readonly WantedCondition[] {
  if (input.status === undefined) return [];
  return [gobgpUnavailable(input), peerRefused(input), sessionDown(input), nextHopMissing(input)];
}

type Type = (typeof BGP_CONDITIONS)[number];

function gobgpUnavailable({ problem }: BGPConditionsInput): WantedCondition {
  type Reason = (typeof SPEAKER_GOBGP_REASONS)[number];
  if (problem !== undefined) return isTrue<Reason>("GobgpUnavailable", problem.kind, problem.message);
  return isFalse<Reason>("GobgpUnavailable", "Available", "gobgpd does what it is told");
}

function peerRefused({ outcomes }: BGPConditionsInput): WantedCondition {
  type Reason = (typeof SPEAKER_PEER_REFUSED_REASONS)[number];
  const refused = [...outcomes].flatMap(([name, one]) => (one.opened ? [] : [{ name, ...one }]));
  const [first] = refused;
  if (first === undefined) return isFalse<Reason>("PeerRefused", "NoneRefused", "every BGPPeer can be opened");
  return isTrue<Reason>("PeerRefused", first.reason, listed(refused.map(({ name, message }) => `${name}: ${message}`)));
}

function sessionDown({ status, nowMs }: BGPConditionsInput): WantedCondition {
  type Reason = (typeof SPEAKER_SESSION_REASONS)[number];
  const down = (status?.peers ?? []).filter(
    ({ state, since }) => state === "Active" && nowMs - Date.parse(since ?? "") >= SESSION_MS,
  );
  if (down.length === 0) return isFalse<Reason>("SessionDown", "AllEstablished", "no session is down for longer");
  const texts = down.map(({ name, lastError }) => `${name}: ${lastError ?? "not established yet"}`);
  return isTrue<Reason>("SessionDown", "NotEstablished", listed(texts));
}

function nextHopMissing({ outcomes }: BGPConditionsInput): WantedCondition {
  type Reason = (typeof SPEAKER_NEXT_HOP_REASONS)[number];
  const texts = [...outcomes].flatMap(([name, one]) =>
    one.opened ? [...one.missing].map(([family, why]) => `${name}: ${family} routes are not sent: ${why}`) : [],
  );
  if (texts.length === 0) return isFalse<Reason>("NextHopMissing", "NoneMissing", "every route has a next hop");
  return isTrue<Reason>("NextHopMissing", "NoAddress", listed(texts));
}

function isTrue<Reason extends string>(type: Type, reason: Reason, message: string): WantedCondition {
  return { type, status: "True", reason, message };
}

function isFalse<Reason extends string>(type: Type, reason: Reason, message: string): WantedCondition {
  return { type, status: "False", reason, message };
}

function listed(texts: readonly string[]): string {
  const more = texts.length - NAMED;
  return `${texts.slice(0, NAMED).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}
