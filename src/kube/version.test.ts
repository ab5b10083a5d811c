import fc from "fast-check";
import { expect, test } from "vitest";
import { compareVersions } from "./version.ts";

test("versions compare as the numbers that they are, of any size", () => {
  const version = fc.bigInt({ min: 1n, max: 2n ** 70n });
  fc.assert(
    fc.property(version, version, (a, b) => {
      expect(Math.sign(compareVersions(String(a), String(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test("no version at all is the oldest", () => {
  expect(compareVersions("", "1")).toBeLessThan(0);
  expect(compareVersions("1", "")).toBeGreaterThan(0);
  expect(compareVersions("", "")).toBe(0);
});
