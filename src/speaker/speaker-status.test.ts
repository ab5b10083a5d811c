import { expect, test } from "vitest";
import type { Clock } from "../clock.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient, KubeRequest } from "../kube/client.ts";
import { noLog } from "../log.ts";
import { SpeakerStatusWriter } from "./speaker-status.ts";

/** A clock moved by hand, and an API server that answers when told to. */
function world() {
  let now = 0;
  const timers: { at: number; run: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    wallNow: () => now,
    after: (delayMs, run) => {
      const timer = { at: now + delayMs, run };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
  };
  const requests: KubeRequest[] = [];
  const results: string[] = [];
  let answer: (request: KubeRequest) => unknown = () => ({});
  const client = {
    request: async (request: KubeRequest) => {
      requests.push(request);
      return answer(request);
    },
  } as unknown as KubeClient;
  const stop = new AbortController();
  const writer = new SpeakerStatusWriter({
    client,
    node: "n1",
    clock,
    log: noLog,
    signal: stop.signal,
    nodeUid: () => "uid-1",
    wrote: (result) => results.push(result),
  });
  return {
    writer,
    requests,
    results,
    stop,
    answers: (next: typeof answer) => {
      answer = next;
    },
    /** Moves the clock, runs what is due, and lets what that began come to rest. */
    advance: async (ms: number) => {
      now += ms;
      for (const timer of timers.filter(({ at }) => at <= now)) {
        timers.splice(timers.indexOf(timer), 1);
        timer.run();
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
const status = (version: string) => ({ version });

test("the first change is written at once, further ones once a second, the same one never", async () => {
  const { writer, requests, advance } = world();
  writer.set(status("1"));
  await advance(0);
  expect(requests).toMatchObject([{ method: "PATCH", path: "/apis/heraldlb.io/v1alpha1/speakers/n1/status" }]);
  for (const version of ["2", "3", "4"]) writer.set(status(version));
  await advance(999);
  expect(requests).toHaveLength(1);
  await advance(1);
  expect(requests).toHaveLength(2);
  expect(requests[1]?.body).toEqual({ status: { version: "4" } });
  writer.set(status("4"));
  await advance(60_000);
  expect(requests).toHaveLength(2);
});

test("an object that is not there is made, owned by its Node", async () => {
  const { writer, requests, results, answers, advance } = world();
  let made = false;
  answers(({ method }) => {
    if (method === "POST") made = true;
    if (!made) throw new ApiError("PATCH", 404, {});
    return {};
  });
  writer.set(status("1"));
  await advance(0);
  expect(requests.map(({ method }) => method)).toEqual(["PATCH", "POST", "PATCH"]);
  expect(requests[1]?.body).toMatchObject({
    kind: "Speaker",
    metadata: { name: "n1", ownerReferences: [{ kind: "Node", name: "n1", uid: "uid-1" }] },
  });
  expect(results).toEqual(["ok"]);
});

test("a failed write is tried again, later each time, with what is newest by then", async () => {
  const { writer, requests, results, answers, advance } = world();
  answers(() => {
    throw new Error("no answer");
  });
  writer.set(status("1"));
  await advance(0);
  writer.set(status("2"));
  await advance(999);
  expect(requests).toHaveLength(1);
  await advance(1);
  expect(requests).toHaveLength(2);
  await advance(1_999);
  expect(requests).toHaveLength(2);
  answers(() => ({}));
  await advance(1);
  expect(requests.at(-1)?.body).toEqual({ status: { version: "2" } });
  expect(results).toEqual(["failed", "failed", "ok"]);
  await advance(60_000);
  expect(requests).toHaveLength(3);
});

test("an object that somebody deleted is made again, though nothing changed", async () => {
  const { writer, requests, advance, answers } = world();
  let deleteIt = () => {};
  answers(() => deleteIt());
  writer.set(status("1"));
  await advance(0);
  await advance(60_000);
  writer.lost();
  await advance(0);
  expect(requests).toHaveLength(2);
  deleteIt = () => writer.lost(); // while it is being written
  writer.set(status("2"));
  await advance(1_000);
  deleteIt = () => {};
  await advance(1_000);
  expect(requests.map(({ body }) => body)).toEqual(["1", "1", "2", "2"].map((version) => ({ status: { version } })));
  await advance(60_000);
  expect(requests).toHaveLength(4);
});

test("nothing is written after the end", async () => {
  const { writer, requests, stop, advance } = world();
  writer.set(status("1"));
  stop.abort();
  await advance(60_000);
  expect(requests).toEqual([]);
});
