import { expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import { HeraldError } from "../errors.ts";
import { ApiError } from "./api-error.ts";
import { pause } from "./back-off.ts";
import type { KubeRequest } from "./client.ts";
import { EventRecorder, type EventSubject } from "./events.ts";

const web: EventSubject = { apiVersion: "v1", kind: "Service", namespace: "shop", name: "web", uid: "u1" };

function start() {
  const clock = new FakeClock();
  const sent: KubeRequest[] = [];
  const state = { fail: undefined as Error | undefined, dropped: 0, tookMs: 0 };
  const client = {
    async request<T>(request: KubeRequest): Promise<T> {
      sent.push(request);
      if (state.tookMs > 0) await pause(clock, state.tookMs, new AbortController().signal);
      if (state.fail) throw state.fail;
      return {} as T;
    },
  };
  let chance = 0;
  const random = () => (chance = (chance + 0.1) % 1);
  const dropped = () => state.dropped++;
  const recorder = new EventRecorder({
    client,
    component: "herald-controller",
    instance: "pod-1",
    clock,
    random,
    dropped,
  });
  return { clock, sent, state, recorder };
}

test("an event says who, about what, why and when", async () => {
  const { recorder, sent } = start();
  recorder.record(web, "Warning", "NoPool", "no pool has a free address");
  await recorder.flush();
  expect(sent).toEqual([
    expect.objectContaining({
      method: "POST",
      path: "/apis/events.k8s.io/v1/namespaces/shop/events",
      body: {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: expect.stringMatching(/^web\.[0-9a-f]+$/), namespace: "shop" },
        eventTime: "2026-01-01T00:00:00.000000Z",
        reportingController: "herald-controller",
        reportingInstance: "pod-1",
        action: "NoPool",
        reason: "NoPool",
        regarding: web,
        type: "Warning",
        note: "no pool has a free address",
      },
    }),
  ]);
});

test("an event about a cluster-scoped object goes to the namespace default", async () => {
  const { recorder, sent } = start();
  recorder.record({ ...web, kind: "IPPool", namespace: "" }, "Normal", "Ready", "ready");
  await recorder.flush();
  expect(sent[0]?.path).toBe("/apis/events.k8s.io/v1/namespaces/default/events");
});

test("the same event again is a count, written once a minute at most", async () => {
  const { recorder, sent, clock } = start();
  for (let second = 0; second < 180; second++) {
    recorder.record(web, "Warning", "NoPool", "no pool has a free address");
    await clock.advance(1000);
  }
  await recorder.flush();
  expect(sent.map(({ method }) => method)).toEqual(["POST", "PATCH", "PATCH", "PATCH"]);
  expect(sent.at(-1)?.body).toEqual({ series: { count: 180, lastObservedTime: "2026-01-01T00:02:59.000000Z" } });
  expect(sent.at(-1)?.path).toMatch(/\/events\/web\./);
});

test("the same event after a long silence is one of its own", async () => {
  const { recorder, sent, clock } = start();
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  await clock.advance(11 * 60_000);
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  await recorder.flush();
  expect(sent.map(({ method }) => method)).toEqual(["POST", "POST"]);
});

test("ever different events about one object are cut to a trickle, others' are not", async () => {
  const { recorder, sent, state, clock } = start();
  for (let i = 0; i < 100; i++) recorder.record(web, "Normal", "Flaps", `at ${i}`);
  recorder.record({ ...web, name: "other" }, "Normal", "Fine", "fine");
  await recorder.flush();
  expect(sent).toHaveLength(11);
  expect(state.dropped).toBe(90);
  await clock.advance(60_000);
  recorder.record(web, "Normal", "Flaps", "later");
  await recorder.flush();
  expect(sent).toHaveLength(12);
});

const namesOf = (sent: readonly KubeRequest[]) =>
  new Set(sent.map(({ body }) => (body as { metadata: { name: string } }).metadata.name));

test("with the API server away events are tried some times, then dropped and counted; memory is bounded", async () => {
  const { recorder, sent, state, clock } = start();
  state.fail = new HeraldError("NoApiServer", "no answer");
  for (let i = 0; i < 25_000; i++) recorder.record({ ...web, name: `web-${i}` }, "Normal", "Assigned", "192.0.2.1");
  expect(state.dropped).toBeGreaterThan(4900);
  expect(sent.length).toBeLessThan(2);
  await clock.advance(10_000);
  expect(sent.length).toBeGreaterThan(4);
  state.fail = undefined;
  await clock.advance(10_000);
  await recorder.flush();
  expect(namesOf(sent.slice(-19_500)).size).toBe(19_500);
});

test("of a burst every event is written once, in order", async () => {
  const { recorder, sent, state } = start();
  for (let i = 0; i < 10_000; i++) recorder.record({ ...web, name: `web-${i}` }, "Normal", "Assigned", "192.0.2.1");
  expect(sent).toHaveLength(1);
  await recorder.flush();
  expect([namesOf(sent).size, sent.length, state.dropped]).toEqual([10_000, 10_000, 0]);
  expect(sent.at(-1)?.body).toMatchObject({ regarding: { name: "web-9999" } });
});

test("an event that was dropped is not counted up, but written when it comes again", async () => {
  const { recorder, sent, state } = start();
  state.fail = new ApiError("POST", 403, { reason: "Forbidden" });
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  await recorder.flush();
  state.fail = undefined;
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  await recorder.flush();
  expect(sent.map(({ method }) => method)).toEqual(["POST", "POST"]);
  expect(sent[1]?.body).not.toHaveProperty("series");
});

test("an event that the API refuses is dropped at once", async () => {
  const { recorder, sent, state } = start();
  state.fail = new ApiError("POST", 403, { reason: "Forbidden" });
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  await recorder.flush();
  expect([sent.length, state.dropped]).toEqual([1, 1]);
});

test("a count whose event has run out in the API becomes an event again", async () => {
  const { recorder, sent, state, clock } = start();
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  await recorder.flush();
  state.fail = new ApiError("PATCH", 404, { reason: "NotFound" });
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  const flushed = recorder.flush();
  await clock.advance(0);
  state.fail = undefined;
  await clock.advance(1000);
  await flushed;
  expect(sent.map(({ method }) => method)).toEqual(["POST", "PATCH", "POST"]);
  expect(sent.at(-1)?.body).toMatchObject({ series: { count: 2 } });
});

test("most of the time is the API server's own; the first event does not wait, nor do the last ones", async () => {
  const { recorder, sent, state, clock } = start();
  state.tookMs = 20;
  const record = (count: number, kind: string) => {
    for (let i = 0; i < count; i++)
      recorder.record({ ...web, name: `${kind}-${i}` }, "Normal", "Assigned", "192.0.2.1");
  };
  record(9, "few");
  expect(sent).toHaveLength(1);
  await clock.advance(20 + 59);
  expect(sent).toHaveLength(1);
  await clock.advance(1);
  expect(sent).toHaveLength(9);
  record(50, "many");
  await clock.advance(20 + 999);
  expect(sent).toHaveLength(9);
  await clock.advance(1); // the storm is over
  expect(sent).toHaveLength(9 + 16);
  await clock.advance(80);
  expect(sent).toHaveLength(9 + 2 * 16);
  const flushed = recorder.flush();
  await clock.advance(3 * 20);
  await flushed;
  expect(sent).toHaveLength(59);
});

test("where one could not be written, no more than one at a time is at stake until one can", async () => {
  const { recorder, sent, state, clock } = start();
  state.fail = new ApiError("POST", 403, { reason: "Forbidden" });
  for (let i = 0; i < 9; i++) recorder.record({ ...web, name: `web-${i}` }, "Normal", "Assigned", "192.0.2.1");
  await clock.advance(0);
  expect(sent).toHaveLength(9);
});

test("in a storm events wait for its end, and none is lost", async () => {
  const { recorder, sent, clock, state } = start();
  state.tookMs = 5;
  const STORM = 500;
  for (let i = 0; i < STORM; i++) {
    recorder.record({ ...web, name: `web-${i}`, uid: `u${i}` }, "Normal", "Assigned", "192.0.2.10");
    await clock.advance(20);
  }
  // Ten seconds at 50 a second: some at the beginning, then one a second.
  expect(sent.length).toBeLessThan(50);
  for (let waited = 0; waited < STORM; waited++) await clock.advance(20);
  await clock.advance(1000);
  expect(sent).toHaveLength(STORM);
});

test("closing drops what waits", async () => {
  const { recorder, state, clock } = start();
  state.fail = new HeraldError("NoApiServer", "no answer");
  recorder.record(web, "Normal", "Assigned", "192.0.2.1");
  await clock.advance(0);
  recorder.close();
  await recorder.flush();
  expect(state.dropped).toBe(1);
  expect(clock.pending).toBe(0);
});
