import { expect, test } from "vitest";
import { ip, pool } from "../../test/unit/address-world.ts";
import type { PoolObject } from "./pool.ts";
import { Pools } from "./pools.ts";

function states(...objects: PoolObject[]): Record<string, string | undefined> {
  const pools = new Pools();
  pools.put(objects);
  return Object.fromEntries(objects.map(({ name }) => [name, pools.state(name)?.state]));
}

test.each<{ name: string; objects: PoolObject[]; want: Record<string, string> }>([
  {
    name: "the younger of two that overlap, whatever their names",
    objects: [
      pool("a", { addresses: ["192.0.2.0/28"], createdAt: 2 }),
      pool("b", { addresses: ["192.0.2.8-192.0.2.20"], createdAt: 1 }),
    ],
    want: { a: "Overlapping", b: "Valid" },
  },
  {
    name: "of two of one age the later by name",
    objects: [pool("b", ["192.0.2.0/28"]), pool("a", ["192.0.2.0/28"])],
    want: { a: "Valid", b: "Overlapping" },
  },
  {
    name: "not where one excludes what both have",
    objects: [pool("a", { addresses: ["192.0.2.0/28"], exclude: ["192.0.2.8/29"] }), pool("b", ["192.0.2.8/29"])],
    want: { a: "Valid", b: "Valid" },
  },
  {
    name: "a third that overlaps only with one that is not accepted is accepted",
    objects: [pool("a", ["192.0.2.0-192.0.2.5"]), pool("b", ["192.0.2.5-192.0.2.9"]), pool("c", ["192.0.2.9"])],
    want: { a: "Valid", b: "Overlapping", c: "Valid" },
  },
  {
    name: "one that is disabled keeps its place",
    objects: [pool("a", { addresses: ["192.0.2.1"], disabled: true }), pool("b", ["192.0.2.1"])],
    want: { a: "Disabled", b: "Overlapping" },
  },
  {
    name: "one that is being deleted, or bad, is in nobody's way",
    objects: [
      pool("a", { addresses: ["192.0.2.1"], deleting: true }),
      pool("b", ["192.0.2.1", "192.0.2.1/24"]),
      pool("c", ["192.0.2.1"]),
    ],
    want: { a: "Terminating", b: "Invalid", c: "Valid" },
  },
])("overlap: $name", ({ objects, want }) => {
  expect(states(...objects)).toEqual(want);
  expect(states(...objects.toReversed())).toEqual(want);
});

test("says with which pool and in which addresses one overlaps, and heals", () => {
  const pools = new Pools();
  pools.put([
    pool("a", ["192.0.2.0/28", "2001:db8::/64"]),
    pool("b", { addresses: ["192.0.2.14-192.0.2.30"], createdAt: 1 }),
  ]);
  expect(pools.state("b")).toEqual({ state: "Overlapping", with: "a", ips: "192.0.2.14-192.0.2.15" });
  const inB = ip("192.0.2.20");
  expect(pools.owner(inB)).toBeUndefined();
  pools.put([pool("a", ["192.0.2.0/29"])]);
  expect(pools.state("b")).toEqual({ state: "Valid" });
  expect(pools.owner(inB)?.name).toBe("b");
  pools.remove("b");
  expect(pools.owner(inB)).toBeUndefined();
});

test("tries pools by priority, the higher first, then by name", () => {
  const pools = new Pools();
  const of = (name: string, priority: number, at: number) => pool(name, { addresses: [`192.0.2.${at}`], priority });
  pools.put([of("b", 0, 1), of("a", 0, 2), of("z", 5, 3), of("y", -1, 4)]);
  expect(pools.order.map(({ name }) => name)).toEqual(["z", "a", "b", "y"]);
});
