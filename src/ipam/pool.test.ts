import fc from "fast-check";
import { expect, test } from "vitest";
import { ip, pool as object } from "../../test/unit/address-world.ts";
import type { IPPoolSpec } from "../api/ippool.ts";
import { formatIP, type IP } from "./addresses.ts";
import { Pool } from "./pool.ts";

function pool(addresses: string[], more: Partial<IPPoolSpec> = {}): Pool {
  return new Pool(object("a", { addresses, ...more }));
}

/** Takes all that a pool gives, up to 600 addresses. */
function drain(pool: Pool, family: "IPv4" | "IPv6"): string[] {
  const got: string[] = [];
  for (let next = pool.lowestFree(family); next && got.length < 600; next = pool.lowestFree(family)) {
    pool.take(next);
    got.push(formatIP(next));
  }
  return got;
}

test("gives entries in their order, each from its lowest address, without what is excluded", () => {
  const all = pool(["192.0.2.8/30", "192.0.2.1-192.0.2.3", "2001:db8::/127"], {
    exclude: ["192.0.2.10", "192.0.2.0/31"],
  });
  expect(drain(all, "IPv4")).toEqual(["192.0.2.8", "192.0.2.9", "192.0.2.11", "192.0.2.2", "192.0.2.3"]);
  expect(drain(all, "IPv6")).toEqual(["2001:db8::", "2001:db8::1"]);
  expect(all.whyNot(ip("192.0.2.10"))).toBe("Excluded");
  expect(all.whyNot(ip("192.0.2.7"))).toBe("OutsidePool");
  expect(all.usage("IPv4", true)).toEqual({ total: 5, assigned: 0, available: 0 });
});

test("avoids .0 and .255 of IPv4, also after somebody had them", () => {
  const buggy = pool(["192.0.1.254-192.0.2.1"], { avoidBuggyIPs: true });
  buggy.take(ip("192.0.1.255"));
  buggy.count(ip("192.0.1.255"), 1);
  expect(buggy.usage("IPv4", true)).toEqual({ total: 2, assigned: 0, available: 2 });
  expect(drain(buggy, "IPv4")).toEqual(["192.0.1.254", "192.0.2.1"]);
  buggy.release(ip("192.0.1.255"));
  expect(buggy.lowestFree("IPv4")).toBeUndefined();
  expect(buggy.whyNot(ip("192.0.2.0"))).toBe("Avoided");
  expect(pool(["2001:db8::ff-2001:db8::100"], { avoidBuggyIPs: true }).usage("IPv6", true).total).toBe(2);
});

test("has none of a family of which all is excluded or avoided", () => {
  expect(pool(["192.0.2.0"], { avoidBuggyIPs: true }).has("IPv4")).toBe(false);
  expect(pool(["192.0.2.0/31", "2001:db8::/127"]).has("IPv6")).toBe(true);
});

test("counts saturate at 2^53 - 1, and the first addresses of a /64 are given out", () => {
  const huge = pool(["2001:db8::/64"]);
  expect(huge.usage("IPv6", true).available).toBe(Number.MAX_SAFE_INTEGER);
  huge.take(ip("2001:db8::ffff:0:0:1"));
  huge.take(ip("2001:db8::"));
  expect(huge.lowestFree("IPv6")).toEqual(ip("2001:db8::1"));
});

test("of a bad pool it is known whose its readable addresses are, each counted once", () => {
  const bad = pool(["192.0.2.0/30", "nonsense", "192.0.2.2-192.0.2.5"]);
  expect(bad.problem).toContain('"nonsense"');
  expect(bad.contains(ip("192.0.2.5"))).toBe(true);
  expect(bad.usage("IPv4", false)).toEqual({ total: 6, assigned: 0, available: 0 });
});

test("takes, frees and counts as a plain set of addresses does", () =>
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(fc.tuple(fc.constantFrom("take", "release", "next"), fc.nat(300)), { maxLength: 60 }),
      (avoidBuggyIPs, steps) => {
        const tested = pool(["10.0.0.200-10.0.1.60", "10.0.0.100-10.0.0.130"], {
          avoidBuggyIPs,
          exclude: ["10.0.1.1"],
        });
        const order = [...span(456, 572), ...span(356, 386)].filter(
          (offset) => offset !== 513 && !(avoidBuggyIPs && [0, 255].includes(offset % 256)),
        );
        const taken = new Set<number>();
        for (const [what, at] of steps) {
          const offset = 340 + at;
          const address: IP = { family: "IPv4", value: 0x0a00_0000n - 256n + BigInt(offset) };
          if (what === "next") {
            const want = order.find((one) => !taken.has(one));
            expect(tested.lowestFree("IPv4")?.value).toBe(want && 0x0a00_0000n - 256n + BigInt(want));
          } else if (what === "take") {
            tested.take(address);
            taken.add(offset);
          } else {
            tested.release(address);
            taken.delete(offset);
          }
          expect(tested.usage("IPv4", true)).toMatchObject({
            total: order.length,
            available: order.filter((one) => !taken.has(one)).length,
          });
        }
      },
    ),
  ));

function span(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

test("a pool is like another that differs in nothing but how it is announced", () => {
  const words = { addresses: ["192.0.2.1-192.0.2.9"], announce: [] };
  const one = new Pool(object("a", words));
  expect(one.isLike(object("a", { ...words, announce: [{ layer2: {} }] }))).toBe(true);
  expect(one.isLike(object("a", { ...words, announce: [{ layer2: { interfaces: ["/(/"] } }] }))).toBe(false);
  expect(one.isLike(object("a", { ...words, autoAssign: false }))).toBe(false);
  expect(one.isLike(object("a", { ...words, deleting: true }))).toBe(false);
  expect(new Pool(object("a", { addresses: ["no such"] })).isLike(object("a", { addresses: ["no such"] }))).toBe(false);
});
