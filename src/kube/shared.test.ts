import { expect, test } from "vitest";
import { Shared } from "./shared.ts";

test("equal keys have one value, made once", () => {
  const shared = new Shared<object>(10);
  const a = shared.of("a", () => ({}));
  expect(shared.of("a", () => ({}))).toBe(a);
  expect(shared.of("b", () => ({}))).not.toBe(a);
});

test("it forgets all before there are too many, and shares anew", () => {
  const shared = new Shared<object>(3);
  const of = (key: string) => shared.of(key, () => ({}));
  const [a] = ["a", "b", "c"].map(of);
  expect(of("a")).toBe(a);
  const d = of("d");
  expect(of("a")).not.toBe(a);
  expect(of("d")).toBe(d);
});

test("long texts are not kept", () => {
  const shared = new Shared<object>(3);
  const of = (key: string) => shared.of(key, () => ({}));
  const a = of("a");
  for (let n = 0; n < 10; n++) expect(of("x".repeat(254))).not.toBe(of("x".repeat(254)));
  expect(of("a")).toBe(a);
});
