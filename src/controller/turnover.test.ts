import { expect, test } from "vitest";
import { Turnover } from "./turnover.ts";

test("who is to have an address waits until all that had it are without it", () => {
  const turnover = new Turnover();
  expect(turnover.awaits("n/next", ["192.0.2.1"])).toBe(false);
  expect(turnover.leaves("n/a", ["192.0.2.1", "2001:db8::1"])).toEqual([]);
  expect(turnover.leaves("n/b", ["192.0.2.1"])).toEqual([]);
  expect(turnover.awaits("n/next", ["192.0.2.1"])).toBe(true);
  expect(turnover.leaves("n/a", ["2001:db8::1"])).toEqual([]);
  expect(turnover.leaves("n/b", [])).toEqual(["n/next"]);
  expect(turnover.awaits("n/next", ["192.0.2.1"])).toBe(false);
  expect(turnover.leaves("n/b", [])).toEqual([]);
});

test("nobody waits for itself, and only the awaited one is told so", () => {
  const turnover = new Turnover();
  turnover.leaves("n/a", ["192.0.2.1"]);
  turnover.leaves("n/b", ["192.0.2.2"]);
  expect(turnover.awaits("n/a", ["192.0.2.1"])).toBe(false);
  expect(turnover.awaits("n/b", ["192.0.2.1"])).toBe(true);
  expect([turnover.isAwaited("n/a"), turnover.isAwaited("n/b"), turnover.isAwaited("n/c")]).toEqual([
    true,
    false,
    false,
  ]);
  turnover.leaves("n/a", []);
  expect(turnover.isAwaited("n/a")).toBe(false);
});
