import { expect, test } from "vitest";
import { nodeOf, peerOf } from "../../test/unit/bgp-world.ts";
import type { BGPPeer } from "../api/bgp-peer.ts";
import { desired } from "./desired.ts";
import { diff } from "./diff.ts";
import { keepAS } from "./keep-as.ts";

const of = (...peers: BGPPeer[]) => desired(nodeOf("n1"), { peers, secrets: new Map(), pools: [], held: new Map() });
const ROUTER = peerOf("m", { myASN: 65000 });
const running = of(ROUTER).state;

const passwordSecretRef = { name: "none", key: "password" };

test.each([
  { name: "another BGPPeer sorts first", peers: [peerOf("a", { myASN: 65002, peerAddress: "192.0.2.2" }), ROUTER] },
  {
    name: "the only BGPPeer of the AS is refused for now",
    peers: [peerOf("a", { myASN: 65002, peerAddress: "192.0.2.2" }), peerOf("m", { passwordSecretRef })],
  },
])("BGP goes on as the AS that it has: $name", ({ peers }) => {
  const wanted = keepAS(of(...peers), running);
  expect(wanted.global).toEqual(running.global);
  expect(wanted.peers.get("192.0.2.2")?.localASN).toBe(65002);
  const calls = diff(wanted, running).map((call) => call.do);
  expect(calls).not.toContain("StartGlobal");
});

test("a session of the AS that BGP has is left alone when another BGPPeer sorts first", () => {
  const wanted = keepAS(of(peerOf("a", { myASN: 65002, peerAddress: "192.0.2.2" }), ROUTER), running);
  expect(diff(wanted, running)).toEqual([
    { do: "SetExports", exports: wanted.exports },
    { do: "AddPeer", peer: wanted.peers.get("192.0.2.2") },
  ]);
});

test.each([
  { name: "no BGPPeer has the AS any more", peers: [peerOf("m", { myASN: 65002 })], actual: running, want: 65002 },
  { name: "BGP does not run", peers: [ROUTER], actual: of().state, want: 65000 },
  { name: "no BGPPeer is left", peers: [], actual: running, want: undefined },
])("the AS is that of the first BGPPeer: $name", ({ peers, actual, want }) => {
  expect(keepAS(of(...peers), actual).global?.asn).toBe(want);
});
