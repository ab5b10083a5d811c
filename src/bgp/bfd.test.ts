import { expect, test } from "vitest";
import { sessionOf, wantedPeer } from "../../test/unit/bgp-world.ts";
import { spoiltByFalls, withBFDWhereUp } from "./bfd.ts";
import type { SessionState } from "./daemon.ts";
import { diff } from "./diff.ts";
import type { BGPState, Peer } from "./model.ts";

const BFD = { transmitMs: 100, receiveMs: 100, detectMultiplier: 3 };
const WATCHED = wantedPeer({ bfd: BFD });
const BARE = wantedPeer();

function holding(peer: Peer): BGPState {
  return {
    global: { asn: 65000, routerID: "192.0.2.11", listens: false },
    peers: new Map([[peer.neighbor, peer]]),
    routes: new Map(),
    exports: { profiles: new Map(), nextHops: new Map(), foreign: false },
    importsNothing: true,
  };
}

test.each<{ name: string; held: Peer; wanted?: Peer; session?: SessionState; want: readonly [string, Peer][] }>([
  { name: "opens gets its BFD", held: BARE, session: "Established", want: [["UpdatePeer", WATCHED]] },
  { name: "is open and watched stays so", held: WATCHED, session: "Established", want: [] },
  { name: "is not open yet waits for its BFD", held: BARE, session: "OpenSent", want: [] },
  { name: "is not known waits for its BFD", held: BARE, want: [] },
  { name: "fell is made anew, without BFD", held: WATCHED, session: "Idle", want: [["ReplacePeer", BARE]] },
  { name: "fell, and needs no BFD, is left alone", held: BARE, wanted: BARE, session: "Idle", want: [] },
  {
    name: "is to have none any more goes on",
    held: WATCHED,
    wanted: BARE,
    session: "Established",
    want: [["UpdatePeer", BARE]],
  },
])("a session that $name", ({ held, wanted = WATCHED, session, want }) => {
  const sessions = session === undefined ? [] : [sessionOf({ state: session })];
  const calls = diff(withBFDWhereUp(holding(wanted), sessions), spoiltByFalls(holding(held), sessions));
  expect(calls).toEqual(want.map(([what, peer]) => ({ do: what, peer })));
});

test("where nothing is to change it is the same object", () => {
  const sessions = [sessionOf({ state: "Established" })];
  const state = holding(WATCHED);
  expect(withBFDWhereUp(state, sessions)).toBe(state);
  expect(spoiltByFalls(state, sessions)).toBe(state);
});
