import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_EPOCH } from "../election/epoch.ts";
import {
  decodeClaims,
  decodeFull,
  decodeRequest,
  type Entry,
  encodeClaims,
  encodeFull,
  encodeRequest,
  splitEntries,
} from "./claims.ts";
import { bodyRoom } from "./frame.ts";
import { ipText } from "./ip-bytes.ts";

const entries: Entry[] = [
  { ip: "192.0.2.10", epoch: 3n, removed: false, yielding: true },
  { ip: "192.0.2.11", epoch: 5n, removed: true, successor: 0x317e_b7f7 },
  { ip: "2001:db8::1", epoch: 1n, removed: false, yielding: false, tentative: true },
];
const ENTRIES =
  "0003 04c000020a0000000000000003 02c000020b0000000000000005317eb7f7 0920010db80000000000000000000000010000000000000001";
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (array: Uint8Array) => Buffer.from(array).toString("hex");

const claimsBody = bytes(`0000000000000007 0000000000000008 ${ENTRIES}`);
const fullBody = bytes(`0000000000000008 0001 0002 ${ENTRIES}`);

test("claims, byte for byte: docs/wire.md has it", () => {
  expect(hex(encodeClaims({ before: 7n, version: 8n, entries }))).toBe(hex(claimsBody));
  expect(decodeClaims(claimsBody)).toEqual({ before: 7n, version: 8n, entries });
});

test("full, byte for byte: docs/wire.md has it", () => {
  expect(hex(encodeFull({ version: 8n, part: 1, parts: 2, entries }))).toBe(hex(fullBody));
  expect(decodeFull(fullBody)).toEqual({ version: 8n, part: 1, parts: 2, entries });
});

test("request, byte for byte", () => {
  expect(hex(encodeRequest(0x317e_b7f7))).toBe("317eb7f7");
  expect(decodeRequest(bytes("317eb7f7"))).toBe(0x317e_b7f7);
  expect(decodeRequest(bytes("aa2f0f"))).toBe("Malformed");
});

test("cut off anywhere, they are malformed", () => {
  for (let length = 0; length < claimsBody.length; length++)
    expect(decodeClaims(claimsBody.slice(0, length))).toBe("Malformed");
  for (let length = 0; length < fullBody.length; length++)
    expect(decodeFull(fullBody.slice(0, length))).toBe("Malformed");
});

test.each([
  { name: "a version that does not rise", got: () => decodeClaims(bytes("0000000000000008 0000000000000008 0000")) },
  { name: "a part past the last", got: () => decodeFull(bytes("0000000000000008 0002 0002 0000")) },
  { name: "more entries than there are", got: () => decodeFull(bytes("0000000000000008 0000 0001 ffff")) },
])("$name is malformed", ({ got }) => expect(got()).toBe("Malformed"));

test("random bytes never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      decodeClaims(noise);
      decodeFull(noise);
      decodeRequest(noise);
    }),
  );
});

const epoch = fc.bigInt({ min: 0n, max: MAX_EPOCH });
const ip = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(ipText);
const entry = fc.oneof(
  fc.record({ ip, epoch, removed: fc.constant(false as const), yielding: fc.boolean() }),
  fc.record({ ip, epoch, removed: fc.constant(false as const), yielding: fc.boolean(), tentative: fc.constant(true) }),
  fc.record({ ip, epoch, removed: fc.constant(true as const), successor: fc.nat(0xffff_ffff) }),
);

test("whatever is split fits, keeps its order, and comes back as it was", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 300 }), fc.constantFrom("n1", "n".repeat(253)), (all, node) => {
      const parts = splitEntries(node, all);
      expect(parts.flat()).toEqual(all);
      for (const part of parts) {
        const body = encodeClaims({ before: 0n, version: 1n, entries: part });
        expect(body.length).toBeLessThanOrEqual(bodyRoom(node));
        expect(decodeClaims(body)).toEqual({ before: 0n, version: 1n, entries: part });
        const full = { version: 1n, part: 0, parts: 1, entries: part };
        expect(decodeFull(encodeFull(full))).toEqual(full);
      }
    }),
  );
});

test("an epoch that no moves can have led to counts as 0", () => {
  const entries: Entry[] = [{ ip: "192.0.2.10", epoch: 2n ** 64n - 1n, removed: false, yielding: false }];
  expect(decodeClaims(encodeClaims({ before: 0n, version: 1n, entries }))).toMatchObject({ entries: [{ epoch: 0n }] });
});
