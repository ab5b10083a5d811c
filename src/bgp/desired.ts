import type { BGPPeer } from "../api/bgp-peer.ts";
import type { IPPool } from "../api/ippool.ts";
import type { IPFamily, Secret } from "../api/objects.ts";
import { servingNodes } from "../election/candidates.ts";
import { type AnnouncedPool, AnnouncedPools } from "../ipam/announced-pools.ts";
import { Announcing, type Outcome } from "./announcing.ts";
import { type HeldIP, prefixOf } from "./held-ip.ts";
import type { BGPState, ExportPolicy, Peer, RouteAttributes } from "./model.ts";
import type { BGPNode } from "./node.ts";
import { findPeers, type NodePeers, type OpenedPeer, type PeerOutcome } from "./peers.ts";
import { type Audience, additionsFor, numberAudiences } from "./profiles.ts";
import { RouteTable } from "./routes.ts";

/** What is known from the API at one moment; the order of lists does not matter. */
export interface BGPView {
  readonly peers: readonly BGPPeer[];
  /** Of Herald's own namespace, by name. */
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly pools: readonly IPPool[];
  /** By IP, in canonical text. */
  readonly held: ReadonlyMap<string, HeldIP>;
}

/** What is announced of an IP on a node, or why nobody is to: see Outcome for the one node. */
export type IPOutcome = Outcome | { readonly peers: readonly []; readonly reason: NobodyReason };

/** Why no node announces an IP by BGP. */
export type NobodyReason = "NoPool" | "NotAnnounced" | "NoEndpoints";

export interface Desired {
  readonly state: BGPState;
  readonly asns: NodePeers["asns"];
  /** By name of the BGPPeer, sorted; those that select the node. */
  readonly peers: ReadonlyMap<string, PeerOutcome>;
  /** By IP. IPs that are alike share one outcome, the same object. */
  readonly ips: ReadonlyMap<string, IPOutcome>;
}

/** Says what a node's gobgpd shall hold, and why it is that. */
export function desired(self: BGPNode, view: BGPView): Desired {
  const peers = findPeers(self, view.peers, view.secrets);
  const announcing = new Announcing(self, peers);
  const pools = new AnnouncedPools(view.pools);
  const table = new RouteTable();
  const ips = new Map<string, IPOutcome>();
  for (const [ip, held] of view.held) {
    const pool = pools.of(ip, held.assignedPool);
    const serving = servingNodes(held.services);
    if (pool === undefined) ips.set(ip, NO_POOL);
    else if (pool.bgp.length === 0) ips.set(ip, NOT_ANNOUNCED);
    else if (serving === "NoNode") ips.set(ip, NO_ENDPOINTS);
    else {
      const decision = announcing.of(pool, ip.includes(":") ? "IPv6" : "IPv4", serving);
      ips.set(ip, decision);
      for (const { length, group } of decision.announcements) table.add(prefixOf(ip, length, pool), group);
    }
  }
  const { asns } = peers;
  if (peers.global === undefined) return { state: NOTHING, asns, peers: peers.outcomes, ips };
  const opened = [...peers.outcomes].filter((entry): entry is [string, OpenedPeer] => entry[1].opened);
  // Those of all pools, also where no Service has an IP of them yet: the first that has one is a route more, and no policy.
  const usual = pools.all.flatMap((pool) =>
    familiesOf(pool.ranges).flatMap((one) => announcing.announcements(pool, one)),
  );
  const groups = [...usual.map(({ group }) => group), ...table.groups()];
  const audiences = new Map(groups.flatMap(({ audience }) => (audience ? [[audience.key, audience]] : [])));
  const numbers = numberAudiences(audiences.keys());
  const state: BGPState = {
    global: peers.global,
    peers: new Map(opened.map(([, { neighbor, peer }]) => [neighbor, peer])),
    routes: table.routes(numbers),
    exports: exportsOf(opened, audiences, numbers),
    importsNothing: true,
  };
  return { state, asns, peers: withoutIdle(peers.outcomes, pools.all, announcing), ips };
}

/** Leaves out the missing next hops of families that no pool has addresses of for the peer: nobody misses those. */
function withoutIdle(
  outcomes: NodePeers["outcomes"],
  pools: readonly AnnouncedPool[],
  announcing: Announcing,
): NodePeers["outcomes"] {
  const isUsed = (family: IPFamily, peer: string) =>
    pools.some((pool) => familiesOf(pool.ranges).includes(family) && announcing.isFor(pool, family, peer));
  return new Map(
    [...outcomes].map(([name, outcome]) => {
      if (!outcome.opened || outcome.missing.size === 0) return [name, outcome];
      return [name, { ...outcome, missing: new Map([...outcome.missing].filter(([family]) => isUsed(family, name))) }];
    }),
  );
}

const NO_POOL: IPOutcome = { peers: [], reason: "NoPool" };
const NOT_ANNOUNCED: IPOutcome = { peers: [], reason: "NotAnnounced" };
const NO_ENDPOINTS: IPOutcome = { peers: [], reason: "NoEndpoints" };

const NOTHING: BGPState = {
  global: undefined,
  peers: new Map(),
  routes: new Map(),
  exports: { profiles: new Map(), nextHops: new Map(), foreign: false },
  importsNothing: true,
};

function familiesOf(ranges: readonly { readonly family: IPFamily }[]): readonly IPFamily[] {
  return [...new Set(ranges.map(({ family }) => family))];
}

function exportsOf(
  opened: readonly (readonly [string, OpenedPeer])[],
  audiences: ReadonlyMap<string, Audience>,
  numbers: ReadonlyMap<string, number>,
): ExportPolicy {
  const profiles = new Map<number, ReadonlyMap<string, RouteAttributes>>();
  for (const [key, number] of numbers) {
    const audience = audiences.get(key);
    if (audience === undefined) continue;
    const seen = opened.flatMap(([name, { neighbor, peer }]): [string, RouteAttributes][] => {
      const additions = additionsFor(audience, name, isInternal(peer));
      return additions === undefined ? [] : [[neighbor, additions]];
    });
    profiles.set(number, new Map(seen));
  }
  const hops = opened.filter(([, { nextHops }]) => nextHops.size > 0);
  const nextHops = new Map(hops.map(([, { neighbor, nextHops }]) => [neighbor, Object.fromEntries(nextHops)]));
  return { profiles, nextHops, foreign: false };
}

/** Of the own AS: only such a peer sees LOCAL_PREF (RFC 4271 section 5.1.5). */
function isInternal({ peerASN, localASN }: Peer): boolean {
  return peerASN === localASN;
}
