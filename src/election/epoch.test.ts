import fc from "fast-check";
import { expect, test } from "vitest";
import { isMajority, MAX_EPOCH, newEpoch } from "./epoch.ts";

test.each([
  { name: "a majority's first", input: { known: 0n, majority: true }, want: 1n },
  { name: "a majority's after a majority's", input: { known: 1n, majority: true }, want: 3n },
  { name: "a majority's after a minority's", input: { known: 4n, majority: true }, want: 5n },
  { name: "a minority's first", input: { known: 0n, majority: false }, want: 0n },
  { name: "a minority's after a majority's", input: { known: 3n, majority: false }, want: 2n },
  { name: "a minority's after a minority's", input: { known: 4n, majority: false }, want: 4n },
  { name: "a minority relieves an owner", input: { known: 3n, majority: false, yielded: 3n }, want: 4n },
  { name: "a minority relieves a minority's owner", input: { known: 5n, majority: false, yielded: 4n }, want: 6n },
  { name: "at the end of the range", input: { known: MAX_EPOCH, majority: true }, want: MAX_EPOCH },
])("$name", ({ input, want }) => expect(newEpoch(input)).toBe(want));

test("a majority's epoch wins, a minority's loses, and a relief always wins", () => {
  const epochs = fc.bigInt({ min: 1n, max: MAX_EPOCH - 3n });
  fc.assert(
    fc.property(epochs, (known) => {
      expect(newEpoch({ known, majority: true })).toBeGreaterThan(known);
      expect(newEpoch({ known, majority: false })).toBeLessThanOrEqual(known);
      expect(newEpoch({ known, majority: false, yielded: known })).toBeGreaterThan(known);
    }),
  );
});

test.each([
  [1, 1, true],
  [1, 2, true],
  [1, 3, false],
  [2, 3, true],
  [2, 5, false],
] as const)("%i of %i: %s", (reached, known, want) => expect(isMajority(reached, known)).toBe(want));
