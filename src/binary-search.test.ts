import { expect, test } from "vitest";
import { firstNotBefore } from "./binary-search.ts";

test("the place of each number among each of the first lengths", () => {
  for (let length = 0; length < 20; length++) {
    const even = Array.from({ length }, (_, index) => 2 * index);
    for (let wanted = -1; wanted <= 2 * length; wanted++)
      expect(
        firstNotBefore(even, (item) => item < wanted),
        `${wanted} of ${length}`,
      ).toBe(even.filter((item) => item < wanted).length);
  }
});
