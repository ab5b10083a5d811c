import { expect, test } from "vitest";
import { Budgets } from "./budgets.ts";

test("a key may do so much at once, then one at a time; others are not concerned", () => {
  const budgets = new Budgets({ burst: 2, refillMs: 100, most: 10 });
  expect([0, 0, 0, 50, 100, 100].map((nowMs) => budgets.spend("a", nowMs))).toEqual([0, 0, 100, 50, 0, 100]);
  expect(budgets.spend("b", 100)).toBe(0);
  expect([10_000, 10_000, 10_000].map((nowMs) => budgets.spend("a", nowMs))).toEqual([0, 0, 100]);
});

test("no more keys are remembered than asked for", () => {
  const budgets = new Budgets({ burst: 1, refillMs: 100, most: 2 });
  expect(["a", "b", "a", "c", "b", "c"].map((key) => budgets.spend(key, 0))).toEqual([0, 0, 100, 0, 0, 100]);
});
