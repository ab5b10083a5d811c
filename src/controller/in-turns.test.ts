import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import type { Steps } from "../ipam/steps.ts";
import { InTurns } from "./in-turns.ts";

/** Runs on with each look at it, so that a turn is two steps. */
class RunningClock extends FakeClock {
  #looks = 0;

  override now(): number {
    return super.now() + 4 * this.#looks++;
  }
}

function world(clock: FakeClock) {
  const over = new AbortController();
  const said: string[] = [];
  function* saying(name: string, steps: number): Steps<void> {
    for (let step = 1; step <= steps; step++) {
      said.push(`${name}${step}`);
      yield;
    }
  }
  return { turns: new InTurns({ clock, signal: over.signal }), said, saying, over };
}

test("what takes no time is done at once, and may be looked at", async () => {
  const { turns, said, saying } = world(new FakeClock());
  const done = turns.do(saying("a", 100));
  expect(said).toHaveLength(100);
  expect(await turns.look(() => said.length)).toBe(100);
  await done;
});

test("long work lets others have their turns, what comes meanwhile comes after it, and nobody looks before all is done", async () => {
  const { turns, said, saying } = world(new RunningClock());
  const first = turns.do(saying("a", 5));
  const second = turns.do(saying("b", 1));
  const looked = turns.look(() => said.push("look"));
  expect(said).toEqual(["a1", "a2"]);
  await setImmediate();
  said.push("other");
  await Promise.all([first, second, looked]);
  expect(said.filter((word) => word !== "other")).toEqual(["a1", "a2", "a3", "a4", "a5", "b1", "look"]);
  expect(said.indexOf("other")).toBeLessThan(said.indexOf("a5"));
  turns.do(saying("c", 1));
  expect(said.at(-1)).toBe("c1");
});

test("work that throws keeps nobody else from theirs", async () => {
  const { turns, said, saying } = world(new RunningClock());
  function* failing(): Steps<void> {
    yield* saying("a", 3);
    throw new Error("no");
  }
  const failed = expect(turns.do(failing())).rejects.toThrow("no");
  await turns.do(saying("b", 1));
  await failed;
  expect(said.at(-1)).toBe("b1");
});

test("what is aborted ends in the middle, and is not looked at", async () => {
  const { turns, said, saying, over } = world(new RunningClock());
  const all = [turns.do(saying("a", 50)), turns.do(saying("b", 1))];
  const looked = turns.look(() => "looked");
  over.abort();
  await Promise.all(all);
  expect(await looked).toBeUndefined();
  expect(said).toEqual(["a1", "a2"]);
});
