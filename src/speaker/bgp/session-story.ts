import type { Session } from "../../bgp/daemon.ts";
import type { Peer } from "../../bgp/model.ts";
import type { ProbeAnswer, ProbeTarget } from "./probe.ts";

/** What is told of a session over time: gobgpd says where it is, and hardly why. Times in milliseconds since 1970. */
export interface SessionStory {
  readonly up: boolean;
  /** Since when it is up, or down. */
  readonly sinceMs: number;
  /** What was or is wrong last, in words; stays when the session comes back. */
  readonly lastError: { readonly text: string; readonly atMs: number } | undefined;
  /** Why it went down last, in words; undefined: it has not. */
  readonly fall: string | undefined;
  /** How often it went down. */
  readonly falls: number;
  /** BFD heard the peer since the session is up. */
  readonly bfdUp: boolean;
  /** The hold time that was agreed on last, in seconds; undefined: it was never up. */
  readonly holdTime: number | undefined;
  readonly counters: Counters;
  /** As they were when it went down. */
  readonly base: Counters;
}

type Counters = Pick<Session, "flaps" | "notificationsSent" | "notificationsReceived">;

/** What is known of a peer at one moment. */
export interface SessionSight {
  readonly peer: Peer;
  /** The peer is to be another than when it was seen last: the session was opened anew on purpose. */
  readonly renewed: boolean;
  /** undefined: gobgpd does not have it (yet). */
  readonly session: Session | undefined;
  /** What the peer said to a connection of our own since the session is down; undefined: not tried. */
  readonly probe: ProbeAnswer | undefined;
  readonly nowMs: number;
}

const NO_COUNTERS: Counters = { flaps: 0, notificationsSent: 0, notificationsReceived: 0 };
/** A session that is down for this long is looked into, in ms: others are still being opened. */
const PROBE_AFTER_MS = 3_000;
/** What may be a rest after an error counts as refusal after this long, in ms. */
const PATIENCE_MS = 10_000;
/** What can only be waited for is told after this long, in ms. */
const WAIT_MS = 8_000;
/** BFD that is not up this long after its session is told of, in ms: from its start it takes a packet or two of each side, one a second. */
const BFD_WAIT_MS = 5_000;

/** Goes on telling: gives what is to be said now, after what was said before; undefined: nothing was. */
export function continueStory(before: SessionStory | undefined, sight: SessionSight): SessionStory {
  const { session, nowMs } = sight;
  const up = session?.state === "Established";
  const counters = session ?? before?.counters ?? NO_COUNTERS;
  const fell = before?.up === true && (!up || counters.flaps > before.counters.flaps);
  const fall = fell ? whyItFell(before, sight) : before?.fall;
  const turned = before === undefined || fell || up !== before.up;
  const sinceMs = turned ? ((up ? session.establishedAtMs : undefined) ?? nowMs) : before.sinceMs;
  // What never was up has had all its counts since it was opened.
  const beginning = session?.establishedAtMs === undefined ? NO_COUNTERS : counters;
  const base = before === undefined ? beginning : turned ? counters : baseNow(before, counters);
  const since = { base, fell: fall !== undefined, downMs: nowMs - sinceMs };
  const bfdUp = up && (session.bfd === "Up" || (!turned && before.bfdUp));
  const text = up ? whyItIsNotWatched(bfdUp, nowMs - sinceMs, sight) : whyItIsDown(since, sight);
  const told = text ?? (fell ? fall : undefined);
  const same = told === undefined || told === before?.lastError?.text;
  return {
    up,
    sinceMs,
    lastError: same && !fell ? before?.lastError : { text: told ?? "", atMs: nowMs },
    fall,
    falls: (before?.falls ?? 0) + (fell ? 1 : 0),
    bfdUp,
    holdTime: (up ? session.holdTime : undefined) ?? before?.holdTime,
    counters: countersOf(counters),
    base: countersOf(base),
  };
}

/** A peer that is made anew counts from 0 again. */
function baseNow(before: SessionStory, now: Counters): Counters {
  const names = ["flaps", "notificationsSent", "notificationsReceived"] as const;
  return names.some((name) => now[name] < before.counters[name]) ? NO_COUNTERS : before.base;
}

/** Says whom to ask why a session does not come up; undefined: nobody, or not yet. */
export function probeTarget(story: SessionStory, { peer, session, nowMs }: SessionSight): ProbeTarget | undefined {
  const { neighbor: address, port, localAddress, bindInterface } = peer;
  if (story.up || session === undefined || nowMs - story.sinceMs < PROBE_AFTER_MS) return undefined;
  if (peer.passive || peer.unnumbered) return undefined;
  return { address, port, localAddress, bindInterface };
}

function whyItFell(before: SessionStory, { peer, renewed, session }: SessionSight): string {
  if (renewed) return "it was opened anew, as its BGPPeer or its password changed";
  if (session === undefined) return "the gobgpd of this node ended or restarted";
  if (peer.bfd !== undefined && session.bfd !== undefined && session.bfd !== "Up")
    return before.bfdUp
      ? `BFD went down (detection time ${peer.bfd.receiveMs * peer.bfd.detectMultiplier} ms): the peer or the way to it is gone`
      : `BFD does not come up, and ends the session: ${BFD_REMEDY}`;
  if (session.notificationsReceived > before.counters.notificationsReceived)
    return "the peer closed the session (NOTIFICATION): it was reset or reconfigured there";
  if (session.notificationsSent > before.counters.notificationsSent)
    return `hold timer expired: nothing was heard from the peer for ${before.holdTime ?? peer.holdTime} s`;
  return "the peer closed the connection: its BGP daemon ended or restarted";
}

const BFD_REMEDY = "see whether the peer has BFD switched on for this node, and let UDP port 3784 pass both ways";

/** Says what a session that is up lacks; undefined: nothing, or it may be on its way. */
function whyItIsNotWatched(bfdUp: boolean, upMs: number, { peer, session }: SessionSight): string | undefined {
  if (peer.bfd === undefined || bfdUp || upMs < BFD_WAIT_MS) return undefined;
  return `BFD does not come up, so a peer that is gone is missed only after the hold time (${session?.holdTime ?? peer.holdTime} s): ${BFD_REMEDY}`;
}

/** How it is down: the counters as it went down, whether it was up before, and for how long it is down. */
interface Down {
  readonly base: Counters;
  readonly fell: boolean;
  readonly downMs: number;
}

/** Says what a session that is down lacks or waits for; undefined: gobgpd does not have it, or it may be on its way. */
function whyItIsDown(down: Down, sight: SessionSight): string | undefined {
  return sight.session === undefined ? undefined : (whatKeepsItDown(down, sight) ?? whatItWaitsFor(down, sight));
}

function whatKeepsItDown({ base, fell, downMs }: Down, { peer, session, probe }: SessionSight): string | undefined {
  const where = `${peer.neighbor} port ${peer.port}`;
  // One that was up may well be refused for a while: both sides rest after an error.
  const patient = !fell || downMs >= PATIENCE_MS;
  const refusals = fell ? 2 : 1;
  const received = patient && (session?.notificationsReceived ?? 0) >= base.notificationsReceived + refusals;
  const sent = patient && (session?.notificationsSent ?? 0) >= base.notificationsSent + refusals;
  if (probe?.what === "Opened" && probe.asn !== peer.peerASN)
    return `wrong AS: the peer says it is AS ${probe.asn}, and the BGPPeer says peerASN ${peer.peerASN}; mend one of the two`;
  if (received)
    return `wrong AS suspected: the peer refuses the session (NOTIFICATION); see there whether it expects AS ${peer.localASN} (myASN) from this node's address`;
  if (sent && probe?.what !== "Opened")
    return `wrong AS suspected: what the peer says of itself does not fit; see whether it is AS ${peer.peerASN} (peerASN)`;
  switch (probe?.what) {
    case "Refused":
      return `unreachable: nothing listens on ${where}; see whether BGP runs there`;
    case "Unreachable":
      return `unreachable: the network leads to no ${peer.neighbor}; see to the address, the cable and the routes`;
    case "NoSuchSource":
      return `this node does not have the address ${peer.localAddress ?? ""} that sourceAddress names`;
    case "Silent":
      return peer.password === undefined
        ? `unreachable: no answer from ${where}; see to the address and to firewalls, and whether the peer expects a password`
        : `wrong password suspected: no answer from ${where}; compare the Secret with the peer's password, or it is unreachable`;
    case "Closed":
      if (downMs < PATIENCE_MS) return undefined;
      return `the peer closes connections at once: it rests after an error, or does not have this node's address as a neighbor`;
    case "Listening":
    case "Opened":
      return peer.password === undefined
        ? undefined
        : `wrong password suspected: the peer takes connections without a password; set the one of the Secret there`;
    case "Elsewhere":
    case undefined:
      return undefined;
  }
}

/** Says what a session waits for that nobody can be asked about. */
function whatItWaitsFor({ downMs }: Down, { peer, probe }: SessionSight): string | undefined {
  if (downMs < WAIT_MS) return undefined;
  if (peer.passive)
    return `the peer has not connected to this node's port 179; see whether it has this node as a neighbor`;
  if (peer.bindInterface !== undefined && probe?.what === "Elsewhere")
    return `no session over ${peer.bindInterface} yet; see whether the peer can be reached there, and what its log says`;
  if (peer.unnumbered)
    return `no session behind ${peer.neighbor}: the router must send router advertisements there, and have BGP on that interface`;
  return undefined;
}

function countersOf({ flaps, notificationsSent, notificationsReceived }: Counters): Counters {
  return { flaps, notificationsSent, notificationsReceived };
}
