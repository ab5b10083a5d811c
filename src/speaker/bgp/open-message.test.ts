import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeOpen, messageLength } from "./open-message.ts";

const MARKER = "ff".repeat(16);
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

test.each([
  { name: "without parameters", hex: `${MARKER} 001d 01 04 fde8 0009 c0000201 00`, want: { asn: 65000, holdTime: 9 } },
  {
    name: "with a 4-octet AS",
    hex: `${MARKER} 0025 01 04 5ba0 00b4 c0000201 08 02 06 41 04 fffffde9`,
    want: { asn: 4294966761, holdTime: 180 },
  },
  {
    name: "with other capabilities before it",
    hex: `${MARKER} 002d 01 04 5ba0 00b4 c0000201 10 02 06 01 04 00010001 02 06 41 04 0001 1170`,
    want: { asn: 70000, holdTime: 180 },
  },
  {
    name: "with extended parameters",
    hex: `${MARKER} 0029 01 04 5ba0 00b4 c0000201 ff ff 0009 02 0006 41 04 00011170`,
    want: { asn: 70000, holdTime: 180 },
  },
  {
    name: "cut off in a parameter",
    hex: `${MARKER} 001f 01 04 fde8 00b4 c0000201 08 02 06`,
    want: { asn: 65000, holdTime: 180 },
  },
  { name: "another message", hex: `${MARKER} 0013 04`, want: undefined },
  { name: "cut off", hex: `${MARKER} 001d 01 04 fde8`, want: undefined },
  { name: "of another protocol", hex: "48545450".repeat(8), want: undefined },
])("an OPEN $name", ({ hex, want }) => expect(decodeOpen(bytes(hex))).toEqual(want));

test("whatever comes in, nothing is thrown", () => {
  const noise = fc.uint8Array({ maxLength: 64 });
  fc.assert(
    fc.property(noise, (tail) => {
      const message = Uint8Array.from([...bytes(`${MARKER} 0040 01 04`), ...tail]);
      decodeOpen(message);
      messageLength(tail);
      decodeOpen(tail);
    }),
  );
});
