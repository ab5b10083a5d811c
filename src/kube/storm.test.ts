import { expect, test } from "vitest";
import { Storm } from "./storm.ts";

test("a storm is so many within the time, and over when it is quiet", () => {
  const storm = new Storm(3, 100);
  const rages = (atMs: number) => {
    storm.came(atMs);
    return storm.rages(atMs);
  };
  expect([0, 40, 80, 120, 300].map(rages)).toEqual([false, false, true, true, false]);
  expect([310, 320].map(rages)).toEqual([false, true]);
  expect([399, 400].map((atMs) => storm.rages(atMs))).toEqual([true, false]);
});
