import type { Layer2Announce } from "../api/announce.ts";
import { matchesSelector } from "../api/label-selector.ts";
import { EXCLUDE_NODE_LABEL } from "../api/names.ts";
import type { Node } from "../api/objects.ts";
import { type CandidateNode, type Candidates, findCandidates, type Serving } from "../election/candidates.ts";
import type { IP } from "../ipam/addresses.ts";
import type { AnnouncedPool } from "../ipam/announced-pools.ts";
import { containsIP, type Range } from "../ipam/ranges.ts";
import { chooseInterfaces, type NodeInterface } from "./choose-interfaces.ts";

/** How a pool announces; `name` tells it from the others. */
export type AnnouncingPool = Pick<AnnouncedPool, "name" | "layer2">;

/** By whom an IP may be announced, and on which interfaces of this node. */
export interface Intent extends Candidates {
  readonly interfaces: readonly string[];
  /** An entry selects this node; else `interfaces` are those on which it would hand the IP over if it still had it. */
  readonly selected: boolean;
}

/**
 * Computes intents. Of an IP nothing matters but its pool, the subnets that hold it and the nodes that can serve it, so
 * IPs that are alike in these share one intent, the same object: with 10 000 IPs there are few.
 */
export class Intents {
  readonly #self: string;
  readonly #nodes: readonly Node[];
  readonly #interfaces: ReadonlyMap<string, readonly NodeInterface[]>;
  readonly #subnets: readonly Range[];
  readonly #known = new Map<string, Intent>();

  /** `interfaces` are by node name; from the Speaker objects, this node's too: so all speakers compute the same. */
  constructor(self: string, nodes: readonly Node[], interfaces: ReadonlyMap<string, readonly NodeInterface[]>) {
    this.#self = self;
    this.#nodes = nodes;
    this.#interfaces = interfaces;
    const all = [...interfaces.values()].flatMap((some) => some.flatMap(({ subnets }) => subnets));
    this.#subnets = [
      ...new Map(all.map((subnet) => [`${subnet.family} ${subnet.first}-${subnet.last}`, subnet])).values(),
    ];
  }

  /** Gives the intent of an IP. */
  of(ip: IP, pool: AnnouncingPool, serving: Serving): Intent {
    const holding = this.#subnets.flatMap((subnet, index) => (containsIP(subnet, ip) ? [index] : []));
    const key = `${pool.name} ${holding.join()} ${typeof serving === "string" ? serving : `on ${serving.join()}`}`;
    const known = this.#known.get(key) ?? this.#compute(ip, pool, serving);
    this.#known.set(key, known);
    return known;
  }

  #compute(ip: IP, pool: AnnouncingPool, serving: Serving): Intent {
    const namesOf = (entries: readonly Layer2Announce[], available: readonly NodeInterface[]) => {
      const choices = entries.map((entry) => chooseInterfaces(entry.interfaces, available, ip));
      const names = [...new Set(choices.flatMap((choice) => choice.names))].sort();
      return { names, inSubnet: choices.some((choice) => choice.inSubnet) };
    };
    let own = { interfaces: namesOf(pool.layer2, this.#interfaces.get(this.#self) ?? []).names, selected: false };
    const nodes = this.#nodes.map((node): CandidateNode => {
      const { name, labels } = node.meta;
      const selecting = pool.layer2.filter((entry) => matchesSelector(entry.nodeSelector, labels));
      const { names, inSubnet } = namesOf(selecting, this.#interfaces.get(name) ?? []);
      if (name === this.#self && selecting.length > 0) own = { interfaces: names, selected: true };
      return {
        name,
        selected: selecting.length > 0,
        excludedByLabel: labels[EXCLUDE_NODE_LABEL] !== undefined,
        networkUnavailable: node.networkUnavailable,
        hasInterface: names.length > 0,
        inSubnet,
        score: selecting.reduce((sum, entry) => sum + preference(entry, labels), 0),
      };
    });
    return { ...findCandidates(nodes, serving), ...own };
  }
}

/** Adds up the weights of the preferences that a node's labels fit. */
function preference({ preferredNodes = [] }: Layer2Announce, labels: Readonly<Record<string, string>>): number {
  return preferredNodes.reduce(
    (sum, { weight, selector }) => (matchesSelector(selector, labels) ? sum + weight : sum),
    0,
  );
}
