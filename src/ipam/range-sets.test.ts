import fc from "fast-check";
import { expect, test } from "vitest";
import { findOverlap, subtract } from "./range-sets.ts";
import { containsIP, type Range } from "./ranges.ts";

const SPACE = 24;
const range = fc
  .tuple(fc.constantFrom("IPv4" as const, "IPv6" as const), fc.nat(SPACE - 1), fc.nat(6))
  .map(([family, first, more]): Range => ({ family, first: BigInt(first), last: BigInt(first + more) }));

function has(ranges: readonly Range[], family: Range["family"], value: number): boolean {
  return ranges.some((one) => containsIP(one, { family, value: BigInt(value) }));
}

test("subtract leaves exactly what no hole has, in order and disjoint", () =>
  fc.assert(
    fc.property(range, fc.array(range, { maxLength: 6 }), (whole, holes) => {
      const pieces = subtract(whole, holes);
      for (let value = 0; value < SPACE + 8; value++) {
        const isLeft = has([whole], whole.family, value) && !has(holes, whole.family, value);
        expect(pieces.filter((piece) => has([piece], whole.family, value))).toHaveLength(isLeft ? 1 : 0);
      }
      for (const [at, piece] of pieces.entries()) expect(piece.first > (pieces[at - 1]?.last ?? -1n)).toBe(true);
    }),
  ));

test("findOverlap finds the lowest of the disjoint ranges that overlaps", () =>
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), range, (all, wanted) => {
      const disjoint: Range[] = [];
      for (const one of all) disjoint.push(...subtract(one, disjoint));
      const sorted = disjoint
        .map((one) => ({ range: one }))
        .sort((a, b) => a.range.family.localeCompare(b.range.family) || Number(a.range.first - b.range.first));
      const overlaps = ({ range: one }: { range: Range }) =>
        one.family === wanted.family && one.first <= wanted.last && wanted.first <= one.last;
      expect(findOverlap(sorted, wanted)).toBe(sorted.find(overlaps));
    }),
  ));
