import fc from "fast-check";
import { expect, test } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("gives the same lines however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(40)), (texts, cuts) => {
      const lines = texts.map((text) => text.replaceAll("\n", "")).filter((text) => text !== "");
      const stream = bytes(lines.map((line) => `${line}\n`).join(""));
      const splitter = new LineSplitter(1 << 20);
      const got: string[] = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        got.push(...splitter.push(stream.subarray(at, at + cut)));
        at += cut;
      }
      expect(got).toEqual(lines);
    }),
  );
});

test("a line without its end is kept back", () => {
  const splitter = new LineSplitter(100);
  expect([...splitter.push(bytes('{"a":1}\n{"b"'))]).toEqual(['{"a":1}']);
  expect([...splitter.push(bytes(":2}"))]).toEqual([]);
  expect([...splitter.push(bytes("\n\n"))]).toEqual(['{"b":2}']);
});

test("a line that never ends is refused before it fills the memory", () => {
  const splitter = new LineSplitter(10);
  expect([...splitter.push(bytes("0123456789"))]).toEqual([]);
  expect(() => [...splitter.push(bytes("0"))]).toThrow("longer than 10 bytes");
});
