import fc from "fast-check";
import { expect, test } from "vitest";
import { FreeList } from "./free-list.ts";

test("the free list is a set with a slow search", () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40_000 }),
      fc.array(fc.tuple(fc.constantFrom("lowest", "take", "release"), fc.nat()), { maxLength: 300 }),
      fc.nat(2000),
      (size, steps, filled) => {
        const list = new FreeList(size);
        const taken = new Set<number>();
        for (let place = 0; place < Math.min(filled, size); place++) {
          list.take(place);
          taken.add(place);
        }
        for (const [step, at] of steps) {
          const lowest = slowLowest(taken, size);
          expect(list.lowest()).toBe(lowest);
          const place = step === "lowest" ? (lowest ?? 0) : at % size;
          expect(list.has(place)).toBe(taken.has(place));
          if (step === "release") {
            list.release(place);
            taken.delete(place);
          } else {
            list.take(place);
            taken.add(place);
          }
        }
      },
    ),
  ));

function slowLowest(taken: ReadonlySet<number>, size: number): number | undefined {
  for (let place = 0; place < size; place++) if (!taken.has(place)) return place;
  return undefined;
}

test.each([1, 31, 32, 33, 1024, 1025, 32768, 32769])(
  "a list of %i is filled from the bottom and emptied again",
  (size) => {
    const list = new FreeList(size);
    for (let place = 0; place < size; place++) {
      expect(list.lowest()).toBe(place);
      list.take(place);
    }
    expect(list.lowest()).toBeUndefined();
    list.release(size - 1);
    expect(list.lowest()).toBe(size - 1);
    for (let place = size - 1; place >= 0; place--) list.release(place);
    for (let place = 0; place < size; place++) expect([place, list.has(place)]).toEqual([place, false]);
    expect(list.lowest()).toBe(0);
  },
);

test("a list as long as numbers go takes its last place", () => {
  const size = Number.MAX_SAFE_INTEGER;
  const list = new FreeList(size);
  list.take(size - 1);
  list.take(0);
  expect([list.has(size - 1), list.has(size - 2), list.lowest()]).toEqual([true, false, 1]);
});
