import { CONDITION } from "../api/names.ts";
import type { ANNOUNCED_REASONS } from "../api/reasons.ts";
import type { Candidates } from "../election/candidates.ts";
import { rendezvousHash } from "../election/rendezvous-hash.ts";
import { type WantedCondition, wholeSeconds } from "../kube/conditions.ts";
import { keyOf } from "../kube/resource.ts";
import type { AnnouncedByBGP } from "./bgp/announced-by-bgp.ts";
import type { Claimant } from "./claimants.ts";
import type { LeanService } from "./lean-services.ts";
import type { Presence } from "./presence.ts";

/** Who may announce an IP on layer 2, or why nobody is asked to. */
export type IPIntent =
  | { readonly what: "NoPool" }
  | { readonly what: "NotAnnounced"; readonly pool: string }
  | { readonly what: "Announced"; readonly candidates: Candidates };

/** What one speaker knows at one moment. */
export interface AnnouncementView {
  readonly self: string;
  /** The nodes that have a Speaker object. */
  readonly speakers: readonly string[];
  readonly presence: (node: string) => Presence;
  /** Of an IP in canonical text. */
  readonly claimantsOf: (ip: string) => readonly Claimant[];
  /** undefined: nobody is known to hold it. */
  readonly intentOf: (ip: string) => IPIntent | undefined;
  /** What BGP does with an IP; undefined: it has nothing to do with it. */
  readonly bgp: (ip: string) => AnnouncedByBGP | undefined;
}

export interface Announcement {
  /** What the condition Announced shall say; undefined: it shall not be there. */
  readonly wanted: WantedCondition | undefined;
  /** The node whose claim decides who writes; undefined: nobody has an IP of it. */
  readonly owner: string | undefined;
  /** False: it may be over in a moment, as between a death and the takeover. */
  readonly settled: boolean;
}

type Reason = (typeof ANNOUNCED_REASONS)[number];

/** What is known of one IP. */
interface Known {
  readonly ip: string;
  readonly intent: IPIntent | undefined;
  /** The best claim first. What nobody may have, nobody has: a record may be older than that. */
  readonly claimed: readonly Claimant[];
}

/** What is to be said of one IP. */
interface Part {
  readonly reason: Reason;
  readonly announced: boolean;
  readonly text: string;
  readonly settled: boolean;
}

/** Of candidates, so many are named. */
const NAMED = 5;

/** Gives what the condition Announced of a Service shall say; the same on every speaker that knows the same. `nowMs`: since 1970. */
export function announcement({ ips, announced }: LeanService, view: AnnouncementView, nowMs: number): Announcement {
  const known = ips.map((ip) => knownOf(ip, view));
  const owner = known.find(({ claimed }) => claimed.length > 0)?.claimed[0]?.node;
  if (ips.length === 0) return { wanted: undefined, owner, settled: false };
  const stored = announced?.message ?? "";
  const parts = known.map((one) => partOf(one, view, stored, nowMs));
  const wanted: WantedCondition = {
    type: CONDITION.announced,
    status: parts.every(({ announced }) => announced) ? "True" : "False",
    reason: decidingReason(parts),
    message: parts.map(({ text }) => text).join("; "),
  };
  // A route has no owner that would have to tell of itself first.
  const told = owner !== undefined || parts.every(({ reason }) => reason === "BGP");
  return { wanted, owner, settled: told && parts.every(({ settled }) => settled) };
}

/** What is wrong comes before what is well. */
function decidingReason(parts: readonly Part[]): Reason {
  const decides = parts.find(({ announced }) => !announced) ?? parts.find(({ reason }) => !WELL.includes(reason));
  const [first, ...rest] = parts.map(({ reason }) => reason);
  if (decides !== undefined) return decides.reason;
  return first !== undefined && rest.every((reason) => reason === first) ? first : "Layer2AndBGP";
}

const WELL: readonly Reason[] = ["Layer2", "BGP", "Layer2AndBGP"];

/**
 * Says which node writes the condition of a Service: the one that has its (first) IP, where its speaker can; else the
 * first by rendezvous hash of those that can.
 */
export function writerOf(service: LeanService, { owner }: Announcement, view: AnnouncementView): string | undefined {
  const can = (node: string) => node === view.self || view.presence(node) === "Speaking";
  if (owner !== undefined && can(owner)) return owner;
  const key = keyOf(service.meta);
  let first: string | undefined;
  for (const node of view.speakers) {
    if (!can(node)) continue;
    const order = first === undefined ? 1 : rendezvousHash(node, key) - rendezvousHash(first, key);
    if (order > 0 || (order === 0 && first !== undefined && node < first)) first = node;
  }
  return first;
}

function knownOf(ip: string, { claimantsOf, intentOf }: AnnouncementView): Known {
  const intent = intentOf(ip);
  const isFor = intent?.what === "Announced" && intent.candidates.candidates.length > 0;
  return { ip, intent, claimed: isFor ? claimantsOf(ip) : [] };
}

function partOf(known: Known, view: AnnouncementView, stored: string, nowMs: number): Part {
  const { ip, intent } = known;
  const bgp = view.bgp(ip);
  if (bgp === undefined) return layer2Part(known, view, stored, nowMs);
  const byBGP = { ...bgp, text: `${ip} ${bgp.text}` };
  if (intent?.what === "NotAnnounced") return byBGP;
  return both(layer2Part(known, view, stored, nowMs), byBGP);
}

/** An IP that is announced in one of the two ways is announced; what is wrong with the other is told all the same. */
function both(layer2: Part, bgp: Part): Part {
  const wrong = [layer2, bgp].find(({ announced, reason }) => !announced || !WELL.includes(reason));
  return {
    reason: wrong?.reason ?? "Layer2AndBGP",
    announced: layer2.announced || bgp.announced,
    text: layer2.reason === "NoEndpoints" ? layer2.text : `${layer2.text}; ${bgp.text}`,
    settled: layer2.settled && bgp.settled,
  };
}

function layer2Part({ ip, intent, claimed }: Known, view: AnnouncementView, stored: string, nowMs: number): Part {
  const nobody = (reason: Reason, why: string): Part => ({
    reason,
    announced: false,
    text: `${ip} by nobody: ${why}`,
    settled: reason !== "Pending",
  });
  // An IP whose pool is away is in nobody's snapshot, and one without candidates is dropped, whatever is recorded.
  if (intent === undefined) return nobody("Pending", "its pool is not known yet");
  if (intent.what === "NoPool") return nobody("NoPool", "no IPPool contains it");
  if (intent.what === "NotAnnounced")
    return nobody("NotAnnounced", `pool "${intent.pool}" has no entry in its spec.announce`);
  const { candidates, reason } = intent.candidates;
  if (reason === "NoEndpoints") return nobody("NoEndpoints", "no endpoint of the Service serves");
  if (candidates.length === 0) return nobody("NoCandidate", `no node may: ${excludedText(intent.candidates)}`);
  if (claimed.some(({ announces }) => announces)) return announcedPart(ip, claimed, stored, nowMs);
  const blocked = claimed.find(({ rival }) => rival !== undefined);
  if (blocked?.rival !== undefined)
    return nobody(
      "AddressConflict",
      `${rivalText(blocked.rival)} has it already, as ${blocked.node} sees on ${blocked.interface}`,
    );
  const names = candidates.map(({ node }) => node);
  const alive = names.filter((node) => node === view.self || view.presence(node) !== "Dead");
  if (alive.length === 0) return nobody("NoSpeaker", `no speaker is there on ${some(names)}`);
  return nobody("Pending", `${some(alive)} may, and none does yet`);
}

function announcedPart(ip: string, claimed: readonly Claimant[], stored: string, nowMs: number): Part {
  const texts = claimed.map(({ node, interface: name, mac, rival, sinceMs = nowMs }) => {
    const by = `${ip} by node ${node} on ${name} (${mac}) since `;
    const more = rival === undefined ? "" : `, and ${rivalText(rival)} answers for it too`;
    return `${by}${sinceIn(stored, by) ?? wholeSeconds(sinceMs)}${more}`;
  });
  const conflict = claimed.some(({ rival }) => rival !== undefined);
  return {
    reason: conflict ? "AddressConflict" : "Layer2",
    announced: true,
    text: texts.join("; "),
    settled: true,
  };
}

/** The time in the stored message after the same words: it stays through restarts, and whoever writes. */
function sinceIn(stored: string, by: string): string | undefined {
  const at = stored.indexOf(by);
  if (at < 0) return undefined;
  const time = stored.slice(at + by.length, at + by.length + TIME_LENGTH);
  return TIME.test(time) ? time : undefined;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const TIME_LENGTH = "2026-01-01T00:00:00Z".length;

function rivalText({ mac, node }: { readonly mac: string; readonly node?: string | undefined }): string {
  return node === undefined ? `a stranger (${mac})` : `node ${node} (${mac})`;
}

function excludedText({ excluded }: Candidates): string {
  if (excluded.length === 0) return "there is none";
  return some(excluded.map(({ node, reason }) => `${node} (${reason})`));
}

function some(names: readonly string[]): string {
  const more = names.length - NAMED;
  const named = names.slice(0, NAMED).join(", ");
  return more > 0 ? `${named} and ${more} more` : named;
}
