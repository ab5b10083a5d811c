import fc from "fast-check";
import { expect, test } from "vitest";
import { bodyRoom } from "./frame.ts";
import { decodeHello, encodeHello, type Hello, helloVersions } from "./hello.ts";

const hello: Hello = {
  flags: { starting: true, leaving: false, restarting: false, notForwarding: true, isolated: false },
  helloIntervalMs: 100,
  multiplier: 3,
  restartGraceMs: 60_000,
  claimsVersion: 5n,
  mac: Uint8Array.of(2, 0, 0x5e, 0, 0, 1),
  ipv4: Uint8Array.of(192, 0, 2, 1),
  ipv6: new Uint8Array(16),
  heard: [0x317e_b7f7],
  hears: 1,
  versions: new Map([["nodes", 258n]]),
};
const HEX =
  "0009 0064 0000000000000005 02005e000001 c0000201 00000000000000000000000000000000 01 317eb7f7 01 05 6e6f646573 0000000000000102 03 0001 0000ea60";
const body = new Uint8Array(Buffer.from(HEX.replaceAll(" ", ""), "hex"));

test("a hello, byte for byte: docs/wire.md has it", () => {
  expect(Buffer.from(encodeHello("n1", hello, 0)).toString("hex")).toBe(Buffer.from(body).toString("hex"));
  expect(decodeHello(body)).toEqual(hello);
});

test("fields that a later release adds at the end do not matter", () =>
  expect(decodeHello(Uint8Array.of(...body, 1, 2, 3))).toEqual(hello));

test("cut off anywhere, it is malformed", () => {
  for (let length = 0; length < body.length; length++) expect(decodeHello(body.slice(0, length))).toBe("Malformed");
});

test.each([0, 9, 10_001])("an interval of %i ms is malformed", (helloIntervalMs) =>
  expect(decodeHello(encodeHello("n1", { ...hello, helloIntervalMs }, 0))).toBe("Malformed"),
);

test.each([0, 1, 51])("a multiplier of %i is malformed", (multiplier) =>
  expect(decodeHello(encodeHello("n1", { ...hello, multiplier }, 0))).toBe("Malformed"),
);

test.each([0, 999, 3_600_001])("a restart grace of %i ms is malformed", (restartGraceMs) =>
  expect(decodeHello(encodeHello("n1", { ...hello, restartGraceMs }, 0))).toBe("Malformed"),
);

test("random bytes never throw", () => fc.assert(fc.property(fc.uint8Array(), (noise) => void decodeHello(noise))));

test("of more neighbours than fit, each is named in turn", () => {
  const heard = Array.from({ length: 600 }, (_, i) => i + 1);
  const versions = new Map(Array.from({ length: 20 }, (_, i) => [`kind-${i}`.padEnd(60, "x"), 1n]));
  for (const node of ["n1", "n".repeat(253)]) {
    const named = new Set<number>();
    for (let turn = 0; turn < 50; turn++) {
      const encoded = encodeHello(node, { ...hello, heard, versions }, turn);
      expect(encoded.length).toBeLessThanOrEqual(bodyRoom(node));
      const decoded = decodeHello(encoded);
      if (decoded === "Malformed") throw new Error("malformed");
      for (const hash of decoded.heard) named.add(hash);
    }
    expect(named.size).toBe(600);
  }
});

test("resourceVersions are integers; what is none is left out", () =>
  expect(
    helloVersions(
      new Map([
        ["a", "12"],
        ["b", ""],
        ["c", "x1"],
        ["d", "9".repeat(30)],
      ]),
    ),
  ).toEqual(new Map([["a", 12n]])));
