import { firstNotBefore } from "../binary-search.ts";
import { compareRanges, overlap, type Range } from "./ranges.ts";

/** Gives what is left of `range` without `holes`, in order; the holes may be in any order and overlap. */
export function subtract(range: Range, holes: readonly Range[]): readonly Range[] {
  const { family } = range;
  const pieces: Range[] = [];
  let { first } = range;
  for (const hole of holes.filter((one) => overlap(one, range)).sort(compareRanges)) {
    if (hole.first > first) pieces.push({ family, first, last: hole.first - 1n });
    if (hole.last >= first) first = hole.last + 1n;
  }
  if (first <= range.last) pieces.push({ family, first, last: range.last });
  return pieces;
}

/** Finds the range among sorted, disjoint ones that overlaps `range`, the lowest where several do. */
export function findOverlap<T extends { readonly range: Range }>(sorted: readonly T[], range: Range): T | undefined {
  const isBefore = (one: Range) =>
    one.family === range.family ? one.last < range.first : compareRanges(one, range) < 0;
  const found = sorted[firstNotBefore(sorted, (one) => isBefore(one.range))];
  return found && overlap(found.range, range) ? found : undefined;
}
