import type { SpeakerStatus } from "../../api/speaker.ts";
import { MOST_PEERS } from "../../api/speaker-words.ts";
import type { Session } from "../../bgp/daemon.ts";
import type { BGPNode } from "../../bgp/node.ts";
import type { NodePeers, PeerOutcome } from "../../bgp/peers.ts";
import type { ReconcilerView } from "../../bgp/reconciler.ts";
import { wholeSeconds } from "../../kube/conditions.ts";
import type { SessionStory } from "./session-story.ts";

export type BGPStatus = NonNullable<SpeakerStatus["bgp"]>;
type ShownPeer = BGPStatus["peers"][number];

export interface OwnBGPInput extends Omit<NodePeers, "asns"> {
  /** The peer's AS, by name of the BGPPeer. */
  readonly asnOf: (name: string) => number;
  readonly view: ReconcilerView;
  /** By neighbor. */
  readonly stories: ReadonlyMap<string, SessionStory>;
  readonly withdrawn: BGPNode["withdrawn"];
}

/** Longer texts the API server refuses. */
const MOST_TEXT = 512;

/** Gives what a Speaker shows of BGP; undefined where no BGPPeer selects the node. */
export function ownBGP({ global, outcomes, asnOf, view, stories, withdrawn }: OwnBGPInput): BGPStatus | undefined {
  if (outcomes.size === 0) return undefined;
  // What a gobgpd that does not answer said before is not so any more.
  const known = view.problem === undefined || view.problem.kind === "Refused";
  const sessions = new Map(known ? view.sessions.map((session) => [session.neighbor, session]) : []);
  const peers = [...outcomes].map(([name, outcome]) =>
    outcome.opened
      ? shownSession(name, outcome, sessions.get(outcome.neighbor), stories.get(outcome.neighbor))
      : shownRefusal(name, outcome, asnOf(name)),
  );
  const up = peers.filter(({ state }) => state === "Established").length;
  return {
    gobgpd: view.problem?.kind ?? (view.sessionsAtMs === undefined ? "Unknown" : "Running"),
    ...(global !== undefined && { asn: global.asn, routerID: global.routerID }),
    sessions: `${up}/${peers.length}`,
    routes: view.held?.routes.size ?? 0,
    ...(withdrawn !== undefined && { withdrawn }),
    peers: peers.slice(0, MOST_PEERS),
  };
}

function shownRefusal(
  name: string,
  { neighbor, message }: PeerOutcome & { readonly opened: false },
  asn: number,
): ShownPeer {
  return { name, address: neighbor, asn, state: "Refused", lastError: message.slice(0, MOST_TEXT) };
}

function shownSession(
  name: string,
  { peer, missing }: PeerOutcome & { readonly opened: true },
  session: Session | undefined,
  story: SessionStory | undefined,
): ShownPeer {
  const head = { name, address: peer.neighbor, asn: peer.peerASN };
  const noHop = [...missing].map(([family, why]) => `${family} routes are not sent: ${why}`);
  const errors = [...(story?.lastError === undefined ? [] : [story.lastError.text]), ...noHop];
  const lastError = errors.length > 0 && { lastError: errors.join("; ").slice(0, MOST_TEXT) };
  const since = story && { since: wholeSeconds(story.sinceMs) };
  if (story === undefined || session === undefined)
    return { ...head, state: "Unknown", ...(story?.up === false && since), ...lastError };
  const negotiated = story.up && {
    ...(session.holdTime !== undefined && { holdTime: `${session.holdTime}s` }),
    ...(session.keepaliveTime !== undefined && { keepaliveTime: `${session.keepaliveTime}s` }),
  };
  return {
    ...head,
    // What comes before, gobgpd runs through again and again; each step would be a write to the API.
    state: story.up ? "Established" : "Active",
    ...since,
    ...lastError,
    ...negotiated,
    advertised: session.advertised,
    accepted: session.accepted,
    flaps: story.falls,
    ...(session.bfd !== undefined && { bfd: session.bfd }),
  };
}

/** Leaves out what only counts: it is shown with the next change of something else, or after a while. Whether there are any routes stays. */
export function withoutCounts(status: BGPStatus | undefined): BGPStatus | undefined {
  if (status === undefined) return undefined;
  const peers = status.peers.map(({ advertised = 0, accepted: _, flaps: __, ...peer }) => ({
    ...peer,
    advertised: Math.min(advertised, 1),
  }));
  return { ...status, routes: Math.min(status.routes, 1), peers };
}
