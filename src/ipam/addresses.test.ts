import fc from "fast-check";
import { Address4, Address6 } from "ip-address";
import { expect, test } from "vitest";
import { canonicalIP, formatIP, parseIP, whyNotIP } from "./addresses.ts";

const bits = (count: bigint) => fc.bigInt(0n, (1n << count) - 1n);
/** Zero groups are rare by chance, and what compression is about. */
const ipv6 = fc
  .array(fc.oneof(fc.constant(0n), bits(16n)), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | group, 0n))
  .filter((value) => value >> 32n !== 0xffffn);

test("IPv4 is parsed and written as ip-address does", () =>
  fc.assert(
    fc.property(bits(32n), (value) => {
      const text = formatIP({ family: "IPv4", value });
      expect(text).toBe(Address4.fromBigInt(value).correctForm());
      expect(parseIP(text)).toEqual({ family: "IPv4", value });
    }),
  ));

test("IPv6 is parsed and written as ip-address does", () =>
  fc.assert(
    fc.property(ipv6, (value) => {
      const address = Address6.fromBigInt(value);
      const text = formatIP({ family: "IPv6", value });
      expect(text).toBe(address.correctForm());
      for (const spelling of [text, text.toUpperCase(), address.canonicalForm(), address.to4in6()])
        expect(parseIP(spelling)).toEqual({ family: "IPv6", value });
    }),
  ));

test("parseIP takes nothing that ip-address refuses, and reads the rest alike", () =>
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."0123456789af:.%/ "), maxLength: 20 }), (text) => {
      const ip = parseIP(text);
      if (ip === undefined) return;
      const oracle = ip.family === "IPv4" ? new Address4(text) : new Address6(text);
      expect(ip.value).toBe(oracle.bigInt());
    }),
    { numRuns: 2000 },
  ));

test.each([
  { text: "2001:DB8:0:0:1:0:0:1", want: "2001:db8::1:0:0:1" },
  { text: "2001:db8:0:1:1:1:1:1", want: "2001:db8:0:1:1:1:1:1" },
  { text: "::", want: "::" },
  { text: "1::", want: "1::" },
  { text: "::1.2.3.4", want: "::102:304" },
  { text: "64:ff9b::192.0.2.33", want: "64:ff9b::c000:221" },
  { text: "0.0.0.0", want: "0.0.0.0" },
  { text: "255.255.255.255", want: "255.255.255.255" },
])("$text is canonically $want", ({ text, want }) => expect(canonicalIP(text)).toBe(want));

test.each([
  { text: "", why: "is not an IPv4 or IPv6 address" },
  { text: "192.0.2", why: "is not an IPv4 or IPv6 address" },
  { text: "192.0.2.256", why: "is not an IPv4 or IPv6 address" },
  { text: "192.0.2.1.", why: "is not an IPv4 or IPv6 address" },
  { text: "192..2.1", why: "is not an IPv4 or IPv6 address" },
  { text: "192.0.2.1 ", why: "is not an IPv4 or IPv6 address" },
  { text: "192.0.2.١", why: "is not an IPv4 or IPv6 address" },
  { text: "0x7f.0.0.1", why: "is not an IPv4 or IPv6 address" },
  { text: "010.000.2.01", why: "has leading zeros; write 10.0.2.1 instead" },
  { text: "fe80::1%eth0", why: "has a zone id; write fe80::1 without it" },
  { text: "::ffff:192.0.2.1", why: "is an IPv4-mapped IPv6 address; write 192.0.2.1 instead" },
  { text: "::FFFF:c000:201", why: "is an IPv4-mapped IPv6 address; write 192.0.2.1 instead" },
  { text: "1::2::3", why: "is not an IPv4 or IPv6 address" },
  { text: ":::", why: "is not an IPv4 or IPv6 address" },
  { text: "1:2:3:4:5:6:7", why: "is not an IPv4 or IPv6 address" },
  { text: "1:2:3:4:5:6:7:8:9", why: "is not an IPv4 or IPv6 address" },
  { text: "1::2:3:4:5:6:7:8", why: "is not an IPv4 or IPv6 address" },
  { text: "1.2.3.4::", why: "is not an IPv4 or IPv6 address" },
  { text: "::01.2.3.4", why: "is not an IPv4 or IPv6 address" },
  { text: "12345::", why: "is not an IPv4 or IPv6 address" },
  { text: "1:", why: "is not an IPv4 or IPv6 address" },
])("parseIP refuses $text: $why", ({ text, why }) => {
  expect(parseIP(text)).toBeUndefined();
  expect(whyNotIP(text)).toBe(why);
});
