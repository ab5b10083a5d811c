import { expect, test } from "vitest";
import { sessionOf } from "../../test/unit/bgp-world.ts";
import { AdvertisedCounts } from "./advertised-counts.ts";

const UP = sessionOf({ state: "Established", establishedAtMs: 1000, opensReceived: 1 });

test("counting takes one part in a hundred of gobgpd's time, however long a count takes", () => {
  const counts = new AdvertisedCounts();
  expect(counts.isDue([UP], 0)).toBe(true);
  counts.counted([{ ...UP, advertised: 10_000 }], 0, 300);
  expect(counts.isDue([UP], 30_299)).toBe(false);
  expect(counts.fillIn([UP])).toEqual([{ ...UP, advertised: 10_000 }]);
  expect(counts.isDue([UP], 30_300)).toBe(true);
});

test.each([
  { name: "one that was opened anew", session: { ...UP, establishedAtMs: 2000 } },
  { name: "one with another peer", session: { ...UP, neighbor: "192.0.2.2" } },
])("a new session is counted at once: $name", ({ session }) => {
  const counts = new AdvertisedCounts();
  counts.counted([{ ...UP, advertised: 7 }], 0, 300);
  expect(counts.isDue([session], 301)).toBe(true);
  expect(counts.fillIn([session])).toEqual([{ ...session, advertised: 0 }]);
});

test("routes that gobgpd was just told leave before they are counted: of 10 000 after two seconds", () => {
  const counts = new AdvertisedCounts();
  counts.counted([UP], 0, 1);
  counts.told(10_000, 1000);
  counts.told(1, 1001);
  expect(counts.isDue([UP], 2999)).toBe(false);
  expect(counts.isDue([UP], 3000)).toBe(true);
  expect(counts.isDue([{ ...UP, neighbor: "192.0.2.2" }], 1001)).toBe(true);
});

test("one that is down has been told nothing, and hurries nobody", () => {
  const counts = new AdvertisedCounts();
  counts.counted([{ ...UP, advertised: 7 }], 0, 300);
  const down = { ...UP, state: "Active" as const };
  expect(counts.isDue([down], 301)).toBe(false);
  expect(counts.fillIn([down])).toEqual([{ ...down, advertised: 0 }]);
});
