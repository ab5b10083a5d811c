import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeEthernet, encodeEthernet } from "./ethernet.ts";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

test("decodeEthernet takes the fields apart", () => {
  expect(decodeEthernet(bytes("034845524c44 02005e000001 88b5 484c"))).toEqual({
    destination: bytes("034845524c44"),
    source: bytes("02005e000001"),
    etherType: 0x88b5,
    payload: bytes("484c"),
  });
});

test("decodeEthernet drops what is shorter than a header", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 13 }), (frame) => {
      expect(decodeEthernet(frame)).toBe("Short");
    }),
  );
});

test("what encodeEthernet builds decodes to the same", () => {
  const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(
      mac,
      mac,
      fc.integer({ min: 0, max: 0xffff }),
      fc.uint8Array(),
      (destination, source, etherType, payload) => {
        const frame = encodeEthernet(destination, source, etherType, payload);
        expect(decodeEthernet(frame)).toEqual({ destination, source, etherType, payload });
      },
    ),
  );
});
