import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { errorText } from "../log.ts";
import { ApiError, isStatus } from "./api-error.ts";
import { backOffMs, pause } from "./back-off.ts";
import type { KubeClient } from "./client.ts";
import { isRecord, list, record, text } from "./raw.ts";
import { type Kept, keyOf, type Resource } from "./resource.ts";
import type { Store } from "./store.ts";
import { Storm } from "./storm.ts";

/** Objects a page: reading one blocks the event loop for some 10 ms. Smaller ones are more requests for a list. */
const PAGE = 250;
const BACK_OFF = { baseMs: 250, capMs: 10_000 };
/** A watch that ends sooner than this, and without an event, counts as a failure. */
const SHORT_WATCH_MS = 1000;
/** The server ends a watch after 5 to 10 minutes, each at another time. */
const WATCH_MIN_S = 300;
const WATCH_SPREAD_S = 300;
/** So many events within this time are a storm. */
const STORM = 25;
const STORM_MS = 500;
/** What a 404 for a whole collection means. */
const UNKNOWN_KIND = "the API server does not know this kind: apply config/crd; nothing is done without it";

export interface ReflectorDeps<T extends Kept> {
  readonly client: Pick<KubeClient, "request" | "watch">;
  readonly resource: Resource<T>;
  readonly store: Store<T>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /**
   * In a storm the watch is read on so much later each time, in ms; 0 where it isn't given. Then events come in bundles:
   * a process that is woken for each of sixty a second spends most of its time on being woken.
   */
  readonly stormRestMs?: number;
  /** Counts what was begun, and what failed. */
  readonly count?: (what: "list" | "watch" | "failure") => void;
  /** A list or watch failed, and is going to be tried again. */
  readonly failed?: (error: unknown) => void;
}

/** Keeps a store in step with the API server: lists once, then watches, and resumes where it was cut off. */
export class Reflector<T extends Kept> {
  readonly #deps: ReflectorDeps<T>;
  readonly #log: Log;
  readonly #synced = Promise.withResolvers<void>();
  /** Where the watch goes on; undefined: a list is needed. */
  #version: string | undefined;
  #query: Readonly<Record<string, string>>;
  /** Failures in a row, and lists in a row that were needed again at once: each has a back-off of its own. */
  #failures = 0;
  #expirations = 0;
  /** The failure that was logged last, so that an outage is one line. */
  #logged: string | undefined;

  constructor(deps: ReflectorDeps<T>) {
    this.#deps = deps;
    this.#log = deps.log.with({ kind: deps.resource.kind });
    this.#query = deps.resource.query ?? {};
  }

  /** Resolves when the store holds a first whole list. */
  whenSynced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Lists and watches until aborted, whatever happens; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal);
        await this.#watch(this.#version, signal);
      } catch (error) {
        if (!signal.aborted) await pause(this.#deps.clock, this.#failed(error), signal);
      }
    }
  }

  /** Brings the store to the state of a whole list; gives the version from which to watch. */
  async #list(signal: AbortSignal): Promise<string> {
    this.#deps.count?.("list");
    const objects: T[] = [];
    let query: Readonly<Record<string, string>> = { ...this.#query, limit: String(PAGE) };
    for (;;) {
      const page = record(await this.#page(query, signal));
      const { resourceVersion, continue: next } = record(page.metadata);
      for (const raw of list(page.items)) {
        const object = this.#known(raw) ?? this.#keep(raw);
        if (object !== undefined) objects.push(object);
      }
      const isLong = text(next) !== "" || objects.length > PAGE;
      if (isLong) await setImmediate(); // whoever waits gets a turn between two long steps
      if (!text(next)) {
        this.#deps.store.replace(objects);
        if (isLong) await setImmediate();
        this.#answered();
        this.#failures = 0;
        this.#synced.resolve();
        this.#log.debug("listed", { objects: objects.length });
        return text(resourceVersion);
      }
      query = { ...this.#query, limit: String(PAGE), continue: text(next) };
    }
  }

  async #page(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> {
    const { client, resource } = this.#deps;
    try {
      return await client.request({ method: "GET", path: resource.path, query, signal });
    } catch (error) {
      const { fieldSelector, ...without } = query;
      if (!isStatus(error, 400) || fieldSelector === undefined || resource.wanted === undefined) throw error;
      this.#log.info("the API server does not know the field selector; selecting here", { fieldSelector });
      const { fieldSelector: _, ...rest } = this.#query;
      this.#query = rest;
      return await this.#page(without, signal);
    }
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { client, resource, clock, random, count, stormRestMs = 0 } = this.#deps;
    count?.("watch");
    const storm = new Storm(STORM, STORM_MS);
    const started = clock.now();
    let events = 0;
    const query = {
      ...this.#query,
      resourceVersion: from,
      allowWatchBookmarks: "true",
      timeoutSeconds: String(Math.floor(WATCH_MIN_S + random() * WATCH_SPREAD_S)),
    };
    try {
      for await (const together of client.watch(resource.path, query, signal, () => this.#answered())) {
        for (const { type, object } of together) {
          if (type === "ERROR") throw new ApiError(`watch ${resource.path}`, errorCode(object), object);
          this.#take(type, object);
          events++;
          storm.came(clock.now());
        }
        this.#failures = this.#expirations = 0;
        if (stormRestMs > 0 && storm.rages(clock.now())) await pause(clock, stormRestMs, signal);
      }
    } catch (error) {
      if (needsList(error)) this.#version = undefined;
      throw error;
    }
    if (events === 0 && clock.now() - started < SHORT_WATCH_MS) throw new Error("the watch ended at once");
    this.#failures = this.#expirations = 0;
  }

  #take(type: string, raw: unknown): void {
    const version = text(record(record(raw).metadata).resourceVersion);
    if (type === "DELETED") {
      const { namespace, name } = record(record(raw).metadata);
      this.#deps.store.remove(keyOf({ namespace: text(namespace), name: text(name) }), version);
    } else if (type === "ADDED" || type === "MODIFIED") {
      const object = this.#keep(raw);
      if (object !== undefined) this.#deps.store.put(object);
    }
    if (version !== "") this.#version = version;
  }

  /** The object that the store has already, so that a relist parses only what is new. */
  #known(raw: unknown): T | undefined {
    const { namespace, name, uid, resourceVersion } = record(record(raw).metadata);
    const known = this.#deps.store.get(keyOf({ namespace: text(namespace), name: text(name) }));
    if (known?.meta.resourceVersion !== resourceVersion) return undefined;
    return (known?.meta.uid ?? uid) === uid ? known : undefined;
  }

  /** Parses an object; undefined, and gone from the store, where it is not wanted. */
  #keep(raw: unknown): T | undefined {
    const { resource, store } = this.#deps;
    const object = resource.keep(raw);
    const { name, uid, resourceVersion } = object.meta;
    if (name === "" || uid === "" || resourceVersion === "") {
      this.#log.warn("an object without name, uid or resourceVersion was ignored", { name });
      return undefined;
    }
    if (resource.wanted?.(object) ?? true) return object;
    store.remove(keyOf(object.meta), resourceVersion);
    return undefined;
  }

  /** Logs, and gives the time to wait. */
  #failed(error: unknown): number {
    this.#deps.count?.("failure");
    this.#deps.failed?.(error);
    const inARow = this.#version === undefined && needsList(error) ? ++this.#expirations : ++this.#failures;
    const waitMs = backOffMs(BACK_OFF, inARow, this.#deps.random);
    const retryInMs = Math.round(Math.max(waitMs, (error instanceof ApiError && error.retryAfterMs) || 0));
    const what = errorText(error);
    if (what === this.#logged || isStatus(error, 410)) this.#log.debug("watch failed", { error, retryInMs });
    else {
      const meaning = isStatus(error, 404) ? UNKNOWN_KIND : "watch failed; what is known stays in use";
      this.#log.warn(`${meaning}, and it is tried until it works`, { error, retryInMs });
      this.#logged = what;
    }
    return retryInMs;
  }

  /** Ends an outage in the log; whether the watch holds is seen later. */
  #answered(): void {
    if (this.#logged !== undefined) this.#log.info("watch works again", { failures: this.#failures });
    this.#logged = undefined;
  }
}

function errorCode(status: unknown): number {
  return isRecord(status) && typeof status.code === "number" ? status.code : 500;
}

/**
 * Whether the server can't go on from our version: too old (410), or none of its own (400, 504), as after a restored
 * etcd. A proxy's 504 has no reason, and a new list would not help.
 */
function needsList(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const { status, reason } = error;
  return status === 410 || status === 400 || (status === 504 && reason === "Timeout");
}
