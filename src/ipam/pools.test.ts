import { expect, test } from "vitest";
import type { IPPoolSpec } from "../api/ippool.ts";
import { parseIP } from "./addresses.ts";
import type { PoolObject } from "./pool.ts";
import { Pools } from "./pools.ts";

function object(
  name: string,
  addresses: string[],
  more: Partial<Omit<PoolObject, "spec">> & { spec?: Partial<IPPoolSpec> } = {},
): PoolObject {
  const spec: IPPoolSpec = {
    addresses,
    exclude: [],
    autoAssign: true,
    avoidBuggyIPs: false,
    disabled: false,
    priority: 0,
    announce: [],
    ...more.spec,
  };
  return { name, createdAt: 0, deleting: false, ...more, spec };
}

function states(...objects: PoolObject[]): Record<string, string | undefined> {
  const pools = new Pools();
  pools.put(objects);
  return Object.fromEntries(objects.map(({ name }) => [name, pools.state(name)?.state]));
}

test.each<{ name: string; objects: PoolObject[]; want: Record<string, string> }>([
  {
    name: "the younger of two that overlap, whatever their names",
    objects: [object("a", ["192.0.2.0/28"], { createdAt: 2 }), object("b", ["192.0.2.8-192.0.2.20"], { createdAt: 1 })],
    want: { a: "Overlapping", b: "Valid" },
  },
  {
    name: "of two of one age the later by name",
    objects: [object("b", ["192.0.2.0/28"]), object("a", ["192.0.2.0/28"])],
    want: { a: "Valid", b: "Overlapping" },
  },
  {
    name: "not where one excludes what both have",
    objects: [object("a", ["192.0.2.0/28"], { spec: { exclude: ["192.0.2.8/29"] } }), object("b", ["192.0.2.8/29"])],
    want: { a: "Valid", b: "Valid" },
  },
  {
    name: "a third that overlaps only with one that is not accepted is accepted",
    objects: [object("a", ["192.0.2.0-192.0.2.5"]), object("b", ["192.0.2.5-192.0.2.9"]), object("c", ["192.0.2.9"])],
    want: { a: "Valid", b: "Overlapping", c: "Valid" },
  },
  {
    name: "one that is disabled keeps its place",
    objects: [object("a", ["192.0.2.1"], { spec: { disabled: true } }), object("b", ["192.0.2.1"])],
    want: { a: "Disabled", b: "Overlapping" },
  },
  {
    name: "one that is being deleted, or bad, is in nobody's way",
    objects: [
      object("a", ["192.0.2.1"], { deleting: true }),
      object("b", ["192.0.2.1", "192.0.2.1/24"]),
      object("c", ["192.0.2.1"]),
    ],
    want: { a: "Terminating", b: "Invalid", c: "Valid" },
  },
])("overlap: $name", ({ objects, want }) => {
  expect(states(...objects)).toEqual(want);
  expect(states(...objects.toReversed())).toEqual(want);
});

test("says with which pool and in which addresses one overlaps, and heals", () => {
  const pools = new Pools();
  pools.put([object("a", ["192.0.2.0/28", "2001:db8::/64"]), object("b", ["192.0.2.14-192.0.2.30"], { createdAt: 1 })]);
  expect(pools.state("b")).toEqual({ state: "Overlapping", with: "a", ips: "192.0.2.14-192.0.2.15" });
  const ip = parseIP("192.0.2.20");
  expect(ip && pools.owner(ip)).toBeUndefined();
  pools.put([object("a", ["192.0.2.0/29"])]);
  expect(pools.state("b")).toEqual({ state: "Valid" });
  expect(ip && pools.owner(ip)?.name).toBe("b");
  pools.remove("b");
  expect(ip && pools.owner(ip)).toBeUndefined();
});

test("tries pools by priority, the higher first, then by name", () => {
  const pools = new Pools();
  const of = (name: string, priority: number, at: number) => object(name, [`192.0.2.${at}`], { spec: { priority } });
  pools.put([of("b", 0, 1), of("a", 0, 2), of("z", 5, 3), of("y", -1, 4)]);
  expect(pools.order.map(({ name }) => name)).toEqual(["z", "a", "b", "y"]);
});
