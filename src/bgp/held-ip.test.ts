import fc from "fast-check";
import { expect, test } from "vitest";
import { poolOf } from "../../test/unit/bgp-world.ts";
import { formatIP, parseIP } from "../ipam/addresses.ts";
import { type AnnouncedPool, AnnouncedPools } from "../ipam/announced-pools.ts";
import { containsIP, parseSubnet, type Range } from "../ipam/ranges.ts";
import { prefixOf } from "./held-ip.ts";

const poolWith = (...addresses: string[]) => new AnnouncedPools([poolOf("p", addresses)]).all[0] as AnnouncedPool;

test.each([
  { name: "a host route", ip: "192.0.2.10", length: 32, addresses: ["192.0.2.0/24"], want: "192.0.2.10/32" },
  { name: "an aggregate", ip: "192.0.2.10", length: 28, addresses: ["192.0.2.0/24"], want: "192.0.2.0/28" },
  {
    name: "an IPv6 host route",
    ip: "2001:db8::a",
    length: 128,
    addresses: ["2001:db8::/112"],
    want: "2001:db8::a/128",
  },
  { name: "an IPv6 aggregate", ip: "2001:db8::a", length: 112, addresses: ["2001:db8::/112"], want: "2001:db8::/112" },
  {
    name: "no wider than the pool's CIDR",
    ip: "192.0.2.10",
    length: 8,
    addresses: ["192.0.2.0/24"],
    want: "192.0.2.0/24",
  },
  {
    name: "no wider than fits into a range",
    ip: "192.0.2.10",
    length: 24,
    addresses: ["192.0.2.9-192.0.2.20"],
    want: "192.0.2.10/31",
  },
  {
    name: "a host route at the edge of a range",
    ip: "192.0.2.9",
    length: 24,
    addresses: ["192.0.2.9-192.0.2.20"],
    want: "192.0.2.9/32",
  },
  {
    name: "not over the entry beside it",
    ip: "192.0.2.10",
    length: 24,
    addresses: ["192.0.2.0/25", "192.0.2.128/25"],
    want: "192.0.2.0/25",
  },
  {
    name: "a host route of an IP that the pool has no more",
    ip: "192.0.2.10",
    length: 24,
    addresses: ["198.51.100.0/24"],
    want: "192.0.2.10/32",
  },
  { name: "everything", ip: "192.0.2.10", length: 0, addresses: ["0.0.0.0/0"], want: "0.0.0.0/0" },
])("the prefix is $name", ({ ip, length, addresses, want }) => {
  expect(prefixOf(ip, length, poolWith(...addresses))).toBe(want);
});

test("a prefix holds its IP and nothing that is not the pool's, and is the shortest that is not shorter than asked for", () => {
  const someRange = fc
    .tuple(fc.nat(1000), fc.nat(300), fc.nat(300), fc.integer({ min: 0, max: 32 }))
    .map(([start, before, after, length]) => {
      const at = (offset: number) => formatIP({ family: "IPv4", value: 0xc0000000n + BigInt(start + offset) });
      return { ip: at(before), range: `${at(0)}-${at(before + after)}`, length };
    });
  fc.assert(
    fc.property(someRange, ({ ip, range, length }) => {
      const pool = poolWith(range);
      const prefix = prefixOf(ip, length, pool);
      const inside = (cidr: string) => {
        const net = parseSubnet(cidr) as Range;
        const [whole] = pool.ranges as [Range];
        return whole.first <= net.first && net.last <= whole.last;
      };
      const bits = Number(prefix.split("/")[1]);
      expect(containsIP(parseSubnet(prefix) as Range, parseIP(ip) as NonNullable<ReturnType<typeof parseIP>>)).toBe(
        true,
      );
      expect(inside(prefix)).toBe(true);
      expect(bits).toBeGreaterThanOrEqual(length);
      if (bits > length) expect(inside(`${ip}/${bits - 1}`)).toBe(false);
    }),
  );
});
