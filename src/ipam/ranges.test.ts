import fc from "fast-check";
import { Address4, Address6 } from "ip-address";
import { expect, test } from "vitest";
import { formatIP, parseIP } from "./addresses.ts";
import { containsIP, parseRange, parseSubnet, sizeOf } from "./ranges.ts";

function ends(entry: string): string {
  const range = parseRange(entry);
  if (typeof range === "string") return range;
  const { family, first, last } = range;
  return `${formatIP({ family, value: first })} ${formatIP({ family, value: last })}`;
}

test.each([
  { entry: "192.0.2.16/28", want: "192.0.2.16 192.0.2.31" },
  { entry: "192.0.2.7/32", want: "192.0.2.7 192.0.2.7" },
  { entry: "0.0.0.0/0", want: "0.0.0.0 255.255.255.255" },
  { entry: "2001:db8::/127", want: "2001:db8:: 2001:db8::1" },
  { entry: "::/0", want: ":: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
  { entry: " 192.0.2.1 - 192.0.2.9 ", want: "192.0.2.1 192.0.2.9" },
  { entry: "\u00a0192.0.2.1\t-\u2003192.0.2.9\u0085", want: "192.0.2.1 192.0.2.9" },
  { entry: "2001:DB8::A-2001:db8::b", want: "2001:db8::a 2001:db8::b" },
  { entry: "::1.2.3.4/128", want: "::102:304 ::102:304" },
  { entry: "192.0.2.1", want: "192.0.2.1 192.0.2.1" },
  { entry: "192.0.2.1/28", want: "has host bits set; write 192.0.2.0/28, or 192.0.2.1 for that address alone" },
  {
    entry: "192.0.2.0/028",
    want: "has a bad prefix length; write a number from 0 to 32 after the slash, without leading zeros",
  },
  {
    entry: "2001:db8::/129",
    want: "has a bad prefix length; write a number from 0 to 128 after the slash, without leading zeros",
  },
  { entry: "192.0.2.0.0/28", want: 'is not a CIDR; write one like "192.0.2.0/28" or "2001:db8::/112"' },
  { entry: "192.0.2.9-192.0.2.1", want: "starts after its end; swap the two addresses" },
  { entry: "2001:db8::2-2001:db8::1", want: "starts after its end; swap the two addresses" },
  {
    entry: "2001:db8::/064",
    want: "has a bad prefix length; write a number from 0 to 128 after the slash, without leading zeros",
  },
  {
    entry: "192.0.2.0/28/28",
    want: "has a bad prefix length; write a number from 0 to 32 after the slash, without leading zeros",
  },
  { entry: "2001:db8::1/64", want: "has host bits set; write 2001:db8::/64, or 2001:db8::1 for that address alone" },
  {
    entry: "::ffff:192.0.2.0/120",
    want: 'has an address, "::ffff:192.0.2.0", that is an IPv4-mapped IPv6 address; write 192.0.2.0 instead',
  },
  { entry: "::ffff:0:0", want: "is an IPv4-mapped IPv6 address; write 0.0.0.0 instead" },
  { entry: "fe80::1%eth0/64", want: 'has an address, "fe80::1%eth0", that has a zone id; write fe80::1 without it' },
  { entry: "010.0.0.0/8", want: 'has an address, "010.0.0.0", that has leading zeros; write 10.0.0.0 instead' },
  {
    entry: "\ufeff192.0.2.1",
    want: 'is not an address, a CIDR or a range; write one like "192.0.2.10", "192.0.2.0/28" or "192.0.2.10-192.0.2.20"',
  },
  { entry: "192.0.2.1-::", want: "mixes IPv4 and IPv6; make it two ranges of one family each" },
  { entry: "-192.0.2.1", want: 'has no start; write a range like "192.0.2.10-192.0.2.20"' },
  { entry: "192.0.2.01-192.0.2.9", want: 'has a start, "192.0.2.01", that has leading zeros; write 192.0.2.1 instead' },
])("parseRange of $entry: $want", ({ entry, want }) => expect(ends(entry)).toBe(want));

test("a CIDR spans what ip-address says", () =>
  fc.assert(
    fc.property(fc.ipV4(), fc.nat(32), fc.ipV6(), fc.nat(128), (v4, short, v6, long) => {
      for (const oracle of [new Address4(`${v4}/${short}`), new Address6(`${v6}/${long}`)]) {
        const range = parseSubnet(
          oracle.address.includes("/") ? oracle.address : `${oracle.correctForm()}${oracle.subnet}`,
        );
        if (range === undefined) return; // IPv4-mapped
        expect([range.first, range.last]).toEqual([oracle.startAddress().bigInt(), oracle.endAddress().bigInt()]);
        expect(sizeOf(range)).toBe(range.last - range.first + 1n);
      }
    }),
  ));

test("a CIDR is taken exactly where its host bits are clear, and is the subnet that it names", () =>
  fc.assert(
    fc.property(fc.oneof(fc.tuple(fc.ipV4(), fc.nat(32)), fc.tuple(fc.ipV6(), fc.nat(128))), ([ip, length]) => {
      const subnet = parseSubnet(`${ip}/${length}`);
      if (subnet === undefined) return; // IPv4-mapped
      const { family, first } = subnet;
      expect(parseRange(`${formatIP({ family, value: first })}/${length}`)).toEqual(subnet);
      const isFirst = parseIP(ip)?.value === first;
      expect(typeof parseRange(`${ip}/${length}`)).toBe(isFirst ? "object" : "string");
    }),
  ));

test("a range holds its ends and not their neighbours", () => {
  const range = { family: "IPv4", first: 10n, last: 20n } as const;
  const inside = [9n, 10n, 20n, 21n].map((value) => containsIP(range, { family: "IPv4", value }));
  expect(inside).toEqual([false, true, true, false]);
  expect(containsIP(range, { family: "IPv6", value: 15n })).toBe(false);
});

test("nothing that a person may write makes parseRange throw", () =>
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."012.:/-% f") })), (entry) => {
      const range = parseRange(entry);
      if (typeof range === "string") expect(range).not.toBe("");
      else expect(range.first <= range.last).toBe(true);
    }),
  ));
