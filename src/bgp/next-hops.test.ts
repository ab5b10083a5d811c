import { expect, test } from "vitest";
import { nodeOf, peerOf } from "../../test/unit/bgp-world.ts";
import type { BGPPeerSpec } from "../api/bgp-peer.ts";
import type { BGPInterface } from "./node.ts";
import { findPeers } from "./peers.ts";

const ETH0 = { name: "eth0", addresses: ["192.0.2.11/24", "2001:db8::11/64"], defaultRoute: true };
const ETH1 = { name: "eth1", addresses: ["198.51.100.11/24", "2001:db8:1::11/64"], defaultRoute: false };
const IPV4_ONLY = { name: "eth1", addresses: ["198.51.100.11/24"], defaultRoute: false };

/** What is said of next hops on the session that a BGPPeer describes. */
function found(spec: Partial<BGPPeerSpec>, interfaces: readonly BGPInterface[], internalIPs = ["192.0.2.11"]) {
  const outcome = findPeers(nodeOf("n1", { interfaces, internalIPs }), [peerOf("a", spec)], new Map()).outcomes.get(
    "a",
  );
  if (!outcome?.opened) throw new Error("refused");
  return { hops: Object.fromEntries(outcome.nextHops), missing: Object.fromEntries(outcome.missing) };
}

test.each([
  {
    name: "on the interface beside the peer",
    spec: { peerAddress: "198.51.100.1" },
    interfaces: [ETH0, ETH1],
    want: { IPv6: "2001:db8:1::11" },
  },
  {
    name: "for IPv4 over an IPv6 session",
    spec: { peerAddress: "2001:db8:1::1" },
    interfaces: [ETH0, ETH1],
    want: { IPv4: "198.51.100.11" },
  },
  {
    name: "on the default route's interface where none is beside it",
    spec: { peerAddress: "203.0.113.1" },
    interfaces: [ETH1, ETH0],
    want: { IPv6: "2001:db8::11" },
  },
  {
    name: "on bindInterface before all others",
    spec: { peerAddress: "192.0.2.1", bindInterface: "eth1" },
    interfaces: [ETH0, ETH1],
    want: { IPv6: "2001:db8:1::11" },
  },
  {
    name: "on the interface of sourceAddress before the peer's",
    spec: { peerAddress: "192.0.2.1", sourceAddress: "198.51.100.11" },
    interfaces: [ETH0, ETH1],
    want: { IPv6: "2001:db8:1::11" },
  },
  {
    name: "on the peer's where bindInterface is a VRF",
    spec: { peerAddress: "198.51.100.1", bindInterface: "vrf-red" },
    interfaces: [ETH0, ETH1],
    want: { IPv6: "2001:db8:1::11" },
  },
  {
    name: "not needed for the family of the session",
    spec: { peerAddress: "192.0.2.1", addressFamilies: ["ipv4" as const] },
    interfaces: [IPV4_ONLY],
    want: {},
  },
  { name: "not needed for an unnumbered peer", spec: { peerInterface: "eth1" }, interfaces: [IPV4_ONLY], want: {} },
])("the next hop is $name", ({ spec, interfaces, want }) => {
  expect(found(spec, interfaces)).toEqual({ hops: want, missing: {} });
});

test("of several addresses the next hop is that by which the cluster knows the node", () => {
  const eth0 = { ...ETH0, addresses: ["192.0.2.11/24", "2001:db8::1:5/64", "2001:db8::11/64"] };
  expect(found({}, [eth0], ["192.0.2.11", "2001:DB8:0::11"]).hops).toEqual({ IPv6: "2001:db8::11" });
  expect(found({}, [eth0]).hops).toEqual({ IPv6: "2001:db8::1:5" });
});

test.each([
  {
    name: "the interface has none",
    peerAddress: "198.51.100.1",
    interfaces: [ETH0, IPV4_ONLY],
    want: "eth1 has no IPv6 address besides link-local ones",
  },
  {
    name: "none leads there",
    peerAddress: "192.0.2.1",
    interfaces: [IPV4_ONLY],
    want: "no interface leads to 192.0.2.1: none has an address beside it or the default route",
  },
])("there is no next hop where $name, and it says so", ({ peerAddress, interfaces, want }) => {
  expect(found({ peerAddress }, interfaces)).toEqual({ hops: { IPv6: "none" }, missing: { IPv6: want } });
});
