import { expect, test } from "vitest";
import { kindOfSent } from "./sent-frames.ts";

const ETHERNET = "ffffffffffff 020000000001";
const IPV6 = "6000000000203aff fe800000000000000000000000000001 ff020000000000000000000000000001";

test.each([
  ["speaker", `${ETHERNET} 88b5 00`],
  ["gratuitousArp", `${ETHERNET} 0806 0001 0800 06 04 0001 020000000001 c000020a 000000000000 c000020a`],
  ["gratuitousArp", `${ETHERNET} 0806 0001 0800 06 04 0002 020000000001 c000020a ffffffffffff c000020a`],
  ["arpRequest", `${ETHERNET} 0806 0001 0800 06 04 0001 020000000001 00000000 000000000000 c000020a`],
  ["unsolicitedNa", `${ETHERNET} 86dd ${IPV6} 88 00`],
  ["ns", `${ETHERNET} 86dd ${IPV6} 87 00`],
  ["other", `${ETHERNET} 86dd ${IPV6} 80 00`],
  ["other", `${ETHERNET} 0800 00`],
])("a frame sent is counted as %s", (kind, hex) => {
  expect(kindOfSent(Buffer.from(hex.replaceAll(" ", ""), "hex"))).toBe(kind);
});
