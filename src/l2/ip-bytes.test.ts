import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIP } from "../ipam/addresses.ts";
import { ipBytes, ipText } from "./ip-bytes.ts";

test.each([
  { text: "192.0.2.10", hex: "c000020a" },
  { text: "255.255.255.255", hex: "ffffffff" },
  { text: "2001:db8::1", hex: "20010db8000000000000000000000001" },
  { text: "::", hex: "00000000000000000000000000000000" },
  { text: "::1", hex: "00000000000000000000000000000001" },
  { text: "fe80::", hex: "fe800000000000000000000000000000" },
  { text: "1:2:3:4:5:6:7:8", hex: "00010002000300040005000600070008" },
  { text: "1:2:3:4:5:6:7::", hex: "00010002000300040005000600070000" },
  { text: "2001:DB8::A", hex: "20010db800000000000000000000000a" },
  { text: "2001:db8::192.0.2.1", hex: "20010db80000000000000000c0000201" },
  { text: "1:0:0:0:0:ffff:c000:201", hex: "000100000000000000" + "00ffffc0000201" },
])("ipBytes writes $text", ({ text, hex }) => expect(Buffer.from(ipBytes(text)).toString("hex")).toBe(hex));

test.each([
  "",
  ":",
  ":::",
  "1:2",
  "1::2::3",
  "1:2:3:4:5:6:7:8::",
  ":1::",
  "1::2:",
  "12345::",
  "::g",
  "::ffff:192.0.2.1",
  "fe80::1%eth0",
  "192.0.2",
])("ipBytes refuses %o", (text) => expect(() => ipBytes(text)).toThrow(RangeError));

test("ipBytes reads what parseIP reads, and refuses what it refuses", () => {
  const written = fc.array(fc.constantFrom(":", "::", "0", "1", "ffff", "00ab", "C", "1.2.3.4", "12345"), {
    maxLength: 18,
  });
  const texts = fc.oneof(
    fc.ipV6(),
    fc.ipV4(),
    fc.string(),
    written.map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const ip = parseIP(text);
      if (ip === undefined) {
        expect(() => ipBytes(text)).toThrow(RangeError);
        return;
      }
      const value = BigInt(`0x${Buffer.from(ipBytes(text)).toString("hex")}`);
      expect({ family: ipBytes(text).length === 4 ? "IPv4" : "IPv6", value }).toEqual(ip);
    }),
    { numRuns: 2000 },
  );
});

test("ipText writes what ipBytes reads", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(bytes, (ip) => {
      const mapped =
        ip.length === 16 && ip.subarray(0, 10).every((byte) => byte === 0) && ip[10] === 0xff && ip[11] === 0xff;
      fc.pre(!mapped);
      expect(ipBytes(ipText(ip))).toEqual(ip);
    }),
  );
});
