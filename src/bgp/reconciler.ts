import { type Clock, type Rest, restMs } from "../clock.ts";
import type { Log } from "../log.ts";
import { spoiltByFalls, UpSessions, withBFDWhereUp } from "./bfd.ts";
import type { Call } from "./calls.ts";
import { CannotListen, type Daemon, type DaemonProblem, isEstablished, problemOf, type Session } from "./daemon.ts";
import { diff } from "./diff.ts";
import { Listener } from "./listener.ts";
import type { BGPState } from "./model.ts";
import { leaveRefused, NONE_REFUSED, type Refused, refusedOf } from "./refused.ts";
import { StuckBFD } from "./stuck-bfd.ts";

/**
 * Whether this node has to do with gobgpd. Unknown: the API is not read yet, or the node never had a
 * peer, so nothing is touched. Unused: it has none any more; what gobgpd holds from before is taken away, and then it is
 * left alone.
 */
export type Use = "Unknown" | "Unused" | "Used";

export interface ReconcilerDeps {
  readonly daemon: Daemon;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly use: () => Use;
  /** Says what gobgpd shall hold now; `actual` is what it holds. Not asked while the use is not known. */
  readonly wanted: (actual: BGPState) => BGPState;
  /** A program of this node listens on BGP's port. Asked only where gobgpd is to, and does not. */
  readonly isPortTaken: () => boolean;
  /** Something of the view is new. */
  readonly changed: () => void;
  readonly metrics: ReconcilerMetrics;
}

export interface ReconcilerMetrics {
  /** A turn in which gobgpd was asked or told something ended, well or not. */
  readonly reconciled: (result: "ok" | "failed", durationMs: number) => void;
  /** So many routes, peers or policies were not as they had been left: somebody else changed them. */
  readonly driftFound: (count: number) => void;
  readonly driftRepaired: (count: number) => void;
}

/** What is known of gobgpd and its sessions. */
export interface ReconcilerView {
  /** Why gobgpd does not do what it is told, and since when on the clock; undefined: it does. */
  readonly problem: (DaemonProblem & { readonly sinceMs: number }) | undefined;
  /** Why gobgpd does not listen though it is to, in words, with the remedy: it holds no passive peer then. */
  readonly cannotListen: string | undefined;
  /** What gobgpd holds, as it was told or last looked at; undefined: not known. */
  readonly held: BGPState | undefined;
  /** As they were last seen; the same array until they are read again. */
  readonly sessions: readonly Session[];
  /** When they were read, on the clock; undefined: never. */
  readonly sessionsAtMs: number | undefined;
}

/** What gobgpd holds is compared with what is wanted at least this often, in ms. */
const VERIFY_MS = 30_000;
/** Sessions are read this often, in ms, besides at their events: while one is not up, and while all are. */
const SESSIONS_DOWN_MS = 2_000;
const SESSIONS_UP_MS = 3_000;
/** Events of sessions come in groups: they are read no sooner than this after the last time, in ms. */
const SESSIONS_GAP_MS = 100;
/**
 * After the n-th failure in a row it rests for this long, doubling, in ms. What is not there costs nothing to ask for, and
 * its peers wait for it: it is asked for more often. What refuses one thing may take another: it is told what is new, and
 * what it refused only after longer.
 */
const BACK_OFF = {
  baseMs: 100,
  capMs: { Away: 250, Frozen: 5_000, TooOld: 5_000, Refused: 500 },
  refusedCapMs: 10_000,
} as const;
/** After something new was refused, all that gobgpd holds is read, and it rests. */
const READ_REST: Rest = { share: 10, maxMs: BACK_OFF.refusedCapMs };
/** A stream of events that ends sooner than this is a failure, in ms. */
const SHORT_STREAM_MS = 1_000;

/**
 * Keeps gobgpd at what is wanted, by level: a wake carries nothing, so a lost or doubled one does no harm. What gobgpd
 * held when it was last told is remembered, so a new route is one call and no list; the event stream tells when it has
 * restarted, and a slow timer finds what somebody else changed.
 */
export class Reconciler {
  readonly #deps: ReconcilerDeps;
  #held: BGPState | undefined;
  /** When what gobgpd holds is to be read again, whatever is known of it. */
  #verifyMs = Number.NEGATIVE_INFINITY;
  /** When what failed is to be tried again. */
  #retryMs = Number.POSITIVE_INFINITY;
  #sessions: readonly Session[] = [];
  #sessionsAtMs: number | undefined;
  #sessionsDirty = true;
  readonly #up = new UpSessions();
  /** What was known of them when it was said last what is wanted. */
  #toldOfUp = "";
  readonly #stuckBFD = new StuckBFD();
  readonly #listener: Listener;
  /** What was refused when it was told last; not told again before `#retryMs`. */
  #refused: Refused = NONE_REFUSED;
  /** Something of what is wanted is left out as it was refused. */
  #lacking = false;
  /** How long it took to read what gobgpd holds after it had refused something new, in ms. */
  #readAnewMs = 0;
  #problem: ReconcilerView["problem"];
  #failures = 0;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  /** The event stream, and when it was opened. */
  #stream: { readonly stop: () => void; readonly sinceMs: number } | undefined;
  /** Nothing is wanted of gobgpd, and it holds nothing of Herald's. */
  #left = false;
  #woken = true;
  #resting = false;
  #rested: () => void = () => {};
  #idle: (() => void)[] = [];

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#listener = new Listener(deps.isPortTaken);
  }

  get view(): ReconcilerView {
    return {
      problem: this.#problem,
      cannotListen: this.#listener.why,
      held: this.#held,
      sessions: this.#sessions,
      sessionsAtMs: this.#sessionsAtMs,
    };
  }

  /** Says that something else may be wanted. */
  wake(): void {
    this.#woken = true;
    this.#stir();
  }

  /** Ends the wait for what is due, but no rest after a failure. */
  #stir(): void {
    if (!this.#resting) this.#rested();
  }

  /** Resolves when gobgpd holds what is wanted now, or after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    const cancel = this.#deps.clock.after(timeoutMs, resolve);
    this.wake();
    await promise;
    cancel();
  }

  /** Reconciles until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#rested(), { once: true });
    while (!signal.aborted) {
      await this.#turn();
      if (!signal.aborted) await this.#rest();
    }
    this.#endStream();
  }

  async #turn(): Promise<void> {
    const { clock, metrics, use } = this.#deps;
    const woken = this.#woken;
    this.#woken = false;
    const used = use();
    if (used === "Unknown") return;
    if (used === "Used") this.#left = false;
    if (this.#left) return this.#tellIdle();
    const startedMs = clock.now();
    try {
      const deaf = this.#listener.why;
      const due = woken || this.#held === undefined || startedMs >= this.#dueMs();
      const worked = due ? await this.#reconcile() : false;
      if (this.#listener.why !== deaf) this.#sessionsDirty = true;
      if (used === "Unused") this.#leave();
      await this.#readSessions();
      if (!this.#lacking || this.#left) this.#succeeded();
      if (worked) metrics.reconciled("ok", clock.now() - startedMs);
      if (!this.#woken) this.#tellIdle();
    } catch (error) {
      this.#failed(error, used);
      metrics.reconciled("failed", clock.now() - startedMs);
    }
  }

  /** Brings gobgpd to what is wanted; tells whether anything had to be asked or told. */
  async #reconcile(): Promise<boolean> {
    const { daemon, clock, metrics, wanted } = this.#deps;
    const believed = this.#held;
    const verify = believed === undefined || clock.now() >= this.#verifyMs;
    const found = verify ? await daemon.read() : believed;
    const sessions = believed === undefined ? await this.#sessionsOf(found) : this.#sessions;
    if (verify) this.#verifyMs = clock.now() + VERIFY_MS;
    const drift = verify && believed !== undefined ? sizeOf(diff(believed, found)) : 0;
    if (drift > 0) {
      this.#deps.log.warn("gobgpd was not as it had been left; putting it right", { differences: drift });
      metrics.driftFound(drift);
    }
    this.#openStream();
    const retries = clock.now() >= this.#retryMs;
    if (retries) this.#refused = NONE_REFUSED;
    if (believed === undefined) this.#up.take(sessions, clock.now());
    this.#toldOfUp = `${this.#up}`;
    const actual = spoiltByFalls(found, sessions);
    const now = withBFDWhereUp(wanted(actual), actual, this.#up);
    const whole = this.#listener.possible(now, actual, clock.now());
    const want = leaveRefused(whole, actual, this.#refused);
    const calls = diff(want, actual);
    try {
      if (calls.length > 0) await this.#apply(calls, want, retries);
    } catch (error) {
      if (!(error instanceof CannotListen)) throw error;
      this.#deps.log.warn("gobgpd can't listen; going on without", { error });
      this.#listener.failed(error.message, clock.now());
      return await this.#reconcile();
    }
    this.#held = want;
    this.#lacking = want !== whole;
    if (!this.#lacking) {
      this.#refused = NONE_REFUSED;
      this.#retryMs = Number.POSITIVE_INFINITY;
    }
    if (drift > 0) metrics.driftRepaired(drift);
    // How many routes a peer was told of is read soon enough: a new route is one call.
    if (calls.some(({ do: what }) => what !== "AddRoutes" && what !== "DeleteRoutes")) this.#sessionsDirty = true;
    return verify || calls.length > 0;
  }

  /** What it refuses holds back nothing else; how far it came otherwise, where it goes wrong, nobody knows. */
  async #apply(calls: readonly Call[], want: BGPState, retries: boolean): Promise<void> {
    const { clock, daemon } = this.#deps;
    this.#held = undefined;
    this.#readAnewMs = 0;
    try {
      await daemon.apply(calls);
    } catch (error) {
      if (problemOf(error).kind !== "Refused" || error instanceof CannotListen) throw error;
      const beganMs = clock.now();
      this.#held = await daemon.read();
      if (!retries) this.#readAnewMs = clock.now() - beganMs;
      this.#lacking = true;
      const refused = refusedOf(want, this.#held);
      const others = diff(leaveRefused(want, this.#held, refused), this.#held);
      this.#refused = others.length === 0 ? refused : NONE_REFUSED; // else it was not even told of all
      throw error;
    }
  }

  #leave(): void {
    this.#left = true;
    this.#held = undefined;
    this.#endStream();
    this.#sessions = [];
    this.#sessionsAtMs = undefined;
  }

  async #readSessions(): Promise<void> {
    const { clock, daemon, changed } = this.#deps;
    if (this.#left || clock.now() < this.#sessionsDueMs()) return;
    this.#sessionsDirty = false;
    this.#sessions = await daemon.sessions();
    this.#sessionsAtMs = clock.now();
    this.#up.take(this.#sessions, this.#sessionsAtMs);
    changed();
    // Beside a session that opened or fell, something else is wanted.
    if (`${this.#up}` !== this.#toldOfUp) this.#woken = true;
    // Somebody took a peer away, or put one there.
    if (this.#held !== undefined && this.#held.peers.size !== this.#sessions.length) this.#verifyMs = clock.now();
    for (const neighbor of this.#stuckBFD.restart(this.#sessions, clock.now())) await this.#restartBFD(neighbor);
  }

  async #restartBFD(neighbor: string): Promise<void> {
    const peer = this.#held?.peers.get(neighbor);
    if (peer?.bfd === undefined) return;
    this.#deps.log.info("BFD does not come up; restarting it", { neighbor });
    await this.#deps.daemon.apply([
      { do: "UpdatePeer", peer: { ...peer, bfd: undefined } },
      { do: "UpdatePeer", peer },
    ]);
  }

  /** The sessions of a gobgpd that is not known yet. */
  async #sessionsOf(found: BGPState): Promise<readonly Session[]> {
    return found.peers.size === 0 ? [] : await this.#deps.daemon.sessions();
  }

  #sessionsDueMs(): number {
    if (this.#sessionsAtMs === undefined) return Number.NEGATIVE_INFINITY;
    if (this.#sessionsDirty) return this.#sessionsAtMs + SESSIONS_GAP_MS;
    const up = this.#sessions.every(isEstablished);
    const dueMs = this.#sessionsAtMs + (up ? SESSIONS_UP_MS : SESSIONS_DOWN_MS);
    return Math.min(dueMs, this.#stuckBFD.dueMs, this.#up.dueMs);
  }

  #openStream(): void {
    if (this.#stream !== undefined) return;
    const { clock, daemon } = this.#deps;
    const stop = daemon.watch({
      changed: () => {
        this.#sessionsDirty = true;
        this.#stir();
      },
      ended: () => {
        if (this.#stream === stream) this.#streamEnded(clock.now() - stream.sinceMs);
      },
    });
    const stream = { stop, sinceMs: clock.now() };
    this.#stream = stream;
  }

  #endStream(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.stop();
  }

  /** gobgpd ended, or the connection: what it holds is to be read anew. */
  #streamEnded(lastedMs: number): void {
    this.#stream = undefined;
    this.#held = undefined;
    this.#refused = NONE_REFUSED;
    this.#listener.forget();
    this.#sessionsDirty = true;
    if (lastedMs < SHORT_STREAM_MS) this.#restUntilMs = this.#deps.clock.now() + BACK_OFF.baseMs;
    this.wake();
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#restUntilMs = Number.NEGATIVE_INFINITY;
    if (this.#problem === undefined) return;
    this.#deps.log.info("gobgpd does what it is told again");
    this.#problem = undefined;
    this.#deps.changed();
  }

  #failed(error: unknown, used: Use): void {
    const { clock, log, random, changed } = this.#deps;
    const problem = problemOf(error);
    if (problem.kind !== "Refused") {
      this.#held = undefined;
      this.#endStream();
    }
    if (problem.kind === "Away") this.#loseSessions();
    if (used === "Unused" && problem.kind === "Away") {
      this.#leave(); // what is not there holds nothing
      this.#succeeded();
      return;
    }
    this.#failures++;
    const backOffMs = BACK_OFF.baseMs * 2 ** Math.min(this.#failures - 1, 10) * (1 - random() / 2);
    const shortestMs = problem.kind === "Refused" ? restMs(READ_REST, this.#readAnewMs) : 0;
    this.#restUntilMs = clock.now() + Math.max(shortestMs, Math.min(BACK_OFF.capMs[problem.kind], backOffMs));
    this.#retryMs =
      problem.kind === "Refused" ? clock.now() + Math.min(BACK_OFF.refusedCapMs, backOffMs) : this.#restUntilMs;
    if (this.#held === undefined) this.#verifyMs = this.#retryMs;
    if (this.#problem?.kind === problem.kind && this.#problem.message === problem.message) return;
    if (this.#problem?.kind !== problem.kind) log.warn("gobgpd does not do what it is told; trying on", { error });
    this.#problem = { ...problem, sinceMs: this.#problem?.sinceMs ?? clock.now() };
    changed();
  }

  /** A process that is gone holds none. */
  #loseSessions(): void {
    if (this.#sessions.length === 0) return;
    this.#sessions = [];
    this.#sessionsAtMs = this.#deps.clock.now();
    this.#sessionsDirty = true;
    this.#deps.changed();
  }

  #tellIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Waits for a wake, or for the time at which something is due; after a failure for the latter alone. */
  async #rest(): Promise<void> {
    const { clock } = this.#deps;
    this.#resting = clock.now() < this.#restUntilMs;
    if (this.#woken && !this.#resting) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#rested = resolve;
    const dueMs = this.#nextMs();
    const cancel = dueMs === undefined ? undefined : clock.after(Math.max(0, dueMs - clock.now()), resolve);
    await promise;
    cancel?.();
    this.#resting = false;
  }

  /** When gobgpd is to be told or compared again, whatever happens. */
  #dueMs(): number {
    return Math.min(this.#verifyMs, this.#retryMs);
  }

  #nextMs(): number | undefined {
    if (this.#resting) return this.#restUntilMs;
    if (this.#left || this.#deps.use() === "Unknown") return undefined;
    return Math.min(this.#dueMs(), this.#sessionsDueMs());
  }
}

/** How many things calls change. */
function sizeOf(calls: readonly Call[]): number {
  const size = (call: Call) =>
    call.do === "AddRoutes" ? call.routes.length : call.do === "DeleteRoutes" ? call.prefixes.length : 1;
  return calls.reduce((sum, call) => sum + size(call), 0);
}
