import type { ExclusionReason } from "../election/candidates.ts";
import type { NeighbourView } from "../l2/segment.ts";
import type { IPIntent } from "./announcement.ts";
import type { Claimant } from "./claimants.ts";
import type { OwnershipChange } from "./segment-messages.ts";

/** Why an IP has another owner than before: a label of herald_l2_takeovers_total, and in the note of the event. */
export const TAKEOVER_CAUSES = [
  "NodeDead",
  "SpeakerAway",
  "NodeDeaf",
  "Drained",
  "NotForwarding",
  "EndpointsMoved",
  "NotCandidate",
  "Preferred",
  "Overruled",
  "Released",
] as const;
export type TakeoverCause = (typeof TAKEOVER_CAUSES)[number];

/** In a person's words. */
const WORDS: Readonly<Record<TakeoverCause, string>> = {
  NodeDead: "the node is dead",
  SpeakerAway: "its speaker was away for too long",
  NodeDeaf: "the node hears nothing",
  Drained: "it gives its addresses away",
  NotForwarding: "its node proxy does not forward",
  EndpointsMoved: "it has no serving endpoint any more",
  NotCandidate: "it may announce the address no more",
  Preferred: "this node is preferred",
  Overruled: "it did not hear of the API's news",
  Released: "it gave the address up",
};

/** One IP that this node owns now, and did not before. */
export interface Takeover {
  readonly ip: string;
  readonly interface: string;
  /** The owner before; undefined: there was none, as far as is known. */
  readonly from: string | undefined;
  /** Undefined exactly where `from` is. */
  readonly cause: TakeoverCause | undefined;
  /** From the former owner's last hello to the claim, where it fell silent. */
  readonly durationMs: number | undefined;
}

export interface TakeoverInput {
  readonly self: string;
  readonly change: OwnershipChange;
  /** Who had the IP by the records, this node and the dead among them, the best claim first. */
  readonly recorded: readonly Claimant[];
  /** On the interface of the change. */
  readonly neighbours: readonly NeighbourView[];
  readonly intent: IPIntent | undefined;
}

/** Explains why this node owns an IP now; undefined where it is no news: it had it before a restart or a pause. */
export function takeoverOf({ self, change, recorded, neighbours, intent }: TakeoverInput): Takeover | undefined {
  const { ip, interface: name, atMs } = change;
  if (change.cause === "Adopted" || change.cause === "Resumed") return undefined;
  const here = new Set([self, ...neighbours.map(({ node }) => node)]);
  const from = recorded.find((claimant) => claimant.announces && here.has(claimant.node))?.node;
  if (from === self) return undefined;
  if (from === undefined) return { ip, interface: name, from, cause: undefined, durationMs: undefined };
  const owner = neighbours.find(({ node }) => node === from);
  const cause = causeOf(change, from, owner, intent);
  const silent = cause === "NodeDead" || cause === "SpeakerAway" || cause === "NodeDeaf";
  const durationMs = silent && owner?.lastHeardMs !== undefined ? Math.max(0, atMs - owner.lastHeardMs) : undefined;
  return { ip, interface: name, from, cause, durationMs };
}

/** Tells of a takeover in a person's words. `mac`: of the interface. */
export function takeoverText(
  { ip, interface: name, from, cause, durationMs }: Takeover,
  node: string,
  mac: string,
): string {
  const now = `${ip} is announced by node ${node} on ${name} (${mac})`;
  if (from === undefined || cause === undefined) return now;
  const after = durationMs === undefined ? "" : `, ${(durationMs / 1000).toFixed(2)} s after it was last heard`;
  return `${now}; taken over from node ${from}: ${WORDS[cause]}${after}`;
}

function causeOf(
  { cause }: OwnershipChange,
  from: string,
  owner: NeighbourView | undefined,
  intent: IPIntent | undefined,
): TakeoverCause {
  if (cause === "Overruled") return cause;
  if (cause === "Free" && owner?.state === "Dead") return "NodeDead";
  if (cause === "Free" && owner?.state === "Gone") return "SpeakerAway";
  if (cause === "Free" && owner?.state === "Deaf") return "NodeDeaf";
  if (owner?.leaving) return "Drained";
  if (owner?.notForwarding) return "NotForwarding";
  const excluded = exclusionOf(from, intent);
  if (excluded === "NoLocalEndpoint") return "EndpointsMoved";
  if (excluded !== undefined) return "NotCandidate";
  return cause === "Yielded" ? "Preferred" : "Released";
}

function exclusionOf(node: string, intent: IPIntent | undefined): ExclusionReason | undefined {
  if (intent?.what !== "Announced") return undefined;
  return intent.candidates.excluded.find((one) => one.node === node)?.reason;
}
