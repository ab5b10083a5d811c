import { afterEach, expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import type { Clock } from "../clock.ts";
import { HeraldError } from "../errors.ts";
import { noLog } from "../log.ts";
import { ApiError } from "./api-error.ts";
import type { KubeRequest } from "./client.ts";
import { type LeadOptions, lead } from "./leader.ts";

interface Spec {
  holderIdentity: string;
  leaseDurationSeconds: number;
  acquireTime: string;
  renewTime: string;
  leaseTransitions: number;
}

/** The API server's Leases: one of them, with optimistic concurrency. */
class FakeLeases {
  spec: Spec | undefined;
  version = 100;
  writes = 0;
  /** Clients that it can't be reached by. */
  readonly cutOff = new Set<string>();

  clientOf(who: string) {
    return { request: async <T>(request: KubeRequest): Promise<T> => this.#answer(who, request) as T };
  }

  #answer(who: string, { method, path, body }: KubeRequest): unknown {
    if (this.cutOff.has(who)) throw new HeraldError("NoApiServer", "no answer");
    const collection = "/apis/coordination.k8s.io/v1/namespaces/herald-system/leases";
    if (method === "POST" ? path !== collection : path !== `${collection}/controller`)
      throw new Error(`asked for ${path}`);
    if (method === "GET") {
      if (this.spec === undefined) throw new ApiError("GET", 404, { reason: "NotFound" });
    } else {
      const { metadata, spec } = body as { metadata: { resourceVersion?: string }; spec: Spec };
      const fits = method === "POST" ? this.spec === undefined : metadata.resourceVersion === String(this.version);
      if (!fits) throw new ApiError(method, 409, { reason: method === "POST" ? "AlreadyExists" : "Conflict" });
      this.spec = spec;
      this.version++;
      this.writes++;
    }
    return { metadata: { resourceVersion: String(this.version) }, spec: this.spec };
  }
}

const ends: AbortController[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});

function elector(leases: FakeLeases, clock: FakeClock, identity: string, more: Partial<LeadOptions> = {}) {
  const end = new AbortController();
  ends.push(end);
  const terms: { readonly signal: AbortSignal; finish: () => void }[] = [];
  const ended = lead({
    client: leases.clientOf(identity),
    namespace: "herald-system",
    name: "controller",
    identity,
    clock,
    random: () => 0,
    log: noLog,
    signal: end.signal,
    run: (signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      terms.push({ signal, finish: resolve });
      signal.addEventListener("abort", () => resolve());
      return promise;
    },
    ...more,
  });
  const leads = () => terms.some(({ signal }) => !signal.aborted);
  return { end, terms, ended, leads };
}

test("one of several leads, and writes the Lease as others expect it", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const all = ["a", "b", "c"].map((who) => elector(leases, clock, who));
  await clock.advance(60_000);
  expect(all.filter(({ leads }) => leads())).toHaveLength(1);
  expect(all.flatMap(({ terms }) => terms)).toHaveLength(1);
  expect(leases.spec).toEqual({
    holderIdentity: "a",
    leaseDurationSeconds: 4,
    acquireTime: "2026-01-01T00:00:00.000000Z",
    renewTime: "2026-01-01T00:01:00.000000Z",
    leaseTransitions: 0,
  });
  expect(leases.writes).toBeLessThanOrEqual(62);
});

test("a leader that crashes is followed within 5 s", async () => {
  for (const crashAt of [10_000, 10_250, 10_500, 10_999]) {
    const clock = new FakeClock();
    const leases = new FakeLeases();
    elector(leases, clock, "a");
    await clock.advance(crashAt - 300);
    const next = elector(leases, clock, "b");
    await clock.advance(300);
    leases.cutOff.add("a");
    await clock.advance(5000);
    expect(next.leads()).toBe(true);
    expect(leases.spec?.leaseTransitions).toBe(1);
  }
});

test("a leader that was stopped knows that its Lease may be another's, before any timer has told it", async () => {
  const clock = new FakeClock();
  let sleptMs = 0;
  const own: Clock = {
    now: () => clock.now() + sleptMs,
    wallNow: () => clock.wallNow() + sleptMs,
    after: (delayMs, run) => clock.after(delayMs, run),
  };
  const asked: (() => boolean)[] = [];
  elector(new FakeLeases(), clock, "a", {
    clock: own,
    run: (_signal, leads) => {
      asked.push(leads);
      return new Promise(() => {});
    },
  });
  await clock.advance(2500);
  const held = () => asked.map((leads) => leads());
  expect(held()).toEqual([true]);
  sleptMs = 2499;
  expect(held()).toEqual([true]);
  sleptMs = 3000;
  expect(held()).toEqual([false]);
});

test("a renewal that fails after the deadline ends the term at once, not in the past", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const delays: number[] = [];
  const watched = {
    now: () => clock.now(),
    wallNow: () => clock.wallNow(),
    after: (delayMs: number, run: () => void) => {
      delays.push(delayMs);
      return clock.after(delayMs, run);
    },
  };
  const direct = leases.clientOf("a");
  let isSlow = false;
  const client = {
    request: async <T>(request: KubeRequest): Promise<T> => {
      if (isSlow) await new Promise<void>((resolve) => clock.after((request.timeoutMs ?? 0) + 20, resolve));
      return await direct.request<T>(request);
    },
  };
  const one = elector(leases, clock, "a", { clock: watched, client });
  await clock.advance(1000);
  isSlow = true;
  leases.cutOff.add("a");
  await clock.advance(4000);
  expect(one.leads()).toBe(false);
  expect(delays.filter((delayMs) => delayMs < 0)).toEqual([]);
});

test("a leader without the API server has stopped before another starts", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const old = elector(leases, clock, "a");
  const next = elector(leases, clock, "b");
  await clock.advance(10_000);
  leases.cutOff.add("a");
  while (!next.leads()) {
    await clock.advance(50);
    expect(old.leads() && next.leads()).toBe(false);
  }
  expect(old.leads()).toBe(false);
  leases.cutOff.clear();
  leases.cutOff.add("b");
  await clock.advance(10_000);
  expect(old.terms).toHaveLength(2);
  expect([old.leads(), next.leads()]).toEqual([true, false]);
});

test("an outage shorter than the deadline costs nothing", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const leader = elector(leases, clock, "a");
  await clock.advance(10_000);
  leases.cutOff.add("a");
  await clock.advance(1900);
  leases.cutOff.clear();
  await clock.advance(10_000);
  expect(leader.terms).toHaveLength(1);
  expect(leader.leads()).toBe(true);
});

test("a leader that goes on purpose releases the Lease, and the next one starts at once", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const old = elector(leases, clock, "a");
  await clock.advance(10_000);
  const next = elector(leases, clock, "b");
  await clock.advance(1000);
  old.end.abort();
  await old.ended;
  expect(leases.spec?.holderIdentity).toBe("");
  await clock.advance(500);
  expect(next.leads()).toBe(true);
  next.end.abort();
  await next.ended;
  expect(clock.pending).toBe(0);
});

test("the Lease is released only when the work has ended", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const work = Promise.withResolvers<void>();
  const { end, ended } = elector(leases, clock, "a", { run: () => work.promise });
  await clock.advance(1000);
  end.abort();
  await clock.advance(1000);
  expect(leases.spec?.holderIdentity).toBe("a");
  work.resolve();
  await ended;
  expect(leases.spec?.holderIdentity).toBe("");
});

test("work that fails releases the Lease and is told", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const { ended } = elector(leases, clock, "a", { run: () => Promise.reject(new Error("broken")) });
  const outcome = expect(ended).rejects.toThrow("broken");
  await clock.advance(1000);
  await outcome;
  expect(leases.spec?.holderIdentity).toBe("");
  expect(clock.pending).toBe(0);
});

test("a Lease of another's making, with strange content, is waited for and then taken", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  leases.spec = { holderIdentity: "stranger", leaseDurationSeconds: "soon", leaseTransitions: null } as unknown as Spec;
  const leader = elector(leases, clock, "a");
  await clock.advance(3900);
  expect(leader.leads()).toBe(false);
  await clock.advance(600);
  expect(leader.leads()).toBe(true);
});

test("a Lease edited by hand is renewed again; one given to another is lost", async () => {
  const clock = new FakeClock();
  const leases = new FakeLeases();
  const leader = elector(leases, clock, "a");
  await clock.advance(10_000);
  leases.version++;
  await clock.advance(5000);
  expect(leader.leads()).toBe(true);
  expect(leader.terms).toHaveLength(1);
  leases.version++;
  leases.spec = { ...(leases.spec as Spec), holderIdentity: "b" };
  await clock.advance(1000);
  expect(leader.leads()).toBe(false);
});
