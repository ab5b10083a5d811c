import fc from "fast-check";
import { expect, test } from "vitest";
import { type Arp, arpProbe, arpRequest, decodeArp, encodeArp, gratuitousArp } from "./arp.ts";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

test.each<{ name: string; hex: string; want: Arp }>([
  {
    name: "a request",
    hex: "0001 0800 06 04 0001 02005e000001 c000020a 000000000000 c000020b",
    want: {
      operation: "request",
      senderMac: bytes("02005e000001"),
      senderIP: 0xc000020a,
      targetMac: bytes("000000000000"),
      targetIP: 0xc000020b,
    },
  },
  {
    name: "a reply with padding",
    hex: "0001 0800 06 04 0002 02005e000002 c000020b 02005e000001 c000020a 000000000000000000000000000000000000",
    want: {
      operation: "reply",
      senderMac: bytes("02005e000002"),
      senderIP: 0xc000020b,
      targetMac: bytes("02005e000001"),
      targetIP: 0xc000020a,
    },
  },
  {
    name: "a probe",
    hex: "0001 0800 06 04 0001 02005e000001 00000000 000000000000 c000020b",
    want: {
      operation: "request",
      senderMac: bytes("02005e000001"),
      senderIP: 0,
      targetMac: bytes("000000000000"),
      targetIP: 0xc000020b,
    },
  },
])("decodeArp takes $name", ({ hex, want }) => expect(decodeArp(bytes(hex))).toEqual(want));

test.each([
  { name: "nothing", hex: "", want: "Short" },
  {
    name: "cut off in the target IP",
    hex: "0001 0800 06 04 0001 02005e000001 c000020a 000000000000 c00002",
    want: "Short",
  },
  {
    name: "hardware type IEEE 802",
    hex: "0006 0800 06 04 0001 02005e000001 c000020a 000000000000 c000020b",
    want: "NotIPv4OverEthernet",
  },
  {
    name: "protocol type IPv6",
    hex: "0001 86dd 06 04 0001 02005e000001 c000020a 000000000000 c000020b",
    want: "NotIPv4OverEthernet",
  },
  {
    name: "MACs of 8 bytes",
    hex: "0001 0800 08 04 0001 02005e0000010000 c000020a 0000000000000000 c000020b",
    want: "NotIPv4OverEthernet",
  },
  {
    name: "IPs of 16 bytes",
    hex: "0001 0800 06 10 0001 02005e000001 c000020a 000000000000 c000020b",
    want: "NotIPv4OverEthernet",
  },
  {
    name: "RARP operation",
    hex: "0001 0800 06 04 0003 02005e000001 c000020a 000000000000 c000020b",
    want: "UnknownOperation",
  },
  {
    name: "operation 0x0101",
    hex: "0001 0800 06 04 0101 02005e000001 c000020a 000000000000 c000020b",
    want: "UnknownOperation",
  },
])("decodeArp drops $name", ({ hex, want }) => expect(decodeArp(bytes(hex))).toBe(want));

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
const ip = fc.integer({ min: 0, max: 0xffff_ffff });

test("what encodeArp builds decodes to the same, wherever it lies and whatever follows", () => {
  const arp = fc.record({
    operation: fc.constantFrom("request" as const, "reply" as const),
    senderMac: mac,
    senderIP: ip,
    targetMac: mac,
    targetIP: ip,
  });
  fc.assert(
    fc.property(arp, fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), (sent, before, after) => {
      const all = Uint8Array.of(...before, ...encodeArp(sent), ...after);
      expect(decodeArp(all.subarray(before.length))).toEqual(sent);
    }),
  );
});

test("decodeArp takes any bytes, and takes nothing that encodeArp would not build", () => {
  const fixed = fc.constantFrom("", "00010800", "0001080006040001", "0001080006040002").map(bytes);
  fc.assert(
    fc.property(fixed, fc.uint8Array({ maxLength: 60 }), (head, rest) => {
      const payload = Uint8Array.of(...head, ...rest);
      const arp = decodeArp(payload);
      if (typeof arp !== "string") expect(encodeArp(arp)).toEqual(payload.slice(0, 28));
    }),
  );
});

test.each([
  {
    operation: "request" as const,
    want: "ffffffffffff 02005e000001 0806 0001 0800 06 04 0001 02005e000001 c000020a 000000000000 c000020a",
  },
  {
    operation: "reply" as const,
    want: "ffffffffffff 02005e000001 0806 0001 0800 06 04 0002 02005e000001 c000020a 02005e000001 c000020a",
  },
])("gratuitousArp builds the broadcast $operation", ({ operation, want }) =>
  expect(gratuitousArp(operation, bytes("02005e000001"), 0xc000020a)).toEqual(bytes(want)),
);

test.each([
  {
    name: "arpRequest asks everyone",
    frame: arpRequest(bytes("02005e000001"), 0xc000020a, 0xc000020b),
    want: "ffffffffffff 02005e000001 0806 0001 0800 06 04 0001 02005e000001 c000020a 000000000000 c000020b",
  },
  {
    name: "arpRequest asks one host",
    frame: arpRequest(bytes("02005e000001"), 0xc000020a, 0xc000020b, bytes("02005e000002")),
    want: "02005e000002 02005e000001 0806 0001 0800 06 04 0001 02005e000001 c000020a 000000000000 c000020b",
  },
  {
    name: "arpProbe asks from nowhere",
    frame: arpProbe(bytes("02005e000001"), 0xc000020b),
    want: "ffffffffffff 02005e000001 0806 0001 0800 06 04 0001 02005e000001 00000000 000000000000 c000020b",
  },
])("$name", ({ frame, want }) => expect(frame).toEqual(bytes(want)));
