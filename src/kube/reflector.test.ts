import { afterEach, expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import type { Service } from "../api/objects.ts";
import { HeraldError } from "../errors.ts";
import { noLog } from "../log.ts";
import { ApiError } from "./api-error.ts";
import type { KubeRequest, WatchEvent } from "./client.ts";
import { Reflector } from "./reflector.ts";
import { type Kept, type Resource, services } from "./resource.ts";
import { Store } from "./store.ts";

type Raw = ReturnType<typeof service>;

function service(name: string, version: number, type = "LoadBalancer", uid = `uid-${name}`) {
  return { metadata: { namespace: "ns", name, uid, resourceVersion: String(version) }, spec: { type } };
}

/** A watch that the reflector has open. */
interface Open {
  readonly query: Readonly<Record<string, string>>;
  send(type: string, object: unknown): Promise<void>;
  /** Ends it: as the server does, or with an error. */
  end(error?: Error): Promise<void>;
}

/** An API server that answers as the test tells it. */
class FakeApi {
  /** Answers a list: an object of the API, or an error to throw. */
  list: (query: Readonly<Record<string, string>>) => unknown = () => listOf([], 1);
  /** What the next watches throw instead of opening. */
  readonly refusals: Error[] = [];
  readonly lists: Readonly<Record<string, string>>[] = [];
  readonly watches: Open[] = [];
  readonly clock = new FakeClock();

  async request<T>({ query = {} }: KubeRequest): Promise<T> {
    this.lists.push(query);
    const answer = this.list(query);
    if (answer instanceof Error) throw answer;
    return answer as T;
  }

  async *watch(
    _path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
    opened: () => void = () => {},
  ): AsyncGenerator<readonly WatchEvent[], void, undefined> {
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    opened();
    const waiting: (WatchEvent | Error | undefined)[] = [];
    let wake = () => {};
    const put = async (item: WatchEvent | Error | undefined) => {
      waiting.push(item);
      wake();
      await this.clock.advance(0);
    };
    signal.addEventListener("abort", () => put(new Error("aborted")));
    this.watches.push({ query, send: (type, object) => put({ type, object }), end: (error) => put(error) });
    for (;;) {
      while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const together: WatchEvent[] = [];
      while (isEvent(waiting[0])) together.push(waiting.shift() as WatchEvent);
      if (together.length > 0) {
        yield together;
        continue;
      }
      const end = waiting.shift();
      if (end === undefined) return;
      throw end;
    }
  }

  get last(): Open {
    const open = this.watches.at(-1);
    if (open === undefined) throw new Error("no watch is open");
    return open;
  }
}

const isEvent = (item: WatchEvent | Error | undefined) => item !== undefined && !(item instanceof Error);

function listOf(items: readonly unknown[], resourceVersion: number, next = "") {
  return { metadata: { resourceVersion: String(resourceVersion), continue: next }, items };
}

const gone = () => new ApiError("GET /api/v1/services", 410, { reason: "Expired", message: "too old" });
const unreachable = () => new HeraldError("NoApiServer", "no answer");

const ends: AbortController[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});

async function start(api: FakeApi) {
  const store = new Store<Service>();
  const changes: string[] = [];
  store.onChange(({ key, before, after }) => {
    changes.push(`${key} ${before?.meta.resourceVersion ?? "-"} ${after?.meta.resourceVersion ?? "-"}`);
  });
  const end = new AbortController();
  ends.push(end);
  const logged: string[] = [];
  const log = {
    ...noLog,
    with: () => log,
    warn: (text: string) => logged.push(text),
    info: (text: string) => logged.push(text),
  };
  const deps = { client: api, resource: services, store, clock: api.clock, random: () => 0, log };
  const reflector = new Reflector({ ...deps, stormRestMs: 100 });
  const run = reflector.run(end.signal);
  await api.clock.advance(0);
  const seen = () => changes.splice(0);
  return { store, seen, reflector, run, end, logged };
}

test("says each time why it can't list", async () => {
  const api = new FakeApi();
  api.list = () => new ApiError("GET /api/v1/services", 403, { reason: "Forbidden" });
  const failures: unknown[] = [];
  const deps = { client: api, resource: services, store: new Store<Service>(), clock: api.clock, random: () => 0 };
  const end = new AbortController();
  ends.push(end);
  void new Reflector({ ...deps, log: noLog, failed: (error) => failures.push(error) }).run(end.signal);
  await api.clock.advance(1_000);
  expect(failures.length).toBeGreaterThan(1);
  expect(failures[0]).toMatchObject({ status: 403 });
});

test("lists page by page, then watches from the list's version", async () => {
  const api = new FakeApi();
  const pages: Record<string, unknown> = {
    "": listOf([service("a", 3)], 10, "c1"),
    c1: listOf([service("b", 4)], 10, "c2"),
    c2: listOf([service("c", 5)], 10),
  };
  api.list = ({ continue: at = "" }) => pages[at];
  const { store, seen, reflector } = await start(api);
  await reflector.whenSynced();
  await api.clock.advance(0);
  expect(api.lists).toEqual([
    { fieldSelector: "spec.type=LoadBalancer", limit: "250" },
    { fieldSelector: "spec.type=LoadBalancer", limit: "250", continue: "c1" },
    { fieldSelector: "spec.type=LoadBalancer", limit: "250", continue: "c2" },
  ]);
  expect(seen()).toEqual(["ns/a - 3", "ns/b - 4", "ns/c - 5"]);
  expect(api.last.query).toEqual({
    fieldSelector: "spec.type=LoadBalancer",
    resourceVersion: "10",
    allowWatchBookmarks: "true",
    timeoutSeconds: "300",
  });
  expect(store.version).toBe("5");
});

test("nothing is shown of a list whose pages run out in the middle; it is begun again", async () => {
  const api = new FakeApi();
  api.list = ({ continue: at }) => (at === undefined ? listOf([service("a", 3)], 10, "c1") : gone());
  const { store, seen } = await start(api);
  await api.clock.advance(0);
  expect(api.lists).toHaveLength(2);
  expect(seen()).toEqual([]);
  expect(store.synced).toBe(false);
  api.list = () => listOf([service("a", 3)], 12);
  await api.clock.advance(250);
  expect(api.lists).toHaveLength(3);
  expect(seen()).toEqual(["ns/a - 3"]);
  expect(api.last.query.resourceVersion).toBe("12");
});

test("events change the store, and a watch that the server ends goes on from the last one", async () => {
  const api = new FakeApi();
  const { store, seen } = await start(api);
  await api.last.send("ADDED", service("a", 20));
  await api.last.send("MODIFIED", service("a", 21));
  await api.last.send("ADDED", service("b", 22));
  await api.last.send("DELETED", service("a", 23));
  expect(seen()).toEqual(["ns/a - 20", "ns/a 20 21", "ns/b - 22", "ns/a 21 -"]);
  expect(store.version).toBe("23");
  await api.last.end();
  expect(api.lists).toHaveLength(1);
  expect(api.watches).toHaveLength(2);
  expect(api.last.query.resourceVersion).toBe("23");
});

test("a bookmark moves the place to resume, not the store's version", async () => {
  const api = new FakeApi();
  const { store, seen } = await start(api);
  await api.last.send("ADDED", service("a", 20));
  await api.last.send("BOOKMARK", { metadata: { resourceVersion: "90" } });
  expect(seen()).toEqual(["ns/a - 20"]);
  expect(store.version).toBe("20");
  await api.last.end();
  expect(api.last.query.resourceVersion).toBe("90");
});

test("a kind that is not installed yet is one line with the remedy, and is found once it is there", async () => {
  const api = new FakeApi();
  api.list = () => new ApiError("GET /apis/x", 404, "404 page not found");
  const { seen, logged } = await start(api);
  await api.clock.advance(60_000);
  expect(logged).toEqual([expect.stringMatching(/does not know this kind: apply config\/crd/)]);
  api.list = () => listOf([service("a", 3)], 10);
  await api.clock.advance(10_000);
  expect(seen()).toEqual(["ns/a - 3"]);
});

test("a stream that breaks is resumed after a back-off that grows, without a new list", async () => {
  const api = new FakeApi();
  const { seen, logged } = await start(api);
  await api.last.send("ADDED", service("a", 20));
  api.refusals.push(unreachable(), unreachable(), unreachable());
  await api.last.end(unreachable());
  const tried: number[] = [];
  for (let refused = api.refusals.length; refused > 0; ) {
    await api.clock.advance((api.clock.next ?? 0) - api.clock.now());
    if (api.refusals.length < refused) tried.push(api.clock.now());
    refused = api.refusals.length;
  }
  expect(tried).toEqual([250, 750, 1750]);
  expect(api.watches).toHaveLength(1);
  await api.clock.advance(2000);
  expect(api.watches).toHaveLength(2);
  expect(api.last.query.resourceVersion).toBe("20");
  expect(api.lists).toHaveLength(1);
  expect(seen()).toEqual(["ns/a - 20"]);
  expect(logged).toEqual([expect.stringMatching("watch failed"), "watch works again"]);
});

test.each([
  {
    name: "refused as too old",
    fail: async (api: FakeApi) => {
      api.refusals.push(gone());
      await api.clock.advance(2000);
      await api.last.end();
    },
  },
  {
    name: "ended by an ERROR event",
    fail: (api: FakeApi) =>
      api.last.send("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" }),
  },
])("a watch $name leads to a new list, whose differences alone are told", async ({ fail }) => {
  const api = new FakeApi();
  api.list = () => listOf([service("stays", 1), service("goes", 2), service("changes", 3), service("again", 4)], 10);
  const { store, seen } = await start(api);
  seen();
  const after = [
    service("stays", 1),
    service("changes", 30),
    service("again", 31, "LoadBalancer", "uid-2"),
    service("new", 32),
  ];
  api.list = () => listOf(after, 40);
  await fail(api);
  await api.clock.advance(250);
  expect(api.lists).toHaveLength(2);
  expect(seen()).toEqual(["ns/goes 2 -", "ns/changes 3 30", "ns/again 4 -", "ns/again - 31", "ns/new - 32"]);
  expect(api.last.query.resourceVersion).toBe("40");
  expect(store.synced).toBe(true);
});

test("a new list parses what is new alone, be it that no uid is kept", async () => {
  const api = new FakeApi();
  const parsed: unknown[] = [];
  const resource: Resource<Kept> = {
    ...{ kind: "Service", path: "/api/v1/services" },
    keep: (raw) => {
      const { namespace, name, resourceVersion } = services.keep(raw).meta;
      parsed.push(`${name} ${resourceVersion}`);
      return { meta: { namespace, name, resourceVersion } };
    },
  };
  api.list = () => listOf([service("stays", 1), service("changes", 2)], 10);
  const end = new AbortController();
  ends.push(end);
  const deps = { client: api, clock: api.clock, random: () => 0, log: noLog };
  void new Reflector({ ...deps, resource, store: new Store<Kept>() }).run(end.signal);
  await api.clock.advance(0);
  api.list = () => listOf([service("stays", 1), service("changes", 3)], 40);
  await api.last.send("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" });
  await api.clock.advance(250);
  expect(parsed).toEqual(["stays 1", "changes 2", "changes 3"]);
});

test("a server that always finds us too old is not asked for lists at full speed", async () => {
  const api = new FakeApi();
  api.refusals.push(...Array.from({ length: 100 }, gone));
  await start(api);
  await api.clock.advance(60_000);
  expect(api.lists.length).toBeLessThan(15);
});

test("a watch that ends at once, again and again, is not asked for at full speed", async () => {
  const api = new FakeApi();
  await start(api);
  for (let i = 0; i < 6; i++) {
    const { length } = api.watches;
    await api.last.end();
    while (api.watches.length === length) await api.clock.advance(250);
  }
  expect(api.clock.now()).toBeGreaterThan(10_000);
});

test("Retry-After of a server under load is kept, and no new list is asked of it", async () => {
  const api = new FakeApi();
  await start(api);
  api.refusals.push(new ApiError("GET /api/v1/services", 429, { reason: "TooManyRequests" }, 30_000));
  await api.clock.advance(2000);
  await api.last.end();
  await api.clock.advance(29_999);
  expect(api.watches).toHaveLength(1);
  await api.clock.advance(1);
  expect(api.watches).toHaveLength(2);
  expect(api.lists).toHaveLength(1);
});

test("a server that does not know the field selector is asked without, and the choice is made here", async () => {
  const api = new FakeApi();
  const all: Raw[] = [service("a", 1), service("internal", 2, "ClusterIP")];
  api.list = ({ fieldSelector }) =>
    fieldSelector === undefined ? listOf(all, 10) : new ApiError("GET", 400, { reason: "BadRequest" });
  const { store, seen } = await start(api);
  expect(api.last.query.fieldSelector).toBeUndefined();
  await api.last.send("MODIFIED", service("internal", 11, "ClusterIP"));
  await api.last.send("MODIFIED", service("a", 12, "ClusterIP"));
  await api.last.send("MODIFIED", service("internal", 13));
  expect(seen()).toEqual(["ns/a - 1", "ns/a 1 -", "ns/internal - 13"]);
  expect(store.list()).toHaveLength(1);
});

test("an object without a name, and events of no sense, are skipped", async () => {
  const api = new FakeApi();
  api.list = () => listOf([null, 7, {}, { metadata: { name: "x" } }, service("a", 1)], 10);
  const { seen } = await start(api);
  await api.last.send("ADDED", null);
  await api.last.send("DELETED", "what");
  await api.last.send("NONSENSE", service("b", 11));
  await api.last.send("ADDED", service("c", 12));
  expect(seen()).toEqual(["ns/a - 1", "ns/c - 12"]);
  expect(api.lists).toHaveLength(1);
});

test("it goes on for as long as it takes, and ends when told to", async () => {
  const api = new FakeApi();
  api.list = () => unreachable();
  const { run, end, store, logged } = await start(api);
  await api.clock.advance(3_600_000);
  expect(api.lists.length).toBeGreaterThan(300);
  expect(logged).toHaveLength(1);
  api.list = () => listOf([service("a", 1)], 2);
  await api.clock.advance(10_000);
  expect(store.list()).toHaveLength(1);
  end.abort();
  await run;
  expect(api.clock.pending).toBe(0);
});

test("what comes by the dozen is taken together, and what comes alone at once", async () => {
  const api = new FakeApi();
  const { seen } = await start(api);
  await api.last.send("ADDED", service("first", 2));
  expect(seen()).toHaveLength(1);
  for (let n = 0; n < 30; n++) await api.last.send("ADDED", service(`s${n}`, 3 + n));
  expect(seen()).toHaveLength(24);
  await api.clock.advance(99);
  expect(seen()).toHaveLength(0);
  await api.clock.advance(1);
  expect(seen()).toHaveLength(6);
  await api.clock.advance(500);
  await api.last.send("ADDED", service("last", 40));
  expect(seen()).toHaveLength(1);
});
