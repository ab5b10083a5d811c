import { expect, test } from "vitest";
import type { OwnershipChange } from "./segment-messages.ts";
import { tellChanges } from "./tell-changes.ts";

const change = (index: number, what: OwnershipChange["what"] = "Claimed"): OwnershipChange => ({
  interface: "eth0",
  ip: `192.0.2.${index}`,
  what,
  cause: "Free",
  epoch: 1n,
  atMs: 0,
});
const many = (count: number) => Array.from({ length: count }, (_, index) => change(index));

test("a few changes are a line each", () => {
  expect(tellChanges([change(1), change(2, "Released")])).toEqual([
    { text: "Claimed 192.0.2.1", fields: { interface: "eth0", cause: "Free", epoch: 1n } },
    { text: "Released 192.0.2.2", fields: { interface: "eth0", cause: "Free", epoch: 1n } },
  ]);
  expect(tellChanges(many(10))).toHaveLength(10);
});

test("many of a kind are one line, and do not swallow another kind", () => {
  expect(tellChanges([...many(100), change(1, "Lost")]).map(({ text }) => text)).toEqual([
    "Claimed 100 IPs: 192.0.2.0, 192.0.2.1, 192.0.2.2 and 97 more",
    "Lost 192.0.2.1",
  ]);
});
