import { expect, test } from "vitest";
import { poolOf } from "../../test/unit/bgp-world.ts";
import { AnnouncedPools } from "./announced-pools.ts";

test("an IP is of the pool that gave it out, and where that is gone of the one that has it", () => {
  const pools = new AnnouncedPools([poolOf("b", ["192.0.2.0/24"]), poolOf("a", ["198.51.100.0/24"])]);
  const name = (assigned: string | undefined) => pools.of("192.0.2.10", assigned)?.name;
  expect([name("a"), name("gone"), name(undefined)]).toEqual(["a", "b", "b"]);
  expect(pools.of("203.0.113.1", "gone")).toBeUndefined();
});
