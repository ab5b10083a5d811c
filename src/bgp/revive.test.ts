import { expect, test } from "vitest";
import type { Session } from "./daemon.ts";
import type { BGPState, Peer } from "./model.ts";
import { revivals } from "./revive.ts";

const BFD = { transmitMs: 100, receiveMs: 100, detectMultiplier: 3 };
const session = (state: Session["state"], flaps = 0) => [{ neighbor: "192.0.2.1", state, flaps } as Session];

test.each([
  { name: "fell, as gobgpd counted", before: session("Active"), now: session("Active", 1), want: 1 },
  { name: "fell, and gobgpd did not count", before: session("Established"), now: session("Idle"), want: 1 },
  { name: "fell and is back", before: session("Established"), now: session("Established", 1), want: 0 },
  { name: "never was up", before: session("Active"), now: session("Connect"), want: 0 },
  { name: "is seen for the first time", before: [], now: session("Active"), want: 0 },
  { name: "fell, and has no BFD", before: session("Established"), now: session("Idle", 1), bfd: undefined, want: 0 },
])("a session that $name", ({ before, now, want, ...more }) => {
  const peer = { neighbor: "192.0.2.1", bfd: "bfd" in more ? undefined : BFD } as Peer;
  const held = { peers: new Map([[peer.neighbor, peer]]) } as unknown as BGPState;
  expect(revivals(held, before, now)).toEqual(Array(want).fill({ do: "ReplacePeer", peer }));
});
