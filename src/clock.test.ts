import { expect, test } from "vitest";
import { restMs } from "./clock.ts";

test("a rest is a multiple of the work, up to its limit", () => {
  expect([0, 10, 100, 6000].map((tookMs) => restMs({ share: 3, maxMs: 250 }, tookMs))).toEqual([0, 30, 250, 250]);
});
