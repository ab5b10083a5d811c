import fc from "fast-check";
import { expect, test } from "vitest";
import { PersistentMap } from "../persistent-map.ts";
import { TablePacker } from "./table-packer.ts";

const MACS = [Uint8Array.of(2, 0, 0, 0, 0, 1), Uint8Array.of(2, 0, 0, 0, 0, 2)] as const;
const ip = fc.oneof(
  fc.nat(9).map((n) => `192.0.2.${n}`),
  fc.nat(3).map((n) => `2001:db8::${n + 1}`),
);
const change = fc.tuple(ip, fc.option(fc.constantFrom(...MACS), { nil: undefined }));

/** The entries in hex, sorted. */
function entries(packed: Uint8Array): string[] {
  const all = Buffer.from(packed).toString("hex");
  return (all.match(/.{44}/g) ?? []).sort();
}

test("packed one after another tables give what each gives when it is packed alone", () =>
  fc.assert(
    fc.property(fc.array(fc.array(change)), fc.boolean(), (steps, persistent) => {
      const packer = new TablePacker();
      let table = PersistentMap.from<Uint8Array>([]);
      for (const step of steps) {
        table = table.with(step);
        const given = persistent ? table : new Map(table);
        expect(entries(packer.pack(given))).toEqual(entries(new TablePacker().pack(table)));
      }
    }),
  ));

test("an entry is the address, IPv4 as IPv4-mapped, then the MAC", () => {
  const table = new Map([
    ["192.0.2.1", MACS[0]],
    ["2001:db8::1", MACS[1]],
  ]);
  expect(entries(new TablePacker().pack(table))).toEqual([
    `${"0".repeat(20)}ffffc0000201020000000001`,
    "20010db8000000000000000000000001020000000002",
  ]);
});

test("a table with a MAC that is none is refused as a whole", () => {
  const packer = new TablePacker();
  const good = new Map([["192.0.2.1", MACS[0]]]);
  const bad = new Map([...good, ["192.0.2.2", Uint8Array.of(1)]]);
  expect(() => packer.pack(bad)).toThrow("the MAC of 192.0.2.2 has 1 bytes");
  expect(entries(packer.pack(good))).toHaveLength(1);
});
