import type { BGPAnnounce } from "../api/announce.ts";
import { matchesSelector } from "../api/label-selector.ts";
import { EXCLUDE_NODE_LABEL } from "../api/names.ts";
import type { IPFamily } from "../api/objects.ts";
import type { Serving } from "../election/candidates.ts";
import { bitsOf } from "../ipam/addresses.ts";
import type { AnnouncedPool } from "../ipam/announced-pools.ts";
import type { BGPNode } from "./node.ts";
import type { NodePeers, PeerOutcome } from "./peers.ts";
import { additionsFor, type Group, groupOf } from "./profiles.ts";
import { readRule } from "./rules.ts";

/** Why a node does not announce an IP; docs/bgp.md explains each. The first that holds is given. */
export type NotHereReason =
  | "NotSelected"
  | "ExcludedByLabel"
  | "NetworkUnavailable"
  | "NotForwarding"
  | "Evacuated"
  | "NoLocalEndpoint"
  | PeerlessReason;

/** Why a peer that should get the routes does not. */
export type WithheldReason = "PeerRefused" | "FamilyNotSpoken" | "NoNextHop";

/** Why no peer gets them: for the reason of the nearest to do so, or no BGPPeer that the pool names selects the node. */
export type PeerlessReason = WithheldReason | "NoBGPPeer";

export interface Withheld {
  /** Name of the BGPPeer. */
  readonly peer: string;
  readonly reason: WithheldReason;
}

/** What becomes of an IP on a node, where its pool has bgp entries and something serves it. */
export interface Outcome {
  /** Names of the BGPPeers that are told, sorted; empty exactly where `reason` is given. */
  readonly peers: readonly string[];
  readonly reason: NotHereReason | undefined;
  /** Sorted by name. */
  readonly withheld: readonly Withheld[];
}

/** One route that stands for an IP. */
export interface Announcement {
  /** Prefix length. */
  readonly length: number;
  readonly group: Group;
  /** Of the pool: its prefixes don't go beyond. */
  readonly ranges: AnnouncedPool["ranges"];
}

export interface Decision extends Outcome {
  readonly announcements: readonly Announcement[];
}

/**
 * Decides what a node announces. Of an IP nothing matters but its pool, its family and whether the node can serve it: so
 * IPs that are alike in these share one decision, the same object.
 */
export class Announcing {
  readonly #self: BGPNode;
  readonly #peers: readonly (readonly [string, PeerOutcome])[];
  /** By pool, one for each family and for being able to serve or not. */
  readonly #known = new Map<AnnouncedPool, (Decision | undefined)[]>();
  readonly #announcements = new Map<AnnouncedPool, Map<IPFamily, readonly Announcement[]>>();

  constructor(self: BGPNode, { outcomes }: NodePeers) {
    this.#self = self;
    this.#peers = [...outcomes];
  }

  /** Gives the decision on IPs of a pool that has entries, where any node serves. */
  of(pool: AnnouncedPool, family: IPFamily, serving: Exclude<Serving, "NoNode">): Decision {
    const here = serving === "EveryNode" || serving.includes(this.#self.node.meta.name);
    const slot = (family === "IPv4" ? 0 : 2) + (here ? 1 : 0);
    let decisions = this.#known.get(pool);
    if (decisions === undefined) {
      decisions = [];
      this.#known.set(pool, decisions);
    }
    const known = decisions[slot] ?? this.#decide(pool, family, here);
    decisions[slot] = known;
    return known;
  }

  /** Gives what stands for an IP of the pool on this node, whatever keeps it from being announced at the moment. */
  announcements(pool: AnnouncedPool, family: IPFamily): readonly Announcement[] {
    const families = this.#announcements.get(pool) ?? new Map<IPFamily, readonly Announcement[]>();
    const known = families.get(family) ?? this.#group(pool, family);
    this.#announcements.set(pool, families.set(family, known));
    return known;
  }

  /** Tells whether the pool's routes of a family are for a peer, whatever keeps them from it at the moment. */
  isFor(pool: AnnouncedPool, family: IPFamily, peer: string): boolean {
    return this.announcements(pool, family).some(({ group }) => isFor(group, peer));
  }

  #group({ bgp: entries, ranges }: AnnouncedPool, family: IPFamily): readonly Announcement[] {
    const { node, draining } = this.#self;
    const selecting = entries.filter(({ nodeSelector }) => matchesSelector(nodeSelector, node.meta.labels));
    const lengthOf = (entry: BGPAnnounce) =>
      Math.min(bitsOf(family), family === "IPv4" ? entry.aggregationLength : entry.aggregationLengthV6);
    const lengths = [...new Set(selecting.map(lengthOf))].sort((a, b) => a - b);
    return lengths.map((length) => {
      const rules = selecting.filter((entry) => lengthOf(entry) === length).map((entry) => readRule(entry, draining));
      return { length, group: groupOf(rules), ranges };
    });
  }

  #decide(pool: AnnouncedPool, family: IPFamily, here: boolean): Decision {
    const all = this.announcements(pool, family);
    const excluded = this.#exclusion(all) ?? (here ? undefined : "NoLocalEndpoint");
    if (excluded !== undefined) return { peers: [], reason: excluded, withheld: [], announcements: [] };
    const peers = new Set<string>();
    const withheld = new Map<string, WithheldReason>();
    const announcements = all.filter(({ group }) => {
      let told = false;
      for (const [name, outcome] of this.#peers) {
        if (!isFor(group, name)) continue;
        const why = whyWithheld(outcome, family);
        if (why !== undefined) withheld.set(name, why);
        else peers.add(name);
        told ||= why === undefined;
      }
      return told;
    });
    return {
      peers: [...peers].sort(),
      reason: peers.size > 0 ? undefined : (NEAREST.find((one) => [...withheld.values()].includes(one)) ?? "NoBGPPeer"),
      withheld: [...withheld].map(([peer, reason]) => ({ peer, reason })).sort((a, b) => (a.peer < b.peer ? -1 : 1)),
      announcements,
    };
  }

  #exclusion(announcements: readonly Announcement[]): NotHereReason | undefined {
    const { node, withdrawn } = this.#self;
    if (announcements.length === 0) return "NotSelected";
    if (node.meta.labels[EXCLUDE_NODE_LABEL] !== undefined) return "ExcludedByLabel";
    if (node.networkUnavailable) return "NetworkUnavailable";
    return withdrawn;
  }
}

/** The nearest to a route that is sent comes first. */
const NEAREST: readonly WithheldReason[] = ["NoNextHop", "FamilyNotSpoken", "PeerRefused"];

function isFor({ audience }: Group, peer: string): boolean {
  return audience === undefined || additionsFor(audience, peer, true) !== undefined;
}

function whyWithheld(outcome: PeerOutcome, family: IPFamily): WithheldReason | undefined {
  if (!outcome.opened) return "PeerRefused";
  if (!outcome.peer.families.includes(family)) return "FamilyNotSpoken";
  return outcome.nextHops.get(family) === "none" ? "NoNextHop" : undefined;
}
