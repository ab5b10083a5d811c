import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import { noLog } from "../log.ts";
import { judgeProxy, type ProxyAnswer, UNKNOWN_PROXY, watchNodeProxy } from "./node-proxy.ts";

/** Answers as [what, how often]; asked each second. */
const after = (...answers: [ProxyAnswer, number][]) => {
  let view = UNKNOWN_PROXY;
  let now = 0;
  for (const [answer, times] of answers)
    for (let i = 0; i < times; i++, now += 1000) view = judgeProxy(view, answer, now);
  return view.forwarding;
};

test.each<{ name: string; answers: [ProxyAnswer, number][]; forwarding: boolean }>([
  { name: "nothing is there: nobody knows", answers: [["Nothing", 1000]], forwarding: true },
  { name: "it says no from the start", answers: [["NotForwarding", 1]], forwarding: false },
  {
    name: "it comes late, and says no",
    answers: [
      ["Nothing", 100],
      ["NotForwarding", 1],
    ],
    forwarding: false,
  },
  {
    name: "it says no for a moment",
    answers: [
      ["Forwarding", 1],
      ["NotForwarding", 5],
    ],
    forwarding: true,
  },
  {
    name: "it goes on saying no",
    answers: [
      ["Forwarding", 1],
      ["NotForwarding", 6],
    ],
    forwarding: false,
  },
  {
    name: "it is silent for a while",
    answers: [
      ["Forwarding", 1],
      ["Nothing", 60],
    ],
    forwarding: true,
  },
  {
    name: "it goes on being silent",
    answers: [
      ["Forwarding", 1],
      ["Nothing", 61],
    ],
    forwarding: false,
  },
  {
    name: "it is silent, then says no for a moment",
    answers: [
      ["Forwarding", 1],
      ["Nothing", 50],
      ["NotForwarding", 5],
    ],
    forwarding: true,
  },
  {
    name: "it said no, and is silent",
    answers: [
      ["NotForwarding", 1],
      ["Nothing", 1],
    ],
    forwarding: false,
  },
  {
    name: "it says yes again",
    answers: [
      ["Forwarding", 1],
      ["NotForwarding", 9],
      ["Forwarding", 1],
    ],
    forwarding: true,
  },
])("a node forwards: $name", ({ answers, forwarding }) => {
  expect(after(...answers)).toBe(forwarding);
});

test("the endpoint is asked each second, no answer takes longer than one, and nothing is left at the end", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const seen: boolean[] = [];
  const asked: number[] = [];
  let answer: number | undefined = 200;
  const statusOf = (_url: string, signal: AbortSignal) => {
    asked.push(clock.now());
    if (answer !== undefined) return Promise.resolve(answer);
    return new Promise<number>((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  };
  const watching = watchNodeProxy({
    url: "http://127.0.0.1:10256/healthz",
    statusOf,
    clock,
    log: noLog,
    signal: stop.signal,
    changed: (forwarding) => seen.push(forwarding),
  });
  await clock.advance(2500);
  expect(asked).toEqual([0, 1000, 2000]);
  answer = 503;
  await clock.advance(10_000);
  expect(seen).toEqual([false]);
  answer = 200;
  await clock.advance(1000);
  expect(seen).toEqual([false, true]);
  answer = 404; // something else listens there
  await clock.advance(59_000);
  expect(seen).toEqual([false, true]);
  answer = undefined;
  const before = asked.length;
  await clock.advance(5000);
  expect(asked.length - before).toBe(5);
  stop.abort();
  await watching;
  await setImmediate();
  expect(clock.pending).toBe(0);
});
