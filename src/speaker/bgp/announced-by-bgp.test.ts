import { expect, test } from "vitest";
import { heldOn, nodeOf, peerOf, poolOf } from "../../../test/unit/bgp-world.ts";
import type { BGPPeerSpec } from "../../api/bgp-peer.ts";
import { EXCLUDE_NODE_LABEL } from "../../api/names.ts";
import type { Speaker, SpeakerStatus } from "../../api/speaker.ts";
import { announcedByBGP, type BGPWorld } from "./announced-by-bgp.ts";

const IP = "198.51.100.1";
const NODES = ["n1", "n2", "n3"];

interface Given extends Partial<Omit<BGPWorld, "speakers" | "held">> {
  /** By node, the peers with which its sessions are up. */
  readonly up?: Readonly<Record<string, readonly string[]>>;
  readonly bgp?: Partial<NonNullable<SpeakerStatus["bgp"]>>;
  readonly subnets?: readonly string[];
  readonly serving?: readonly string[];
  readonly policy?: "Cluster" | "Local";
}

const wholeNode = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  ...nodeOf(name, { labels }).node,
  unschedulable: false,
});
const everywhere = { n1: ["a", "b"], n2: ["a", "b"], n3: ["a", "b"] };
const peers = (spec: Partial<BGPPeerSpec> = {}) => [
  peerOf("a", spec),
  peerOf("b", { peerAddress: "192.0.2.2", ...spec }),
];

function said(given: Given): ReturnType<ReturnType<typeof announcedByBGP>> {
  const { up = everywhere, bgp, subnets = ["192.0.2.11/24"], serving = ["n1"], policy = "Cluster", ...world } = given;
  const speakers = NODES.map((name) => ({
    meta: nodeOf(name).node.meta,
    status: {
      interfaces: [{ name: "eth0", mac: "", subnets, defaultRoute: true }],
      bgp: { ...bgp, peers: (up[name as "n1"] ?? []).map((peer) => ({ name: peer, state: "Established" })) },
    },
  })) as unknown as readonly Speaker[];
  const tell = announcedByBGP({
    nodes: NODES.map((name) => wholeNode(name)),
    peers: peers(),
    secrets: [],
    pools: [poolOf("p", ["198.51.100.0/24"])],
    presence: () => "Speaking",
    ...world,
    speakers,
    held: new Map([[IP, heldOn(serving, policy)]]),
  });
  return tell(IP);
}

const excluded = NODES.map((name) => wholeNode(name, { [EXCLUDE_NODE_LABEL]: "" }));

test.each<{ name: string; given: Given; want: readonly [string, boolean, string] }>([
  { name: "from all", given: {}, want: ["BGP", true, "advertised from 3 nodes to a, b"] },
  {
    name: "where it is served",
    given: { policy: "Local", serving: ["n2"] },
    want: ["BGP", true, "advertised from node n2 to a, b"],
  },
  {
    name: "from some",
    given: { up: { n1: ["a"], n2: [] } },
    want: ["BGP", false, "advertised from node n1 to a, without a session on n2, n3"],
  },
  {
    name: "not from the dead",
    given: { presence: (node) => (node === "n3" ? "Dead" : "Speaking") },
    want: ["BGP", false, "advertised from 2 nodes to a, b, without a session on n3"],
  },
  {
    name: "over sessions whose password can't be read now",
    given: {
      peers: peers({ passwordSecretRef: { name: "s", key: "k" } }),
      secretsUnread: "Secrets of namespace herald can't be read",
      up: { n1: ["a", "b"], n2: ["a", "b"] },
    },
    want: ["BGP", false, "advertised from 2 nodes to a, b, without a session on n3"],
  },
  {
    name: "from those whose speaker is away",
    given: { presence: (node) => (node === "n3" ? "Away" : "Speaking") },
    want: ["BGP", true, "advertised from 3 nodes to a, b"],
  },
  {
    name: "from nobody without a session",
    given: { up: {} },
    want: ["NoBGPSession", false, "by nobody: no session is established on n1, n2, n3; their Speaker objects say why"],
  },
  {
    name: "to nobody without a BGPPeer",
    given: { peers: [] },
    want: ["NoBGPPeer", true, "by nobody: no BGPPeer can be told: n1 (NoBGPPeer), n2 (NoBGPPeer), n3 (NoBGPPeer)"],
  },
  {
    name: "from nobody without an address",
    given: { peers: [peerOf("a", { peerAddress: "2001:db8::1" })], subnets: ["2001:db8::11/64"] },
    want: [
      "NoNextHop",
      true,
      "by nobody: no node has a next hop for it: n1 (NoNextHop), n2 (NoNextHop), n3 (NoNextHop)",
    ],
  },
  {
    name: "from nobody that is excluded",
    given: { nodes: excluded },
    want: [
      "NoCandidate",
      true,
      "by nobody: no node may: n1 (ExcludedByLabel), n2 (ExcludedByLabel), n3 (ExcludedByLabel)",
    ],
  },
  {
    name: "from nobody that withdrew",
    given: { bgp: { withdrawn: "Evacuated" } },
    want: ["NoCandidate", true, "by nobody: no node may: n1 (Evacuated), n2 (Evacuated), n3 (Evacuated)"],
  },
  {
    name: "from nobody where nothing serves",
    given: { serving: [] },
    want: ["NoEndpoints", true, "by nobody: no endpoint of the Service serves"],
  },
])("an IP is advertised $name", ({ given, want: [reason, settled, text] }) => {
  expect(said(given)).toEqual({ reason, settled, text, announced: reason === "BGP" });
});

test("of a pool without a bgp entry there is nothing to say", () => {
  expect(said({ pools: [poolOf("p", ["198.51.100.0/24"], [])] })).toBeUndefined();
});
