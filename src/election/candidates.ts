import type { Endpoint } from "../api/objects.ts";

/** A node allowed to own an IP; who of them owns it is decided on the segment. */
export interface Candidate {
  readonly node: string;
  /** Soft preference of the pool for this node; higher is better. */
  readonly score: number;
}

/** What the rules look at of a node; `segments` is known from its Speaker object. */
export interface CandidateNode {
  readonly name: string;
  /** Selected by a layer2 entry of the IP's pool. */
  readonly selected: boolean;
  readonly excludedByLabel: boolean;
  readonly networkUnavailable: boolean;
  /** The node has an interface that this pool may use on it. */
  readonly hasInterface: boolean;
  /** Such an interface has a subnet that holds the IP. */
  readonly inSubnet: boolean;
  /** How much the pool prefers it; 0: not at all. */
  readonly score: number;
}

/** One of the Services that hold the IP; more than one where an IP is shared. */
export interface CandidateService {
  readonly externalTrafficPolicy: "Cluster" | "Local";
  readonly endpoints: readonly Endpoint[];
}

/** Why a node is no candidate. NoInterface: none of its interfaces is one that the pool selects there. */
export type ExclusionReason =
  | "NotSelected"
  | "ExcludedByLabel"
  | "NetworkUnavailable"
  | "NoInterface"
  | "NotInSubnet"
  | "NoLocalEndpoint";

/** Why there is no candidate at all. */
export type NoCandidateReason = "NoEndpoints" | "NoNode";

export interface Candidates {
  /** Sorted by node name; empty exactly when `reason` is given. */
  readonly candidates: readonly Candidate[];
  readonly excluded: readonly { readonly node: string; readonly reason: ExclusionReason }[];
  readonly reason?: NoCandidateReason;
}

/** Which nodes can serve an IP: none, each, or these, by name. */
export type Serving = "NoNode" | "EveryNode" | readonly string[];

/** Finds the nodes that can serve: each for a Cluster Service; for Local ones the union of those with a serving endpoint. */
export function servingNodes(services: readonly CandidateService[]): Serving {
  const nodes = new Set<string>();
  for (const { externalTrafficPolicy, endpoints } of services) {
    for (const endpoint of endpoints) {
      if (!endpoint.serving) continue;
      if (externalTrafficPolicy === "Cluster" || endpoint.nodeName === undefined) return "EveryNode";
      nodes.add(endpoint.nodeName);
    }
  }
  return nodes.size === 0 ? "NoNode" : [...nodes].sort();
}

/** Finds the nodes that may own an IP, and says why each other node may not. The same input gives the same answer on every speaker. */
export function findCandidates(nodes: readonly CandidateNode[], serving: Serving): Candidates {
  if (serving === "NoNode") return { candidates: [], excluded: [], reason: "NoEndpoints" };
  const sorted = [...nodes].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const allowed = sorted.filter((node) => exclusion(node) === undefined);
  // A pool of one rack's subnet needs no nodeSelector: where any node is in the IP's subnet, only those are asked.
  const subnetDecides = allowed.some((node) => node.inSubnet);
  const local = serving === "EveryNode" ? serving : new Set(serving);
  const candidates: Candidate[] = [];
  const excluded: { node: string; reason: ExclusionReason }[] = [];
  for (const node of sorted) {
    const reason = exclusion(node) ?? softExclusion(node, subnetDecides, local);
    if (reason === undefined) candidates.push({ node: node.name, score: node.score });
    else excluded.push({ node: node.name, reason });
  }
  return candidates.length > 0 ? { candidates, excluded } : { candidates, excluded, reason: "NoNode" };
}

function exclusion(node: CandidateNode): ExclusionReason | undefined {
  if (!node.selected) return "NotSelected";
  if (node.excludedByLabel) return "ExcludedByLabel";
  if (node.networkUnavailable) return "NetworkUnavailable";
  if (!node.hasInterface) return "NoInterface";
  return undefined;
}

function softExclusion(
  node: CandidateNode,
  subnetDecides: boolean,
  local: ReadonlySet<string> | "EveryNode",
): ExclusionReason | undefined {
  if (subnetDecides && !node.inSubnet) return "NotInSubnet";
  if (local !== "EveryNode" && !local.has(node.name)) return "NoLocalEndpoint";
  return undefined;
}
