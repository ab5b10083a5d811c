import type { BGPPeer } from "../../api/bgp-peer.ts";
import type { IPPool } from "../../api/ippool.ts";
import type { Node, Secret } from "../../api/objects.ts";
import type { ANNOUNCED_REASONS } from "../../api/reasons.ts";
import type { Speaker } from "../../api/speaker.ts";
import { Announcers, type IPAnnouncers, type NodeOutcome } from "../../bgp/announcers.ts";
import type { HeldIP } from "../../bgp/held-ip.ts";
import type { BGPNode } from "../../bgp/node.ts";
import { secretsOf } from "../../bgp/peers.ts";
import type { Presence } from "../presence.ts";

/** What is to be said of an IP as far as BGP goes. */
export interface AnnouncedByBGP {
  readonly reason: (typeof ANNOUNCED_REASONS)[number];
  readonly announced: boolean;
  /** Goes on after "192.0.2.10 ". */
  readonly text: string;
  /** False: it may be over in a moment, as while sessions come up. */
  readonly settled: boolean;
}

/** What BGP goes by in a cluster. */
export interface BGPWorld {
  readonly nodes: readonly Node[];
  readonly speakers: readonly Speaker[];
  readonly peers: readonly BGPPeer[];
  readonly secrets: readonly Secret[];
  /** Why the Secrets could not be read yet, in words; undefined: they were. */
  readonly secretsUnread?: string | undefined;
  readonly pools: readonly IPPool[];
  readonly held: ReadonlyMap<string, HeldIP>;
  /** What a node's speaker can do; where it is dead, its sessions are not what it said last. */
  readonly presence: (node: string) => Presence;
}

/** Of nodes and peers, so many are named. */
const NAMED = 5;

/**
 * Gives what tells of each IP by how many nodes it is advertised and to whom; undefined: its pool has no bgp entry. What
 * nobody asks for is not computed.
 */
export function announcedByBGP(world: BGPWorld): (ip: string) => AnnouncedByBGP | undefined {
  let announcers: Announcers | undefined;
  let established: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  const told = new WeakMap<IPAnnouncers, AnnouncedByBGP | undefined>();
  return (ip) => {
    const held = world.held.get(ip);
    if (held === undefined) return undefined;
    announcers ??= announcersOf(world);
    established ??= establishedOf(world);
    const outcome = announcers.of(ip, held);
    const known = told.has(outcome) ? told.get(outcome) : partOf(outcome, established);
    told.set(outcome, known);
    return known;
  };
}

function announcersOf({ nodes, speakers, ...view }: BGPWorld): Announcers {
  const statuses = new Map(speakers.map(({ meta, status }) => [meta.name, status]));
  const all = nodes.map((node): BGPNode => {
    const { interfaces = [], bgp } = statuses.get(node.meta.name) ?? {};
    return {
      node,
      interfaces: interfaces.map(({ name, subnets, defaultRoute = false }) => ({
        name,
        addresses: subnets,
        defaultRoute,
      })),
      draining: false, // it announces until it is drained
      withdrawn: bgp?.withdrawn,
    };
  });
  const secrets = secretsOf(view.secrets, view.secretsUnread);
  return new Announcers(all, { peers: view.peers, pools: view.pools, secrets });
}

/** The BGPPeers with which each node's sessions are up. */
function establishedOf({ speakers, presence }: BGPWorld): ReadonlyMap<string, ReadonlySet<string>> {
  const alive = speakers.filter(({ meta }) => presence(meta.name) !== "Dead");
  return new Map(
    alive.map(({ meta, status }) => {
      const up = (status.bgp?.peers ?? []).filter(({ state }) => state === "Established");
      return [meta.name, new Set(up.map(({ name }) => name))];
    }),
  );
}

function partOf(
  outcome: IPAnnouncers,
  established: ReadonlyMap<string, ReadonlySet<string>>,
): AnnouncedByBGP | undefined {
  if (outcome.what === "NoEndpoints") return nobody("NoEndpoints", "no endpoint of the Service serves");
  if (outcome.what !== "Announced") return undefined;
  const asked = outcome.nodes.filter(({ outcome }) => outcome.peers.length > 0);
  const told = asked.map(({ node, outcome }) => ({
    node,
    peers: outcome.peers.filter((peer) => established.get(node)?.has(peer)),
    whole: outcome.peers.every((peer) => established.get(node)?.has(peer)),
  }));
  const by = told.filter(({ peers }) => peers.length > 0);
  if (by.length > 0) {
    const peers = [...new Set(by.flatMap(({ peers }) => peers))].sort();
    const nodes = by.length === 1 ? `node ${by[0]?.node}` : `${by.length} nodes`;
    const silent = told.filter(({ peers }) => peers.length === 0).map(({ node }) => node);
    const but = silent.length === 0 ? "" : `, without a session on ${some(silent)}`;
    const text = `advertised from ${nodes} to ${some(peers)}${but}`;
    return { reason: "BGP", announced: true, text, settled: told.every(({ whole }) => whole) };
  }
  if (asked.length > 0) {
    const where = some(asked.map(({ node }) => node));
    return nobody("NoBGPSession", `no session is established on ${where}; their Speaker objects say why`, false);
  }
  return nobodyMay(outcome.nodes);
}

/** Says why no node may: where some lack a peer alone, that is what is missing. */
function nobodyMay(nodes: readonly NodeOutcome[]): AnnouncedByBGP {
  const reasons = nodes.map(({ node, outcome }) => ({ node, reason: outcome.reason ?? "NotSelected" }));
  const listed = some(reasons.map(({ node, reason }) => `${node} (${reason})`));
  const has = (reason: string) => reasons.some((one) => one.reason === reason);
  if (has("NoNextHop")) return nobody("NoNextHop", `no node has a next hop for it: ${listed}`);
  if (has("PeerRefused") || has("FamilyNotSpoken") || has("NoBGPPeer"))
    return nobody("NoBGPPeer", `no BGPPeer can be told: ${listed}`);
  return nobody("NoCandidate", `no node may: ${listed || "there is none"}`);
}

function nobody(reason: AnnouncedByBGP["reason"], why: string, settled = true): AnnouncedByBGP {
  return { reason, announced: false, text: `by nobody: ${why}`, settled };
}

function some(names: readonly string[]): string {
  const more = names.length - NAMED;
  const named = names.slice(0, NAMED).join(", ");
  return more > 0 ? `${named} and ${more} more` : named;
}
