import type { Node } from "../api/objects.ts";

/** What is looked at of a node: from its own eyes, or from its Node and Speaker objects. */
export interface BGPNode {
  readonly node: Pick<Node, "meta" | "networkUnavailable" | "internalIPs">;
  readonly interfaces: readonly BGPInterface[];
  /** Its routes are about to go: they are announced so that routers prefer others. */
  readonly draining: boolean;
  /** Why it announces nothing, besides what its Node object says; its sessions stay open. */
  readonly withdrawn: "NotForwarding" | "Evacuated" | undefined;
}

export interface BGPInterface {
  readonly name: string;
  /** Its addresses with prefix lengths; link-local ones left out. */
  readonly addresses: readonly string[];
  readonly defaultRoute: boolean;
}
