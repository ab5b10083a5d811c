import { expect, test } from "vitest";
import { demand, sharing } from "../../test/unit/address-world.ts";
import type { Demand, Sharing } from "./demand.ts";
import { clashOf } from "./sharing.ts";

function sharer(namespace: string, more: Partial<Sharing> | "no key" = {}): Demand {
  return demand(`${namespace}/s`, more === "no key" ? {} : sharing("k", more));
}

const local = { policy: "Local" } as const;

test.each<{ name: string; a: Demand; b: Demand; want: object | undefined }>([
  {
    name: "one key and no port in common",
    a: sharer("n", { ports: ["TCP/80"] }),
    b: sharer("n", { ports: ["TCP/81", "UDP/80"] }),
    want: undefined,
  },
  { name: "no key on one side", a: sharer("n"), b: sharer("n", "no key"), want: { what: "Key" } },
  { name: "no key at all", a: sharer("n", "no key"), b: sharer("n", "no key"), want: { what: "Key" } },
  { name: "different keys", a: sharer("n"), b: sharer("n", { key: "other" }), want: { what: "Key" } },
  {
    name: "a port in common",
    a: sharer("n", { ports: ["TCP/80", "UDP/53"] }),
    b: sharer("n", { ports: ["TCP/81", "UDP/53"] }),
    want: { what: "Port", port: "UDP/53" },
  },
  { name: "Cluster and Local", a: sharer("n"), b: sharer("n", { ...local, selector: "{}" }), want: { what: "Policy" } },
  {
    name: "Local with one selector",
    a: sharer("n", { ...local, selector: "s" }),
    b: sharer("n", { ...local, selector: "s" }),
    want: undefined,
  },
  {
    name: "Local with two selectors",
    a: sharer("n", { ...local, selector: "s" }),
    b: sharer("n", { ...local, selector: "t" }),
    want: { what: "Selector" },
  },
  { name: "Local without selectors", a: sharer("n", local), b: sharer("n", local), want: { what: "Selector" } },
  { name: "two namespaces without consent", a: sharer("n"), b: sharer("m"), want: { what: "Namespace" } },
  { name: "consent of one side", a: sharer("n", { namespaces: ["m"] }), b: sharer("m"), want: { what: "Namespace" } },
  {
    name: "consent of both",
    a: sharer("n", { namespaces: ["m"] }),
    b: sharer("m", { namespaces: "*" }),
    want: undefined,
  },
  {
    name: "Local in two namespaces, with consent",
    a: sharer("n", { ...local, selector: "s", namespaces: "*" }),
    b: sharer("m", { ...local, selector: "s", namespaces: "*" }),
    want: { what: "Namespace" },
  },
])("sharing: $name", ({ a, b, want }) => {
  expect(clashOf(a, b)).toEqual(want && { holder: b.key, ...want });
  expect(clashOf(b, a)).toEqual(want && { holder: a.key, ...want });
});
