import { expect, test } from "vitest";
import { claimMap } from "../../test/unit/segment-state.ts";
import { toldClaims } from "./told-claims.ts";

const claim = (ip: string, epoch = 1n) => ({ ip, epoch, yielding: false });
const told = claimMap([claim("192.0.2.1"), claim("192.0.2.2")]);

test("what is told changes what was told before", () => {
  const news = { whole: false, set: [claim("192.0.2.1", 3n), claim("192.0.2.3")], removed: ["192.0.2.2"] };
  expect(new Map(toldClaims(told, news))).toEqual(
    new Map([
      ["192.0.2.1", claim("192.0.2.1", 3n)],
      ["192.0.2.3", claim("192.0.2.3")],
    ]),
  );
});

test("where an interface is opened anew nothing of what was told stands", () => {
  const news = { whole: true, set: [claim("192.0.2.3")], removed: [] };
  expect([...toldClaims(told, news).keys()]).toEqual(["192.0.2.3"]);
  expect(toldClaims(told, { whole: true, set: [], removed: [] }).size).toBe(0);
});

test("while nothing is told it is the same map", () => {
  expect(toldClaims(told, undefined)).toBe(told);
  expect(toldClaims(undefined, undefined)).toBe(toldClaims(undefined, undefined));
});
