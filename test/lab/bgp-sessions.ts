import type { ApiObject } from "./api.ts";
import type { Lab } from "./lab.ts";
import { NODE_NAMES, type NodeName } from "./plan.ts";

/** Waits until each of these nodes' speakers says that so many sessions are established, and no other is wanted. */
export async function sessionsUp(
  lab: Lab,
  count: number,
  nodes: readonly NodeName[] = NODE_NAMES,
  timeoutMs = 30_000,
): Promise<void> {
  await Promise.all(
    nodes.map((node) =>
      untilSpeaker(
        lab,
        node,
        `${count} sessions of ${node} are up`,
        (bgp) => bgp?.sessions === `${count}/${count}`,
        timeoutMs,
      ),
    ),
  );
}

/** Waits until the BFD of these nodes' sessions is up; of those whose BGPPeer has none, that it is off. */
export async function bfdUp(lab: Lab, nodes: readonly NodeName[] = NODE_NAMES): Promise<void> {
  const { items } = await lab.api.get("/apis/heraldlb.io/v1alpha1/bgppeers");
  const withBFD = new Set(
    items.filter(({ spec }: ApiObject) => spec.bfd !== undefined).map(({ metadata }: ApiObject) => metadata.name),
  );
  const asWanted = ({ name, bfd }: ApiObject) => bfd === (withBFD.has(name) ? "Up" : undefined);
  const all = (bgp: ApiObject | undefined) => bgp?.peers.every(asWanted) === true;
  await Promise.all(nodes.map((node) => untilSpeaker(lab, node, `BFD of ${node} is up`, all, 30_000)));
}

/** Waits until what a node's speaker says of BGP is as `accept` wants it, and gives it. */
export async function untilSpeaker(
  lab: Lab,
  node: NodeName,
  what: string,
  accept: (bgp: ApiObject | undefined, conditions: readonly ApiObject[]) => boolean,
  timeoutMs?: number,
): Promise<ApiObject> {
  const found = await lab.until(
    `/apis/heraldlb.io/v1alpha1/speakers/${node}`,
    what,
    (speaker) => accept(speaker?.status?.bgp, speaker?.status?.conditions ?? []),
    timeoutMs,
  );
  return found.status;
}
