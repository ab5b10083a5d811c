import { type Clock, type Rest, restMs } from "../clock.ts";
import { isStatus } from "./api-error.ts";
import { backOffMs, pause } from "./back-off.ts";
import { Budgets, touch } from "./budgets.ts";
import { type KubeClient, MERGE_PATCH } from "./client.ts";
import { microTime } from "./micro-time.ts";
import { Storm } from "./storm.ts";

/** The object that an event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  /** "" for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface EventRecorderDeps {
  readonly client: Pick<KubeClient, "request">;
  /** Who reports: "herald-controller". */
  readonly component: string;
  /** Which of them: the Pod or the node; `component` by default. */
  readonly instance?: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** At most so many are written, in the long run; no limit by default but that of the rests. */
  readonly perSecond?: number;
  /** Called for each event that nobody will ever read. */
  readonly dropped?: () => void;
}

/** The same event again within this time counts up the one that is there. */
const SERIES_MS = 10 * 60_000;
/** How often the count of one event is written. */
const SERIES_WRITE_MS = 60_000;
/** Different events about one object: this many at once, then one per REFILL_MS. */
const BURST = 10;
const REFILL_MS = 60_000;
/** Events, and objects with a budget, that are remembered so that what repeats is known. */
const MAX_KEPT = 2000;
/** Events that wait to be written: as many as a restored cluster may need at once, and some MB at most. */
const MAX_DUE = 20_000;
/** So many are written at once, where more than one waits: each for itself would cost this process three times as much. */
const BUNDLE = 16;
/** After a bundle it rests: an API server that is busy gets more of a rest. */
const REST: Rest = { share: 3, maxMs: 1000 };
/** So many within this time are a storm: what they tell of goes first, one event is written, and each rest is the longest. */
const STORM = 10;
const STORM_MS = 500;
const TRIES = 4;
const BACK_OFF = { baseMs: 500, capMs: 10_000 };
/** Limits of the API (events.k8s.io/v1). */
const MAX_NOTE = 1024;

/** One event, as it is or is to be in the API. */
interface Series {
  /** What makes events the same. */
  readonly key: string;
  readonly about: EventSubject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly note: string;
  readonly firstWall: number;
  /** Ends its name, so that it has one of its own. */
  readonly suffix: string;
  count: number;
  lastMs: number;
  lastWall: number;
  /** How many the API knows of; 0: not created yet. */
  written: number;
  writtenMs: number;
}

/**
 * Writes events (events.k8s.io/v1) in the background, in order, in small bundles and with rests, so that they take little
 * of the API server from what they tell of, and next to nothing while many come. It never throws and holds nobody up: what
 * repeats becomes a count, what is too much or can't be written is dropped.
 */
export class EventRecorder {
  readonly #deps: EventRecorderDeps;
  readonly #perSecond: number;
  /** By what makes events the same; the one used last comes last. */
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Budgets({ burst: BURST, refillMs: REFILL_MS, most: MAX_KEPT });
  readonly #due = new Set<Series>();
  readonly #closed = new AbortController();
  /** Ends the rests. */
  readonly #hurry = new AbortController();
  #restUntilMs = Number.NEGATIVE_INFINITY;
  readonly #storm = new Storm(STORM, STORM_MS);
  /** The last one could not be written: no more than one is at stake until one can. */
  #careful = false;
  #writing: Promise<void> | undefined;

  constructor(deps: EventRecorderDeps) {
    this.#deps = deps;
    this.#perSecond = deps.perSecond ?? Number.POSITIVE_INFINITY;
  }

  /** Tells about an object. `reason` is one word in PascalCase, `note` a sentence for people. */
  record(about: EventSubject, type: "Normal" | "Warning", reason: string, note: string): void {
    const { clock } = this.#deps;
    const nowMs = clock.now();
    const key = JSON.stringify([about.kind, about.namespace, about.name, about.uid, type, reason, note]);
    const known = this.#series.get(key);
    if (known !== undefined && nowMs - known.lastMs < SERIES_MS) {
      known.count++;
      known.lastMs = nowMs;
      known.lastWall = clock.wallNow();
      touch(this.#series, key, known, MAX_KEPT);
      if (known.written > 0 && nowMs - known.writtenMs >= SERIES_WRITE_MS) this.#write(known);
      return;
    }
    if (this.#budgets.spend(JSON.stringify([about.kind, about.namespace, about.name]), nowMs) > 0) {
      this.#deps.dropped?.();
      return;
    }
    const series = this.#start(key, about, type, reason, note);
    touch(this.#series, key, series, MAX_KEPT);
    this.#write(series);
  }

  /** Writes all that waits, and the counts that have not been written yet, without rests; resolves when that is done. */
  async flush(): Promise<void> {
    this.#hurry.abort();
    for (const series of this.#series.values()) {
      if (series.written > 0 && series.written < series.count) this.#due.add(series);
    }
    this.#work();
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Ends: writes what waits, as `flush` does, and drops what is not written within `limitMs`. Resolves then. */
  async end(limitMs: number): Promise<void> {
    const cancel = this.#deps.clock.after(limitMs, () => this.close());
    await this.flush();
    cancel();
  }

  /** Drops what is not written yet. */
  close(): void {
    this.#hurry.abort();
    this.#closed.abort();
  }

  #start(key: string, about: EventSubject, type: Series["type"], reason: string, note: string): Series {
    const { clock, random } = this.#deps;
    const wall = clock.wallNow();
    return {
      key,
      about,
      type,
      reason,
      note: note.length > MAX_NOTE ? `${note.slice(0, MAX_NOTE - 3)}...` : note,
      firstWall: wall,
      suffix: `${Math.floor(wall).toString(16)}${Math.floor(random() * 2 ** 32).toString(16)}`,
      count: 1,
      lastMs: clock.now(),
      lastWall: wall,
      written: 0,
      writtenMs: 0,
    };
  }

  #write(series: Series): void {
    this.#storm.came(this.#deps.clock.now());
    if (this.#due.size < MAX_DUE || this.#due.has(series)) this.#due.add(series);
    else this.#drop(series);
    this.#work();
  }

  #work(): void {
    if (this.#writing !== undefined || this.#due.size === 0) return;
    this.#writing = this.#writeDue().finally(() => {
      this.#writing = undefined;
      this.#work();
    });
  }

  async #writeDue(): Promise<void> {
    const { clock } = this.#deps;
    while (this.#due.size > 0) {
      const leftMs = this.#restUntilMs - clock.now();
      if (leftMs > 0) await pause(clock, leftMs, this.#hurry.signal);
      const begunMs = clock.now();
      const bundle = this.#takeBundle(begunMs);
      const written = await Promise.all(bundle.map((series) => this.#tryToWrite(series)));
      const endedMs = clock.now();
      const nextMs = this.#storm.rages(endedMs) ? REST.maxMs : restMs(REST, endedMs - begunMs);
      this.#restUntilMs = Math.max(endedMs + nextMs, begunMs + (bundle.length * 1000) / this.#perSecond);
      this.#careful = written.includes(false);
      for (const [at, series] of bundle.entries()) if (!written[at]) this.#drop(series);
    }
  }

  #takeBundle(nowMs: number): readonly Series[] {
    const isAlone = this.#careful || (this.#storm.rages(nowMs) && !this.#hurry.signal.aborted);
    const bundle: Series[] = [];
    for (const series of this.#due) {
      if (bundle.length === (isAlone ? 1 : BUNDLE)) break;
      this.#due.delete(series);
      bundle.push(series);
    }
    return bundle;
  }

  #drop(series: Series): void {
    this.#deps.dropped?.();
    if (series.written === 0) this.#series.delete(series.key); // or its repetitions would be counts of nothing
  }

  async #tryToWrite(series: Series): Promise<boolean> {
    const { clock, random } = this.#deps;
    const { signal } = this.#closed;
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await this.#send(series, signal);
        return true;
      } catch (error) {
        if (isStatus(error, 404) && series.written > 0) series.written = 0; // it had run out: an event of its own again
        if (tries === TRIES || isStatus(error, 403) || isStatus(error, 422)) return false;
        await pause(clock, backOffMs(BACK_OFF, tries, random), signal);
      }
    }
    return false;
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#deps;
    const { about, suffix, count, lastWall } = series;
    const namespace = about.namespace || "default"; // where the API wants those of cluster-scoped objects
    const name = `${about.name.slice(0, 200)}.${suffix}`;
    const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
    const repeated = { series: { count, lastObservedTime: microTime(lastWall) } };
    if (series.written === 0) {
      const body = { ...this.#body(series, { name, namespace }), ...(count > 1 && repeated) };
      await client.request({ method: "POST", path, body, unread: true, signal });
    } else {
      const contentType = MERGE_PATCH;
      const repeat = { path: `${path}/${name}`, contentType, body: repeated };
      await client.request({ method: "PATCH", ...repeat, unread: true, signal });
    }
    series.written = count;
    series.writtenMs = clock.now();
  }

  #body({ about, type, reason, note, firstWall }: Series, metadata: { name: string; namespace: string }): object {
    const { component, instance = component } = this.#deps;
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata,
      eventTime: microTime(firstWall),
      reportingController: component,
      reportingInstance: instance.slice(0, 128),
      action: reason,
      reason,
      regarding: about,
      type,
      note,
    };
  }
}
