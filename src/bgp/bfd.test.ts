import { expect, test } from "vitest";
import { sessionOf, wantedPeer } from "../../test/unit/bgp-world.ts";
import { SETTLE_MS, spoiltByFalls, UpSessions, withBFDWhereUp } from "./bfd.ts";
import type { Session, SessionState } from "./daemon.ts";
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

/** What is known of sessions that are as they are since 0 s. */
function upSince0(sessions: readonly Session[], nowMs: number): UpSessions {
  const up = new UpSessions();
  up.take(sessions, 0);
  up.take(sessions, nowMs);
  return up;
}

test.each<{
  name: string;
  held: Peer;
  wanted?: Peer;
  session?: SessionState;
  forMs?: number;
  want: readonly [string, Peer][];
}>([
  { name: "is open for a while gets its BFD", held: BARE, session: "Established", want: [["UpdatePeer", WATCHED]] },
  { name: "has just opened waits for its BFD", held: BARE, session: "Established", forMs: SETTLE_MS - 1, want: [] },
  { name: "is open and watched stays so", held: WATCHED, session: "Established", forMs: 0, want: [] },
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
])("a session that $name", ({ held, wanted = WATCHED, session, forMs = SETTLE_MS, want }) => {
  const sessions = session === undefined ? [] : [sessionOf({ state: session })];
  const actual = spoiltByFalls(holding(held), sessions);
  const calls = diff(withBFDWhereUp(holding(wanted), actual, upSince0(sessions, forMs)), actual);
  expect(calls).toEqual(want.map(([what, peer]) => ({ do: what, peer })));
});

test("where nothing is to change it is the same object", () => {
  const sessions = [sessionOf({ state: "Established" })];
  const state = holding(WATCHED);
  expect(withBFDWhereUp(state, state, upSince0(sessions, 0))).toBe(state);
  expect(spoiltByFalls(state, sessions)).toBe(state);
});

test("each is due when it is settled, from its own opening on", () => {
  const of = (...neighbors: readonly string[]) =>
    neighbors.map((neighbor) => sessionOf({ neighbor, state: "Established" }));
  const up = new UpSessions();
  expect(up.dueMs).toBe(Number.POSITIVE_INFINITY);
  up.take(of("a"), 0);
  up.take(of("a", "b"), 400);
  expect(up.dueMs).toBe(SETTLE_MS);
  up.take(of("a", "b"), SETTLE_MS);
  expect([up.isSettled("a"), up.isSettled("b"), up.dueMs]).toEqual([true, false, 400 + SETTLE_MS]);
  up.take(of("b"), 400 + SETTLE_MS);
  expect([up.has("a"), up.isSettled("a"), up.isSettled("b"), up.dueMs]).toEqual([
    false,
    false,
    true,
    Number.POSITIVE_INFINITY,
  ]);
});

test("a session that fell and opened between two looks begins anew", () => {
  const flapped = (flaps: number) => [sessionOf({ neighbor: "a", state: "Established", flaps })];
  const up = new UpSessions();
  up.take(flapped(0), 0);
  up.take(flapped(1), SETTLE_MS);
  expect([up.has("a"), up.isSettled("a"), up.dueMs]).toEqual([true, false, 2 * SETTLE_MS]);
});
