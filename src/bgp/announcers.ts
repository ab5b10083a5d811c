import type { Serving } from "../election/candidates.ts";
import { AnnouncedPools } from "../ipam/announced-pools.ts";
import { Announcing, type Outcome } from "./announcing.ts";
import type { BGPView } from "./desired.ts";
import type { NobodyReason } from "./ground.ts";
import type { HeldIP } from "./held-ip.ts";
import type { BGPNode } from "./node.ts";
import { findPeers } from "./peers.ts";

/** What each node does with an IP, or why none is asked to. */
export type IPAnnouncers =
  | { readonly what: NobodyReason }
  | { readonly what: "Announced"; readonly nodes: readonly NodeOutcome[] };

export interface NodeOutcome {
  readonly node: string;
  readonly outcome: Outcome;
}

/**
 * Knows for all nodes what `desired` decides for each: which of them announce an IP and to which peers, and why the
 * others don't. It says what shall be; whether sessions are up is in the nodes' own status.
 */
export class Announcers {
  readonly #pools: AnnouncedPools;
  readonly #nodes: readonly (readonly [string, Announcing])[];
  /** By pool and family, of what every node can serve: of all but Local Services. */
  readonly #everywhere = new Map<string, IPAnnouncers>();

  constructor(nodes: readonly BGPNode[], { peers, secrets, pools }: Omit<BGPView, "held">) {
    this.#pools = new AnnouncedPools(pools);
    this.#nodes = nodes
      .map((node) => [node.node.meta.name, new Announcing(node, findPeers(node, peers, secrets))] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Tells of an IP, in canonical text; the nodes are sorted by name. */
  of(ip: string, { serving, assignedPool }: HeldIP): IPAnnouncers {
    const pool = this.#pools.of(ip, assignedPool);
    if (pool === undefined) return NO_POOL;
    if (pool.bgp.length === 0) return NOT_ANNOUNCED;
    if (serving === "NoNode") return NO_ENDPOINTS;
    const family = ip.includes(":") ? "IPv6" : "IPv4";
    const tell = (where: Exclude<Serving, "NoNode">): IPAnnouncers => ({
      what: "Announced",
      nodes: this.#nodes.map(([node, announcing]) => ({ node, outcome: announcing.of(pool, family, where) })),
    });
    if (serving !== "EveryNode") return tell(serving);
    const key = `${pool.name} ${family}`;
    const known = this.#everywhere.get(key) ?? tell(serving);
    this.#everywhere.set(key, known);
    return known;
  }
}

const NO_POOL: IPAnnouncers = { what: "NoPool" };
const NOT_ANNOUNCED: IPAnnouncers = { what: "NotAnnounced" };
const NO_ENDPOINTS: IPAnnouncers = { what: "NoEndpoints" };
