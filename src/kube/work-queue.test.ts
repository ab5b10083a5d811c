import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import { ApiError } from "./api-error.ts";
import { WorkQueue } from "./work-queue.ts";

const ends: AbortController[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});

/** A queue whose work ends when the test says so. */
function start(workers = 2) {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0 });
  const end = new AbortController();
  ends.push(end);
  const begun: string[] = [];
  const failed: string[] = [];
  const open = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const run = queue.run({
    workers,
    signal: end.signal,
    handle: (key) => {
      begun.push(key);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      open.set(key, { resolve, reject });
      return promise;
    },
    failed: (key, _, retryInMs) => failed.push(`${key} ${retryInMs}`),
  });
  const finish = async (key: string, error?: Error) => {
    const work = open.get(key);
    open.delete(key);
    if (error) work?.reject(error);
    else work?.resolve();
    await clock.advance(0);
  };
  return { clock, queue, end, begun, failed, open, run, finish };
}

test("a key that is added often waits once, and keys come in their order", async () => {
  const { clock, queue, begun, finish } = start(1);
  for (const key of ["a", "b", "a", "c", "b", "a"]) queue.add(key);
  expect(queue.depth).toBe(3);
  for (const key of ["a", "b", "c"]) {
    await clock.advance(0);
    await finish(key);
  }
  expect(begun).toEqual(["a", "b", "c"]);
  expect(queue.depth).toBe(0);
});

test("many keys of which nothing has to be waited for let others have their turns", async () => {
  const queue = new WorkQueue({ clock: new FakeClock(), random: () => 0 });
  const end = new AbortController();
  ends.push(end);
  const keys = Array.from({ length: 1000 }, (_, index) => `key-${index}`);
  for (const key of keys) queue.add(key);
  const handled: string[] = [];
  const handle = async (key: string) => void handled.push(key);
  void queue.run({ workers: 2, signal: end.signal, handle, failed: () => {} });
  await setImmediate();
  expect(handled.length).toBeLessThan(300);
  while (handled.length < keys.length) await setImmediate();
  expect(handled).toEqual(keys);
});

test("a key added while it is handled is handled once more, afterwards", async () => {
  const { clock, queue, begun, finish } = start(2);
  queue.add("a");
  await clock.advance(0);
  queue.add("a");
  queue.add("a");
  await clock.advance(0);
  expect(begun).toEqual(["a"]);
  await finish("a");
  expect(begun).toEqual(["a", "a"]);
  await finish("a");
  expect(begun).toEqual(["a", "a"]);
});

test("a key that fails is tried again later and later; a success forgives", async () => {
  const { clock, queue, begun, failed, finish } = start();
  queue.add("a");
  for (const waitMs of [100, 200, 400]) {
    await clock.advance(0);
    await finish("a", new Error("no"));
    expect(failed.pop()).toBe(`a ${waitMs}`);
    await clock.advance(waitMs - 1);
    const { length } = begun;
    await clock.advance(1);
    expect(begun).toHaveLength(length + 1);
  }
  await finish("a");
  queue.add("a");
  await clock.advance(0);
  await finish("a", new Error("no"));
  expect(failed).toEqual(["a 100"]);
});

test("the back-off has a cap", async () => {
  const { clock, queue, failed, finish } = start();
  queue.add("a");
  for (let i = 0; i < 20; i++) {
    await clock.advance(30_000);
    await finish("a", new Error("no"));
  }
  expect(failed.at(-1)).toBe("a 30000");
});

test("a server that asks for patience gets it", async () => {
  const { clock, queue, failed, finish } = start();
  queue.add("a");
  await clock.advance(0);
  await finish("a", new ApiError("PATCH", 429, {}, 7000));
  expect(failed).toEqual(["a 7000"]);
});

test("a failing key holds no other up, and an add does not wait for its back-off", async () => {
  const { clock, queue, begun, finish } = start(1);
  queue.add("bad");
  await clock.advance(0);
  await finish("bad", new Error("no"));
  queue.add("good");
  await clock.advance(0);
  await finish("good");
  queue.add("bad");
  await clock.advance(0);
  expect(begun).toEqual(["bad", "good", "bad"]);
  await finish("bad");
  await clock.advance(60_000);
  expect(begun).toHaveLength(3);
});

test("of several later times the earliest counts", async () => {
  const { clock, queue, begun } = start();
  queue.addAfter("a", 500);
  queue.addAfter("a", 100);
  queue.addAfter("a", 900);
  await clock.advance(99);
  expect(begun).toEqual([]);
  await clock.advance(1);
  expect(begun).toEqual(["a"]);
  await clock.advance(1000);
  expect(clock.pending).toBe(0);
});

test("after an abort no work begins, and the end waits for what is under way", async () => {
  const { clock, queue, end, begun, run, finish, failed } = start(1);
  queue.add("a");
  queue.add("b");
  queue.addAfter("c", 10);
  await clock.advance(0);
  let ended = false;
  run.then(() => {
    ended = true;
  });
  end.abort();
  await clock.advance(100);
  expect(ended).toBe(false);
  await finish("a", new Error("aborted"));
  expect(ended).toBe(true);
  expect(begun).toEqual(["a"]);
  expect(failed).toEqual([]);
  expect([queue.depth, clock.pending]).toEqual([0, 0]);
});

test("a handler that throws at once is a failure like any other", async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0 });
  const end = new AbortController();
  const failed: unknown[] = [];
  const handle = () => {
    throw new Error("at once");
  };
  const run = queue.run({ workers: 1, signal: end.signal, handle, failed: (_, error) => failed.push(error) });
  queue.add("a");
  await clock.advance(0);
  expect(failed).toEqual([new Error("at once")]);
  end.abort();
  await run;
});

test("no key is in two hands, no more than the workers are busy, and no wake is lost", async () => {
  const step = fc.record({
    do: fc.constantFrom("add", "add", "later", "finish", "fail", "wait"),
    key: fc.constantFrom("a", "b", "c", "d", "e"),
    ms: fc.integer({ min: 1, max: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
      const clock = new FakeClock();
      const queue = new WorkQueue({ clock, random: () => 0.3 });
      const end = new AbortController();
      const busy = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
      /** Keys with a wake that no handling has begun after. */
      const owed = new Set<string>();
      const run = queue.run({
        workers,
        signal: end.signal,
        failed: (key) => owed.add(key),
        handle: (key) => {
          expect(busy.has(key)).toBe(false);
          owed.delete(key);
          const { promise, resolve, reject } = Promise.withResolvers<void>();
          busy.set(key, { resolve, reject });
          expect(busy.size).toBeLessThanOrEqual(workers);
          return promise;
        },
      });
      const finish = async (key: string, error?: Error) => {
        const work = busy.get(key);
        busy.delete(key);
        if (error) work?.reject(error);
        else work?.resolve();
        await clock.advance(0);
      };
      for (const { do: what, key, ms } of steps) {
        if (what === "wait") await clock.advance(ms);
        else if (what === "finish") await finish(key);
        else if (what === "fail") await finish(key, new Error("no"));
        else {
          owed.add(key);
          if (what === "add") queue.add(key);
          else queue.addAfter(key, ms);
          await clock.advance(0);
        }
      }
      for (let rounds = 0; owed.size > 0 && rounds < 100; rounds++) {
        for (const key of [...busy.keys()]) await finish(key);
        await clock.advance(30_000);
      }
      expect([...owed]).toEqual([]);
      while (busy.size > 0) for (const key of [...busy.keys()]) await finish(key);
      end.abort();
      await run;
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 60 },
  );
});
