import fc from "fast-check";
import { expect, test } from "vitest";
import { PersistentMap } from "./persistent-map.ts";

const keys = fc.integer({ min: 0, max: 600 }).map((n) => `10.0.${n >> 5}.${n & 31}`);
const changes = fc.array(fc.tuple(keys, fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined })));

test("it holds what a Map would, and what it was made from stays as it was", () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 20 }), (steps) => {
      let map = PersistentMap.from<number>([]);
      const model = new Map<string, number>();
      for (const step of steps) {
        const before = map;
        const then = new Map(before);
        map = before.with(step);
        for (const [key, value] of step) value === undefined ? model.delete(key) : model.set(key, value);
        expect(new Map(before)).toEqual(then);
        expect(new Map(map)).toEqual(model);
        expect(map.size).toBe(model.size);
        for (const key of model.keys()) expect([map.has(key), map.get(key)]).toEqual([true, model.get(key)]);
        const differing = [...new Set([...then.keys(), ...model.keys()])].filter((k) => then.get(k) !== model.get(k));
        expect(before.differences(map).sort()).toEqual(differing.sort());
        expect(map.differences(before).sort()).toEqual(differing.sort());
      }
    }),
  );
});

test("without a change it is the same map", () => {
  const map = PersistentMap.from([["a", 1]]);
  expect(map.with([["a", 1]])).toBe(map);
  expect(map.with([["b", undefined]])).toBe(map);
});

test("what differs between two large ones is found without comparing what they share", () => {
  const all = PersistentMap.from(Array.from({ length: 10_000 }, (_, n) => [`10.0.${n >> 8}.${n & 255}`, n] as const));
  const next = all.with([["10.0.0.7", -1]]);
  let compared = 0;
  const counting = new Proxy(Map.prototype.get, {
    apply: (get, self, args) => {
      compared++;
      return Reflect.apply(get, self, args);
    },
  });
  const { get } = Map.prototype;
  try {
    Map.prototype.get = counting;
    expect(all.differences(next)).toEqual(["10.0.0.7"]);
  } finally {
    Map.prototype.get = get;
  }
  expect(compared).toBeLessThan(200);
});
