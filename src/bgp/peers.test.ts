import { expect, test } from "vitest";
import { nodeOf, peerOf, secretOf } from "../../test/unit/bgp-world.ts";
import type { BGPPeer } from "../api/bgp-peer.ts";
import type { Secret } from "../api/objects.ts";
import { findPeers } from "./peers.ts";

const find = (peers: readonly BGPPeer[], secrets: readonly Secret[] = [], node = nodeOf("n1")) =>
  findPeers(node, peers, new Map(secrets.map((secret) => [secret.meta.name, secret])));

/** Why a BGPPeer is refused; undefined: it is not. */
function refusal(name: string, peers: readonly BGPPeer[], secrets: readonly Secret[] = []) {
  const outcome = find(peers, secrets).outcomes.get(name);
  return outcome?.opened === false ? { reason: outcome.reason, message: outcome.message } : undefined;
}

test("a session is opened as its BGPPeer says", () => {
  const peer = peerOf("a", {
    peerAddress: "2001:DB8::0:1",
    peerASN: 64512,
    peerPort: 1179,
    sourceAddress: "2001:DB8::11",
    bindInterface: "eth0",
    holdTime: "1m30s",
    keepaliveTime: "20s",
    connectRetryTime: "10s",
    ebgpMultihop: { ttl: 4 },
    passwordSecretRef: { name: "routers", key: "a" },
    gracefulRestart: { restartTime: "2m" },
    addressFamilies: ["ipv6", "ipv4"],
  });
  const { global, outcomes } = find([peer], [secretOf("routers", { a: "secret" })]);
  expect(global).toEqual({ asn: 65000, routerID: "192.0.2.11", listens: false });
  expect(outcomes.get("a")).toMatchObject({
    opened: true,
    neighbor: "2001:db8::1",
    peer: {
      neighbor: "2001:db8::1",
      unnumbered: false,
      peerASN: 64512,
      localASN: 65000,
      port: 1179,
      localAddress: "2001:db8::11",
      bindInterface: "eth0",
      passive: false,
      multihopTTL: 4,
      password: "secret",
      holdTime: 90,
      keepaliveTime: 20,
      connectRetryTime: 10,
      gracefulRestart: 120,
      bfd: undefined,
      families: ["IPv4", "IPv6"],
    },
  });
});

test("keepalives come three times in the hold time where nothing else is said, and BFD's times are in milliseconds", () => {
  const bfd = { transmitInterval: "100ms", receiveInterval: "1s", detectMultiplier: 3 };
  const outcome = find([peerOf("a", { holdTime: "10s", bfd })]).outcomes.get("a");
  const wanted = { holdTime: 10, keepaliveTime: 3, bfd: { transmitMs: 100, receiveMs: 1000, detectMultiplier: 3 } };
  expect(outcome).toMatchObject({ peer: wanted });
});

test("an unnumbered peer goes by its interface", () => {
  const outcome = find([peerOf("a", { peerInterface: "eth1" })]).outcomes.get("a");
  expect(outcome).toMatchObject({ neighbor: "eth1", peer: { neighbor: "eth1", unnumbered: true } });
});

test("only BGPPeers that select the node count, and without any there is no BGP", () => {
  const peers = [peerOf("a", { nodeSelector: { matchLabels: { rack: "1" } } })];
  expect(find(peers)).toEqual({ global: undefined, asns: new Set(), outcomes: new Map() });
  expect([...find(peers, [], nodeOf("n1", { labels: { rack: "1" } })).outcomes.keys()]).toEqual(["a"]);
});

test("the node's AS is that of the first BGPPeer by name, and each has its own besides", () => {
  const peers = [peerOf("b", { myASN: 65002 }), peerOf("a", { peerAddress: "192.0.2.2" })];
  const { global, outcomes } = find(peers);
  expect(global?.asn).toBe(65000);
  expect(outcomes.get("b")).toMatchObject({ peer: { localASN: 65002 } });
});

test.each([
  {
    name: "the one that a BGPPeer gives",
    peers: [peerOf("a"), peerOf("b", { peerAddress: "192.0.2.2", routerID: "10.0.0.1" })],
    ips: ["192.0.2.11"],
    want: "10.0.0.1",
  },
  {
    name: "the first IPv4 address",
    peers: [peerOf("a")],
    ips: ["2001:db8::11", "192.0.2.11", "192.0.2.12"],
    want: "192.0.2.11",
  },
  { name: "made of the name where there is none", peers: [peerOf("a")], ips: ["2001:db8::11"], want: "171.47.71.1" },
])("the router ID is $name", ({ peers, ips, want }) => {
  expect(find(peers, [], nodeOf("n1", { internalIPs: ips })).global?.routerID).toBe(want);
});

test("it is listened where a peer is passive, also while that one is refused", () => {
  const passive = peerOf("a", { passive: true, passwordSecretRef: { name: "none", key: "password" } });
  expect(find([passive]).global?.listens).toBe(true);
});

const WITH_PASSWORD = peerOf("a", { passwordSecretRef: { name: "routers", key: "a" } });

test.each([
  {
    name: "the Secret is missing",
    secrets: [],
    want: 'there is no Secret "routers" in Herald\'s own namespace; create it, or remove passwordSecretRef',
  },
  {
    name: "the key is missing",
    secrets: [secretOf("routers", { b: "x" })],
    want: 'Secret "routers" has nothing under the key "a"; add the password there',
  },
  {
    name: "the password is empty",
    secrets: [secretOf("routers", { a: "" })],
    want: 'Secret "routers" has nothing under the key "a"; add the password there',
  },
  {
    name: "the password is too long",
    secrets: [secretOf("routers", { a: "é".repeat(41) })],
    want: 'the password in Secret "routers" has 82 bytes, and TCP MD5 takes 80; make it shorter, on both sides',
  },
])("no session is opened where $name", ({ secrets, want }) => {
  expect(refusal("a", [WITH_PASSWORD], secrets)).toEqual({ reason: "PasswordMissing", message: want });
});

test("of two BGPPeers for one router the first by name has it, also while that one is refused", () => {
  const open = peerOf("b", { peerAddress: "192.0.2.1" });
  expect(refusal("b", [open, WITH_PASSWORD])).toEqual({
    reason: "SameRouter",
    message: "BGPPeer a is for 192.0.2.1 too; remove one, or select other nodes",
  });
  expect(refusal("a", [open, WITH_PASSWORD])?.reason).toBe("PasswordMissing");
});

test("a second router ID is refused, and the rest goes on", () => {
  const peers = [
    peerOf("a", { routerID: "10.0.0.1" }),
    peerOf("b", { peerAddress: "192.0.2.2", routerID: "10.0.0.2" }),
    peerOf("c", { peerAddress: "192.0.2.3" }),
  ];
  expect(refusal("b", peers)).toEqual({
    reason: "RouterIDsDiffer",
    message:
      "routerID 10.0.0.2 is not that of BGPPeer a, 10.0.0.1, and a node has one; give both the same, or select other nodes",
  });
  expect([refusal("a", peers), refusal("c", peers)]).toEqual([undefined, undefined]);
});

test("what the API server should have refused is refused here, and decides nothing", () => {
  const peers = [peerOf("a", { peerAddress: "router", myASN: 64999 }), peerOf("b")];
  expect(refusal("a", peers)?.reason).toBe("InvalidSpec");
  expect(find(peers).global?.asn).toBe(65000);
});
