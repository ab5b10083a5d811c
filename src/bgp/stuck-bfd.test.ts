import { expect, test } from "vitest";
import type { BFDState, Session, SessionState } from "./daemon.ts";
import { STUCK_MS, StuckBFD } from "./stuck-bfd.ts";

function session(neighbor: string, bfd: BFDState | undefined, state: SessionState = "Established"): Session {
  return { neighbor, state, bfd } as Session;
}

test("BFD that stays in Init while BGP is established is restarted, and again when that did not help", () => {
  const stuck = new StuckBFD();
  expect(stuck.dueMs).toBe(Number.POSITIVE_INFINITY);
  expect(stuck.restart([session("a", "Init"), session("b", "Up")], 100)).toEqual([]);
  expect(stuck.dueMs).toBe(100 + STUCK_MS);
  expect(stuck.restart([session("a", "Init")], 100 + STUCK_MS - 1)).toEqual([]);
  expect(stuck.restart([session("a", "Init")], 100 + STUCK_MS)).toEqual(["a"]);
  expect(stuck.dueMs).toBe(100 + 2 * STUCK_MS);
  expect(stuck.restart([session("a", "Init")], 200 + STUCK_MS)).toEqual([]);
  expect(stuck.restart([session("a", "Init")], 100 + 2 * STUCK_MS)).toEqual(["a"]);
});

test("one that comes up, or whose session goes down, is no longer counted", () => {
  for (const next of [session("a", "Up"), session("a", "Init", "Active"), session("a", undefined)]) {
    const stuck = new StuckBFD();
    stuck.restart([session("a", "Init")], 0);
    stuck.restart([next], 500);
    expect(stuck.dueMs).toBe(Number.POSITIVE_INFINITY);
    expect(stuck.restart([session("a", "Init")], STUCK_MS)).toEqual([]);
  }
});

test("BFD that hears nothing yet is looked at often, so that Init is seen in time; and not for ever", () => {
  const stuck = new StuckBFD();
  let looks = 0;
  for (let nowMs = 0; nowMs < Number.POSITIVE_INFINITY; nowMs = stuck.dueMs, looks++)
    expect(stuck.restart([session("a", "Down")], nowMs)).toEqual([]);
  expect(looks).toBe(21);
  stuck.restart([session("a", "Init")], 60_000);
  expect(stuck.dueMs).toBe(60_000 + STUCK_MS);
});
