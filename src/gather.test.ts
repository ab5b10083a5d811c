import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { gather } from "./gather.ts";

test("what is written in one turn leaves together, in order, and what waits at the end leaves too", async () => {
  const left: string[] = [];
  const { write, flush } = gather((text) => left.push(text));
  write("a");
  write("b");
  expect(left).toEqual([]);
  await setImmediate();
  expect(left).toEqual(["ab"]);
  write("c");
  flush();
  await setImmediate();
  expect(left).toEqual(["ab", "c"]);
});
