import { expect, test } from "vitest";
import { sessionOf, wantedPeer } from "../../../test/unit/bgp-world.ts";
import type { Session } from "../../bgp/daemon.ts";
import type { Peer } from "../../bgp/model.ts";
import type { ProbeAnswer } from "./probe.ts";
import { continueStory, probeTarget, type SessionStory } from "./session-story.ts";

const PEER = wantedPeer({ localASN: 64512, families: ["IPv4"] });
const SESSION = sessionOf();
const UP: Partial<Session> = { state: "Established", establishedAtMs: 500 };
const FALLEN: Partial<Session> = { flaps: 1, establishedAtMs: 500 };
const BFD = { transmitMs: 100, receiveMs: 100, detectMultiplier: 3 };

interface Sight {
  readonly peer?: Partial<Peer>;
  readonly session?: Partial<Session> | "none";
  readonly probe?: ProbeAnswer;
  readonly atMs?: number;
}

/** Tells a story from what is seen, a second apart. */
function story(...sights: readonly Sight[]): SessionStory {
  let told: SessionStory | undefined;
  sights.forEach(({ peer, session, probe, atMs }, i) => {
    told = continueStory(told, {
      peer: { ...PEER, ...peer },
      session: session === "none" ? undefined : { ...SESSION, ...session },
      probe,
      renewed: i > 0 && peer?.holdTime !== sights[i - 1]?.peer?.holdTime,
      nowMs: atMs ?? 1_000 * (i + 1),
    });
  });
  return told as SessionStory;
}

test.each<{ name: string; sights: readonly Sight[]; want: string | undefined }>([
  { name: "is being opened", sights: [{}, {}], want: undefined },
  {
    name: "has a peer of another AS, as it says",
    sights: [{}, { probe: { what: "Opened", asn: 65002 }, session: { notificationsReceived: 1 } }],
    want: "wrong AS: the peer says it is AS 65002, and the BGPPeer says peerASN 65001; mend one of the two",
  },
  {
    name: "is refused by the peer",
    sights: [{}, { session: { notificationsReceived: 1 } }],
    want: "wrong AS suspected",
  },
  {
    name: "was refused by the peer before this speaker began",
    sights: [{ session: { notificationsReceived: 7 } }],
    want: "expects AS 64512 (myASN)",
  },
  {
    name: "is refused by gobgpd",
    sights: [{}, { session: { notificationsSent: 1 } }],
    want: "whether it is AS 65001 (peerASN)",
  },
  {
    name: "has nobody listening",
    sights: [{ probe: { what: "Refused" } }],
    want: "nothing listens on 192.0.2.1 port 179",
  },
  {
    name: "has no way there",
    sights: [{ probe: { what: "Unreachable" } }],
    want: "unreachable: the network leads to no",
  },
  {
    name: "gets no answer",
    sights: [{ probe: { what: "Silent" } }],
    want: "unreachable: no answer from 192.0.2.1 port 179; see to the address and to firewalls, and whether the peer expects a password",
  },
  {
    name: "gets no answer with a password",
    sights: [{ peer: { password: "secret" }, probe: { what: "Silent" } }],
    want: "wrong password suspected: no answer",
  },
  {
    name: "has a password, and its peer none",
    sights: [{ peer: { password: "secret" }, probe: { what: "Opened", asn: 65001 } }],
    want: "wrong password suspected: the peer takes connections without a password",
  },
  { name: "is closed at once, for a moment", sights: [{ probe: { what: "Closed" } }], want: undefined },
  {
    name: "is not known to the peer",
    sights: [{}, { probe: { what: "Closed" }, atMs: 11_000 }],
    want: "as a neighbor",
  },
  {
    name: "is refused for a moment after it fell",
    sights: [{ session: UP }, { session: FALLEN }, { session: { ...FALLEN, notificationsSent: 1 } }],
    want: "its BGP daemon ended or restarted",
  },
  {
    name: "is refused again and again after it fell",
    sights: [{ session: UP }, { session: FALLEN }, { session: { ...FALLEN, notificationsReceived: 2 }, atMs: 12_000 }],
    want: "wrong AS suspected",
  },
  {
    name: "is refused again and again after it fell, by a gobgpd that counts anew",
    sights: [
      { session: { ...UP, notificationsReceived: 7 } },
      { session: { ...FALLEN, notificationsReceived: 8 } },
      { session: {} },
      { session: { notificationsReceived: 2 }, atMs: 12_000 },
    ],
    want: "wrong AS suspected",
  },
  {
    name: "is ended by BFD that never came up",
    sights: [
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Init" } },
      { peer: { bfd: BFD }, session: { ...FALLEN, bfd: "Down", notificationsSent: 1 } },
    ],
    want: "BFD does not come up, and ends the session: see whether the peer has BFD switched on",
  },
  {
    name: "is up, and BFD is not yet",
    sights: [
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Down" } },
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Init" } },
    ],
    want: undefined,
  },
  {
    name: "is up, and BFD does not come",
    sights: [
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Down" } },
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Down" }, atMs: 6_000 },
    ],
    want: "is missed only after the hold time (9 s)",
  },
  {
    name: "is up, and BFD was",
    sights: [
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Up" } },
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Down" }, atMs: 6_000 },
    ],
    want: undefined,
  },
  {
    name: "comes from an address that the node does not have",
    sights: [{ peer: { localAddress: "192.0.2.99" }, probe: { what: "NoSuchSource" } }],
    want: "this node does not have the address 192.0.2.99",
  },
  { name: "waits for the peer, not for long", sights: [{ peer: { passive: true } }], want: undefined },
  {
    name: "waits for the peer",
    sights: [{ peer: { passive: true } }, { peer: { passive: true }, atMs: 9_000 }],
    want: "the peer has not connected",
  },
  {
    name: "is unnumbered and finds nobody",
    sights: [{ peer: { unnumbered: true } }, { peer: { unnumbered: true }, atMs: 9_000 }],
    want: "router advertisements",
  },
  {
    name: "is bound to an interface over which nobody else's connection goes",
    sights: [
      { peer: { bindInterface: "vrf-a" } },
      { peer: { bindInterface: "vrf-a" }, probe: { what: "Elsewhere" }, atMs: 9_000 },
    ],
    want: "no session over vrf-a yet",
  },
  {
    name: "is bound to an interface over which the peer answers",
    sights: [{ peer: { bindInterface: "eth1" }, probe: { what: "Refused" } }],
    want: "nothing listens on 192.0.2.1 port 179",
  },
  {
    name: "fell as the peer did not speak any more",
    sights: [{ session: UP }, { session: { flaps: 1, notificationsSent: 1, establishedAtMs: 500 } }],
    want: "hold timer expired: nothing was heard from the peer for 9 s",
  },
  {
    name: "fell as the peer did not speak any more, for as long as was agreed with it",
    sights: [
      { session: { ...UP, holdTime: 3 } },
      { session: { flaps: 1, notificationsSent: 1, establishedAtMs: 500 } },
    ],
    want: "nothing was heard from the peer for 3 s",
  },
  {
    name: "fell as BFD heard nothing",
    sights: [
      { peer: { bfd: BFD }, session: { ...UP, bfd: "Up" } },
      { peer: { bfd: BFD }, session: { flaps: 1, bfd: "Down", establishedAtMs: 500 } },
    ],
    want: "BFD went down (detection time 300 ms)",
  },
  {
    name: "was closed by the peer",
    sights: [{ session: UP }, { session: { flaps: 1, notificationsReceived: 1, establishedAtMs: 500 } }],
    want: "the peer closed the session (NOTIFICATION)",
  },
  {
    name: "broke",
    sights: [{ session: UP }, { session: { flaps: 1, establishedAtMs: 500 } }],
    want: "its BGP daemon ended or restarted",
  },
  {
    name: "fell, and now nobody is there",
    sights: [
      { session: UP },
      { session: { flaps: 1, notificationsSent: 1, establishedAtMs: 500 } },
      { session: { flaps: 1, notificationsSent: 1, establishedAtMs: 500 }, probe: { what: "Unreachable" } },
    ],
    want: "unreachable: the network leads to no 192.0.2.1",
  },
  {
    name: "fell between two looks",
    sights: [{ session: UP }, { session: { ...UP, flaps: 1, notificationsReceived: 1 } }],
    want: "the peer closed the session",
  },
  {
    name: "was opened anew",
    sights: [{ session: UP }, { peer: { holdTime: 30 }, session: {} }],
    want: "as its BGPPeer or its password changed",
  },
  { name: "went with gobgpd", sights: [{ session: UP }, { session: "none" }], want: "the gobgpd of this node ended" },
])("a session that $name", ({ sights, want }) => {
  const error = story(...sights).lastError?.text;
  if (want === undefined) expect(error).toBeUndefined();
  else expect(error).toContain(want);
});

test("no word has the password in it", () => {
  const whats = ["Refused", "Unreachable", "NoSuchSource", "Silent", "Closed", "Listening"] as const;
  for (const what of whats)
    expect(JSON.stringify(story({ peer: { password: "s3cret" }, probe: { what } }))).not.toContain("s3cret");
});

test("since when it is up is as gobgpd has it, and stays; the last error stays too, with its time", () => {
  const fell = { session: { flaps: 1, establishedAtMs: 500 } };
  const back = { session: { ...UP, flaps: 1, establishedAtMs: 2_900 } };
  expect(story({ session: UP }, { session: { ...UP, establishedAtMs: 501 } })).toMatchObject({
    up: true,
    sinceMs: 500,
  });
  expect(story({ session: UP }, fell)).toMatchObject({ up: false, sinceMs: 2_000 });
  expect(story({ session: UP }, fell, back, back)).toMatchObject({
    up: true,
    sinceMs: 2_900,
    lastError: { atMs: 2_000 },
  });
});

test("the same error is told with the time at which it began", () => {
  const silent = { probe: { what: "Silent" } } as const;
  expect(story(silent, silent, silent).lastError?.atMs).toBe(1_000);
});

test("a peer is asked after 3 s, and not where it is to connect itself", () => {
  const ask = (nowMs: number, peer: Partial<Peer> = {}, session: Partial<Session> = {}) =>
    probeTarget(story({ peer, session }), {
      peer: { ...PEER, ...peer },
      renewed: false,
      session: SESSION,
      probe: undefined,
      nowMs,
    });
  expect(ask(3_999)).toBeUndefined();
  expect(ask(4_000)).toEqual({ address: "192.0.2.1", port: 179, localAddress: undefined, bindInterface: undefined });
  expect(ask(4_000, { bindInterface: "eth1" })).toMatchObject({ bindInterface: "eth1" });
  expect(ask(4_000, { passive: true })).toBeUndefined();
  expect(ask(4_000, {}, UP)).toBeUndefined();
});
