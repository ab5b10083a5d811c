import fc from "fast-check";
import { expect, test } from "vitest";
import { durationMs, formatMs, whyNotDuration } from "./durations.ts";

test.each([
  { text: "9s", want: 9000 },
  { text: "300ms", want: 300 },
  { text: "1m30s", want: 90_000 },
  { text: "2h", want: 7_200_000 },
  { text: "1h2m3s4ms", want: 3_723_004 },
  { text: "5m", want: 300_000 },
  { text: "0", want: 0 },
  { text: "0s", want: 0 },
  { text: "007s", want: 7000 },
  ...["", "9", "s", "-9s", "+9s", "9.5s", "9 s", " 9s", "9s\n", "9S", "1d", "30s1m", "1s1s", "300us", "1234567s"].map(
    (text) => ({ text, want: undefined }),
  ),
])("durationMs reads $text", ({ text, want }) => expect(durationMs(text)).toBe(want));

test("what formatMs writes, durationMs reads", () => {
  fc.assert(
    fc.property(fc.nat(999_999), (ms) => {
      expect(durationMs(formatMs(ms))).toBe(ms);
    }),
  );
});

const bounds = { leastMs: 1000, mostMs: 3000 };

test.each([
  { name: "the shortest", text: "1s", limits: bounds, want: undefined },
  { name: "the longest", text: "3000ms", limits: bounds, want: undefined },
  { name: "one between", text: "1500ms", limits: bounds, want: undefined },
  { name: "one that is too short", text: "999ms", limits: bounds, want: "is out of bounds; write 1s to 3s" },
  { name: "one that is too long", text: "1m", limits: bounds, want: "is out of bounds; write 1s to 3s" },
  { name: "nothing", text: "0", limits: bounds, want: "is out of bounds; write 1s to 3s" },
  {
    name: "a part of a second",
    text: "1500ms",
    limits: { ...bounds, wholeSeconds: true as const },
    want: "has a fraction of a second, and BGP counts whole ones; round it",
  },
  {
    name: "no duration",
    text: "soon",
    limits: bounds,
    want: 'is not a duration; write one like "9s", "1m30s" or "300ms", of whole numbers',
  },
])("of a field's limits: $name", ({ text, limits, want }) => expect(whyNotDuration(text, limits)).toBe(want));
