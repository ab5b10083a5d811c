import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { isStatus } from "./api-error.ts";
import { pause } from "./back-off.ts";
import type { KubeClient } from "./client.ts";
import { microTime } from "./micro-time.ts";
import { integer, record, text } from "./raw.ts";

export interface LeadOptions {
  readonly client: Pick<KubeClient, "request">;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Tells this process from all others that ask for the Lease, earlier ones in the same Pod too. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** How long after the leader's last sign of life the others leave it alone. */
  readonly leaseDurationMs?: number;
  /** How long after its own last renewal the leader goes on; shorter than the lease, so that it has stopped before another starts. */
  readonly renewDeadlineMs?: number;
  /** How often those who wait look, and how soon a failed renewal is tried again. */
  readonly retryPeriodMs?: number;
  readonly signal: AbortSignal;
  /**
   * The work of the leader; must end soon after its signal is aborted. `leads` says whether the Lease is still held at this
   * very moment: of a process that was stopped for a while, timers and so the signal may be late.
   */
  run(signal: AbortSignal, leads: () => boolean): Promise<void>;
}

/**
 * Waits until this process leads, and runs; again after it has lost the Lease. Ends when `signal` is aborted, or when
 * `run` ends by itself (rejects as it does); the Lease is released, so that the next one need not wait for its end. By
 * the default times a crashed leader is followed within 5 s. Clocks of machines are not compared: a lease has run out
 * when it has not changed for its duration on our own clock.
 */
export async function lead(options: LeadOptions): Promise<void> {
  const { signal, clock, retryPeriodMs = 500 } = options;
  const lease = new Lease(options);
  while (!signal.aborted) {
    if (await lease.acquire()) {
      const ended = await term(lease, options);
      if (ended) return;
    }
    await pause(clock, retryPeriodMs * (1 - options.random() / 5), signal);
  }
}

/** Runs as long as the Lease is held. Gives whether that was all: aborted from outside, or `run` has ended. */
async function term(lease: Lease, { signal, run, log, name, identity }: LeadOptions): Promise<boolean> {
  log.info("leading", { lease: name, identity });
  const lost = new AbortController();
  const ended = new AbortController();
  const work = async () => await run(AbortSignal.any([signal, lost.signal]), () => lease.held);
  const outcome = work()
    .then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    .finally(() => ended.abort());
  const held = await lease.keep(AbortSignal.any([signal, ended.signal]));
  if (!held) {
    log.warn("the Lease is lost; waiting to lead again", { lease: name });
    lost.abort(new Error("the Lease is lost"));
  }
  const failure = await outcome;
  if (held) await lease.release();
  if (failure !== undefined && held && !signal.aborted) throw failure.error;
  if (failure !== undefined) log.debug("the leader's work was cut off", { error: failure.error });
  return held;
}

interface Seen {
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
  readonly acquireTime: unknown;
  /** Of the object. */
  readonly version: string;
  /** When this version was first seen, on our clock. */
  readonly sinceMs: number;
}

/** One Lease (coordination.k8s.io/v1), as this process sees and writes it. */
class Lease {
  readonly #options: LeadOptions;
  readonly #durationMs: number;
  readonly #deadlineMs: number;
  readonly #retryMs: number;
  readonly #path: string;
  #seen: Seen | undefined;
  /** When the last successful write was begun: the server has it no earlier. */
  #writtenMs = 0;
  /** The holder that was logged last. */
  #logged: string | undefined;

  constructor(options: LeadOptions) {
    this.#options = options;
    this.#durationMs = options.leaseDurationMs ?? 4000;
    this.#deadlineMs = options.renewDeadlineMs ?? 3000;
    this.#retryMs = options.retryPeriodMs ?? 500;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  }

  /** Whether nobody else can have taken it yet. */
  get held(): boolean {
    return this.#left() > 0;
  }

  /** Tries once; gives whether this process holds it now. */
  async acquire(): Promise<boolean> {
    const { clock, identity, signal, log } = this.#options;
    try {
      await this.#look();
      const seen = this.#seen;
      const free = seen === undefined || seen.holder === "" || seen.holder === identity;
      if (!free && clock.now() - seen.sinceMs < seen.durationMs) {
        if (this.#logged !== seen.holder) log.info("another leads; waiting", { holder: seen.holder });
        this.#logged = seen.holder;
        return false;
      }
      await this.#write(identity, signal);
      this.#logged = undefined;
      return true;
    } catch (error) {
      const raced = isStatus(error, 409);
      const what = error instanceof Error ? error.message : String(error);
      if (!raced && !signal.aborted && this.#logged !== what)
        log.warn("the Lease can't be taken; it is tried on", { error });
      if (!raced) this.#logged = what;
      return false;
    }
  }

  /** Renews until `until` is aborted: gives true; false where it was lost or could not be renewed in time. */
  async keep(until: AbortSignal): Promise<boolean> {
    const { clock, identity, log } = this.#options;
    let waitMs = this.#deadlineMs / 3;
    for (;;) {
      await pause(clock, Math.max(0, Math.min(waitMs, this.#left())), until);
      if (until.aborted) return true;
      if (this.#left() <= 0) return false;
      try {
        await this.#write(identity, until, this.#left());
        waitMs = this.#deadlineMs / 3;
      } catch (error) {
        if (until.aborted) return true;
        log.debug("the Lease was not renewed", { error });
        if (await this.#taken(error, until)) return false;
        waitMs = this.#retryMs;
      }
    }
  }

  /** Gives the Lease up, if it is still ours; never rejects. */
  async release(): Promise<void> {
    try {
      await this.#write("", undefined, this.#deadlineMs);
    } catch (error) {
      this.#options.log.debug("the Lease was not released; it runs out by itself", { error });
    }
  }

  /** How much longer this process may lead without a renewal. */
  #left(): number {
    return this.#writtenMs + this.#deadlineMs - this.#options.clock.now();
  }

  /** After a conflict: whether another holds it. Somebody who edited it by hand, or our own write unheard of, is no loss. */
  async #taken(error: unknown, until: AbortSignal): Promise<boolean> {
    if (!isStatus(error, 409)) return false;
    try {
      await this.#look(until, Math.max(1, this.#left()));
    } catch {
      return false;
    }
    return this.#seen !== undefined && this.#seen.holder !== this.#options.identity;
  }

  async #look(signal: AbortSignal = this.#options.signal, timeoutMs = this.#deadlineMs): Promise<void> {
    try {
      const path = `${this.#path}/${this.#options.name}`;
      this.#remember(await this.#options.client.request({ method: "GET", path, signal, timeoutMs }));
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
      this.#seen = undefined;
    }
  }

  async #write(holder: string, signal: AbortSignal | undefined, timeoutMs = this.#deadlineMs): Promise<void> {
    const { client, name, namespace, clock } = this.#options;
    const seen = this.#seen;
    const now = microTime(clock.wallNow());
    const begunMs = clock.now();
    const same = seen?.holder === holder;
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: holder === "" ? 1 : Math.ceil(this.#durationMs / 1000),
      acquireTime: same ? seen.acquireTime : now,
      renewTime: now,
      leaseTransitions: (seen?.transitions ?? 0) + (same || seen === undefined || holder === "" ? 0 : 1),
    };
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace, ...(seen === undefined ? {} : { resourceVersion: seen.version }) },
      spec,
    };
    const where = seen === undefined ? this.#path : `${this.#path}/${name}`;
    const method = seen === undefined ? "POST" : "PUT";
    const rest = { ...(signal === undefined ? {} : { signal }), timeoutMs };
    this.#remember(await client.request({ method, path: where, body, ...rest }));
    this.#writtenMs = begunMs;
  }

  #remember(raw: unknown): void {
    const { metadata, spec: rawSpec } = record(raw);
    const spec = record(rawSpec);
    const version = text(record(metadata).resourceVersion);
    if (this.#seen?.version === version) return;
    const seconds = integer(spec.leaseDurationSeconds);
    this.#seen = {
      holder: text(spec.holderIdentity),
      durationMs: seconds > 0 ? Math.min(seconds, 60) * 1000 : this.#durationMs,
      transitions: integer(spec.leaseTransitions),
      acquireTime: spec.acquireTime,
      version,
      sinceMs: this.#options.clock.now(),
    };
  }
}
