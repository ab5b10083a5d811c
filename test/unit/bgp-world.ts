import type { BGPAnnounce } from "../../src/api/announce.ts";
import type { BGPPeer, BGPPeerSpec } from "../../src/api/bgp-peer.ts";
import type { IPPool, IPPoolSpec } from "../../src/api/ippool.ts";
import type { Endpoint, Meta, Secret } from "../../src/api/objects.ts";
import type { Session } from "../../src/bgp/daemon.ts";
import type { HeldIP } from "../../src/bgp/held-ip.ts";
import type { Peer } from "../../src/bgp/model.ts";
import type { BGPInterface, BGPNode } from "../../src/bgp/node.ts";
import { servingNodes } from "../../src/election/candidates.ts";

/** Objects for tests of BGP: each with what is usual, but for what a test gives. */

export function metaOf(name: string, labels: Readonly<Record<string, string>> = {}): Meta {
  return {
    namespace: "",
    name,
    uid: name,
    resourceVersion: "1",
    createdAt: 0,
    deleting: false,
    labels,
    annotations: {},
    finalizers: [],
  };
}

export interface NodeDetails extends Partial<Omit<BGPNode, "node">> {
  readonly labels?: Readonly<Record<string, string>>;
  readonly networkUnavailable?: boolean;
  readonly internalIPs?: readonly string[];
}

export const ETH0: BGPInterface = {
  name: "eth0",
  addresses: ["192.0.2.11/24", "2001:db8::11/64"],
  defaultRoute: true,
};

export function nodeOf(name: string, details: NodeDetails = {}): BGPNode {
  const { labels = {}, networkUnavailable = false, internalIPs = ["192.0.2.11"], ...rest } = details;
  const node = { meta: metaOf(name, labels), networkUnavailable, internalIPs };
  return { node, interfaces: [ETH0], draining: false, withdrawn: undefined, ...rest };
}

export function peerOf(name: string, spec: Partial<BGPPeerSpec> = {}): BGPPeer {
  const usual: BGPPeerSpec = {
    myASN: 65000,
    peerASN: 65001,
    ...(spec.peerInterface === undefined && { peerAddress: "192.0.2.1" }),
    peerPort: 179,
    passive: false,
    holdTime: "9s",
    connectRetryTime: "5s",
    addressFamilies: ["ipv4", "ipv6"],
  };
  return { meta: metaOf(name), generation: 1, spec: { ...usual, ...spec } };
}

/** The session that such a BGPPeer wants. */
export function wantedPeer(more: Partial<Peer> = {}): Peer {
  return {
    neighbor: "192.0.2.1",
    unnumbered: false,
    peerASN: 65001,
    localASN: 65000,
    port: 179,
    localAddress: undefined,
    bindInterface: undefined,
    passive: false,
    multihopTTL: undefined,
    password: undefined,
    holdTime: 9,
    keepaliveTime: 3,
    connectRetryTime: 5,
    gracefulRestart: undefined,
    bfd: undefined,
    families: ["IPv4", "IPv6"],
    ...more,
  };
}

/** A session on which nothing has happened yet. */
export function sessionOf(more: Partial<Session> = {}): Session {
  return {
    neighbor: "192.0.2.1",
    state: "Active",
    establishedAtMs: undefined,
    holdTime: undefined,
    keepaliveTime: undefined,
    peerRouterID: undefined,
    advertised: 0,
    accepted: 0,
    flaps: 0,
    opensReceived: 0,
    notificationsSent: 0,
    notificationsReceived: 0,
    updatesSent: 0,
    updatesReceived: 0,
    bfd: undefined,
    ...more,
  };
}

export function secretOf(name: string, values: Readonly<Record<string, string>>): Secret {
  return { meta: metaOf(name), value: (key) => values[key] };
}

export function entryOf(entry: Partial<BGPAnnounce> = {}): BGPAnnounce {
  return { aggregationLength: 32, aggregationLengthV6: 128, ...entry };
}

export function poolOf(name: string, addresses: string[], entries: readonly Partial<BGPAnnounce>[] = [{}]): IPPool {
  const spec: IPPoolSpec = {
    addresses,
    exclude: [],
    autoAssign: true,
    avoidBuggyIPs: false,
    disabled: false,
    priority: 0,
    announce: entries.map((entry) => ({ bgp: entryOf(entry) })),
  };
  return { meta: metaOf(name), generation: 1, spec, status: {} };
}

/** An IP of one Service with serving endpoints on these nodes. */
export function heldOn(nodes: readonly string[], policy: "Cluster" | "Local" = "Cluster", pool = "p"): HeldIP {
  const endpoints = nodes.map((nodeName): Endpoint => ({ nodeName, serving: true }));
  return { serving: servingNodes([{ externalTrafficPolicy: policy, endpoints }]), assignedPool: pool };
}
