import { type LabelSelector, matchesSelector } from "../api/label-selector.ts";
import { EXCLUDE_NODE_LABEL } from "../api/names.ts";
import type { Node } from "../api/objects.ts";
import { type CandidateNode, type CandidateService, type Candidates, findCandidates } from "../election/candidates.ts";
import type { IP } from "../ipam/addresses.ts";
import { chooseInterfaces, type NodeInterface } from "./choose-interfaces.ts";

/** A layer2 entry of a pool's `announce`. */
export interface Layer2Entry {
  readonly interfaces?: readonly string[];
  readonly nodeSelector?: LabelSelector;
}

/** What decides where one IP is announced. */
export interface IntentInput {
  readonly ip: IP;
  /** The Services that hold it. */
  readonly services: readonly CandidateService[];
  /** The layer2 entries of its pool. */
  readonly entries: readonly Layer2Entry[];
  readonly nodes: readonly Node[];
  /** By node name. From the Speaker objects, this node's too: so all speakers compute the same. */
  readonly interfaces: ReadonlyMap<string, readonly NodeInterface[]>;
}

/** By whom an IP may be announced, and on which interfaces of this node (none where this node is not selected). */
export interface Intent extends Candidates {
  readonly interfaces: readonly string[];
}

/** Computes the candidates of an IP, and this node's interfaces for it. */
export function intentFor(self: string, input: IntentInput): Intent {
  let own: readonly string[] = [];
  const nodes = input.nodes.map((node): CandidateNode => {
    const { name, labels } = node.meta;
    const selecting = input.entries.filter((entry) => matchesSelector(entry.nodeSelector, labels));
    const available = input.interfaces.get(name) ?? [];
    const choices = selecting.map((entry) => chooseInterfaces(entry.interfaces, available, input.ip));
    const names = [...new Set(choices.flatMap((choice) => choice.names))].sort();
    if (name === self) own = names;
    return {
      name,
      selected: selecting.length > 0,
      excludedByLabel: labels[EXCLUDE_NODE_LABEL] !== undefined,
      networkUnavailable: node.networkUnavailable,
      hasInterface: names.length > 0,
      inSubnet: choices.some((choice) => choice.inSubnet),
    };
  });
  return { ...findCandidates(nodes, input.services), interfaces: own };
}
