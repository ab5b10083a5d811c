import { expect, test } from "vitest";
import { Conflicts } from "./conflicts.ts";
import { mappingIn } from "./resolution.ts";

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const STRANGER = Uint8Array.of(2, 0, 0, 0, 9, 9);
const IP = "192.0.2.10";

/** Runs until `untilMs`; gives when frames were sent, and how many. */
function run(it: Conflicts, untilMs: number): [number, number][] {
  const sent: [number, number][] = [];
  for (let at = it.nextMs; at <= untilMs; at = it.nextMs) {
    const { length } = it.frames(at);
    if (length > 0) sent.push([at, length]);
    if (sent.length > 1000) throw new Error("it never rests");
  }
  return sent;
}

test("three probes within 0.2 s, then the IP is free 0.3 s after the first", () => {
  const it = new Conflicts(MAC, 10_000);
  it.ask(IP, 0);
  expect(run(it, 299)).toEqual([
    [0, 1],
    [100, 1],
    [200, 1],
  ]);
  expect(it.takeNews()).toEqual([]);
  expect(run(it, 300)).toEqual([]);
  expect(it.takeNews()).toEqual([{ ip: IP, what: "Free", cause: "NoAnswer" }]);
  expect(it.nextMs).toBe(Number.POSITIVE_INFINITY);
});

test("a probe touches no cache: it names no sender IP", () => {
  const it = new Conflicts(MAC, 10_000);
  it.ask(IP, 0);
  expect(it.frames(0).map(mappingIn)).toEqual([undefined]);
});

test("a stranger answers: not announced; asked again each 10 s, and free when nobody answers", () => {
  const it = new Conflicts(MAC, 10_000);
  it.ask(IP, 0);
  run(it, 50);
  it.heard(IP, STRANGER, undefined, 60);
  expect(it.takeNews()).toEqual([{ ip: IP, what: "Conflict", cause: "Stranger 02:00:00:00:09:09" }]);
  expect(it.view()).toEqual([{ ip: IP, mac: "02:00:00:00:09:09", node: undefined, announced: false, sinceMs: 60 }]);
  expect(run(it, 10_059)).toEqual([]);
  expect(run(it, 10_060)).toEqual([[10_060, 1]]);
  it.heard(IP, STRANGER, undefined, 10_061);
  expect(run(it, 20_060)).toEqual([]);
  run(it, 21_000);
  expect(it.takeNews().map(({ what }) => what)).toEqual(["Over", "Free"]);
  expect(it.view()).toEqual([]);
});

test("a stranger appears later: defended once each 10 s at most, and forgotten when not seen for a minute", () => {
  const it = new Conflicts(MAC, 10_000);
  it.heard(IP, STRANGER, undefined, 0);
  expect(it.view()).toMatchObject([{ announced: true }]);
  expect(run(it, 0)).toEqual([[0, 2]]);
  for (let at = 1000; at < 10_000; at += 1000) it.heard(IP, STRANGER, undefined, at);
  expect(run(it, 9999)).toEqual([]);
  it.heard(IP, STRANGER, undefined, 10_000);
  expect(run(it, 69_999)).toEqual([[10_000, 2]]);
  expect(it.view()).toHaveLength(1);
  run(it, 70_000);
  expect(it.view()).toEqual([]);
  expect(it.takeNews().map(({ what }) => what)).toEqual(["Conflict", "Over"]);
});

test("a node's own MAC answers: told at once while asking, but announced; later only when seen twice", () => {
  const it = new Conflicts(MAC, 10_000);
  it.ask(IP, 0);
  run(it, 0);
  it.heard(IP, STRANGER, "n2", 1);
  run(it, 300);
  expect(it.takeNews()).toEqual([
    { ip: IP, what: "Conflict", cause: "Node n2" },
    { ip: IP, what: "Free", cause: "NoAnswer" },
  ]);
  expect(it.view()).toMatchObject([{ node: "n2", announced: true }]);
  const later = new Conflicts(MAC, 10_000);
  later.heard(IP, STRANGER, "n2", 0);
  later.heard(IP, STRANGER, "n2", 500);
  expect(later.view()).toEqual([]);
  later.heard(IP, STRANGER, "n2", 1500);
  expect(later.view()).toMatchObject([{ node: "n2" }]);
  expect(run(later, 2000), "a node proxy is not argued with").toEqual([]);
});

test("what is given up is no conflict any more, and not asked for", () => {
  const it = new Conflicts(MAC, 10_000);
  it.ask(IP, 0);
  it.heard(IP, STRANGER, undefined, 0);
  it.drop(IP);
  expect(it.view()).toEqual([]);
  expect(run(it, 100_000)).toEqual([]);
});

test("10 000 IPs are asked for at the configured pace, each three times", () => {
  const it = new Conflicts(MAC, 10_000);
  for (let i = 0; i < 10_000; i++) it.ask(`10.1.${i >> 8}.${i & 255}`, 0);
  const sent = run(it, 60_000);
  expect(sent.reduce((sum, [, frames]) => sum + frames, 0)).toBe(30_000);
  expect(sent.at(-1)?.[0]).toBeGreaterThanOrEqual(2900);
  expect(it.takeNews().filter(({ what }) => what === "Free")).toHaveLength(10_000);
});
