import { getEventListeners } from "node:events";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import { backOffMs, pause } from "./back-off.ts";

const backOff = { baseMs: 100, capMs: 1000 };

test.each([
  { name: "the first", failures: 1, chance: 0, want: 100 },
  { name: "the first, by chance sooner", failures: 1, chance: 0.5, want: 75 },
  { name: "the third", failures: 3, chance: 0, want: 400 },
  { name: "one past the cap", failures: 5, chance: 0, want: 1000 },
  { name: "the thousandth", failures: 1000, chance: 0, want: 1000 },
])("the delay after $name failure", ({ failures, chance, want }) => {
  expect(backOffMs(backOff, failures, () => chance)).toBe(want);
});

test("the delay never leaves half of the base to the cap", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), chance, (failures, random) => {
      const delay = backOffMs(backOff, failures, () => random);
      expect(delay).toBeGreaterThanOrEqual(50);
      expect(delay).toBeLessThanOrEqual(1000);
    }),
  );
});

test("a pause ends by time or by its signal, and leaves no timer", async () => {
  const clock = new FakeClock();
  const end = new AbortController();
  let ended = 0;
  pause(clock, 10, end.signal).then(() => ended++);
  pause(clock, 1000, end.signal).then(() => ended++);
  await clock.advance(9);
  expect(ended).toBe(0);
  await clock.advance(1);
  expect(ended).toBe(1);
  expect(getEventListeners(end.signal, "abort")).toHaveLength(1);
  end.abort();
  await pause(clock, 1000, end.signal);
  expect(ended).toBe(2);
  expect(clock.pending).toBe(0);
});
