import { isDeepStrictEqual } from "node:util";
import type { IPFamily } from "../api/objects.ts";
import { type AnnouncedPool, AnnouncedPools } from "../ipam/announced-pools.ts";
import { type Announcement, Announcing, type Decision } from "./announcing.ts";
import type { BGPView } from "./desired.ts";
import type { HeldIP } from "./held-ip.ts";
import type { BGPNode } from "./node.ts";
import { findPeers, type NodePeers } from "./peers.ts";

/** Why no node announces an IP by BGP. */
export type NobodyReason = "NoPool" | "NotAnnounced" | "NoEndpoints";

export interface Nobody {
  readonly peers: readonly [];
  readonly reason: NobodyReason;
  readonly announcements: readonly [];
}

/** What decides on the IPs of a node, whatever they are: the node, its peers and the pools. */
export class Ground {
  readonly peers: NodePeers;
  readonly pools: AnnouncedPools;
  readonly announcing: Announcing;
  readonly #madeOf: unknown;

  constructor(self: BGPNode, view: Omit<BGPView, "held">) {
    this.peers = findPeers(self, view.peers, view.secrets);
    this.pools = new AnnouncedPools(view.pools);
    this.announcing = new Announcing(self, this.peers);
    this.#madeOf = whatMatters(self, view);
  }

  /** Tells whether one that is made of these decides the same. */
  isOf(self: BGPNode, view: Omit<BGPView, "held">): boolean {
    return isDeepStrictEqual(this.#madeOf, whatMatters(self, view));
  }

  /** Decides on an IP, in canonical text. IPs that are alike share one decision, the same object. */
  of(ip: string, { assignedPool, serving }: HeldIP): Decision | Nobody {
    const pool = this.pools.of(ip, assignedPool);
    if (pool === undefined) return NO_POOL;
    if (pool.bgp.length === 0) return NOT_ANNOUNCED;
    if (serving === "NoNode") return NO_ENDPOINTS;
    return this.announcing.of(pool, ip.includes(":") ? "IPv6" : "IPv4", serving);
  }

  /** Gives what stands for the IPs of all pools, also where no Service has one yet. */
  usual(): readonly Announcement[] {
    return this.pools.all.flatMap((pool) =>
      familiesOf(pool).flatMap((family) => this.announcing.announcements(pool, family)),
    );
  }

  /** Tells whether a pool has addresses of a family that are for a peer. */
  isUsed(family: IPFamily, peer: string): boolean {
    return this.pools.all.some(
      (pool) => familiesOf(pool).includes(family) && this.announcing.isFor(pool, family, peer),
    );
  }
}

const NO_POOL: Nobody = { peers: [], reason: "NoPool", announcements: [] };
const NOT_ANNOUNCED: Nobody = { peers: [], reason: "NotAnnounced", announcements: [] };
const NO_ENDPOINTS: Nobody = { peers: [], reason: "NoEndpoints", announcements: [] };

/** What a pool counts changes all the time, and nothing here. */
function whatMatters(self: BGPNode, { peers, secrets, pools }: Omit<BGPView, "held">): unknown {
  return [self, peers, secrets, pools.map(({ meta, spec }) => [meta.name, spec])];
}

function familiesOf({ ranges }: AnnouncedPool): readonly IPFamily[] {
  return [...new Set(ranges.map(({ family }) => family))];
}
