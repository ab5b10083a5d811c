import { isDeepStrictEqual } from "node:util";
import type { BGPPeer } from "../../api/bgp-peer.ts";
import type { IPPool } from "../../api/ippool.ts";
import type { Node, Secret } from "../../api/objects.ts";
import type { Daemon } from "../../bgp/daemon.ts";
import { type Desired, desired } from "../../bgp/desired.ts";
import type { HeldIP } from "../../bgp/held-ip.ts";
import { keepAS } from "../../bgp/keep-as.ts";
import type { BGPState } from "../../bgp/model.ts";
import type { BGPNode } from "../../bgp/node.ts";
import { type NodePeers, secretsOf } from "../../bgp/peers.ts";
import { Reconciler, type ReconcilerView, type Use } from "../../bgp/reconciler.ts";
import { keepPasswords } from "../../bgp/unread-passwords.ts";
import type { Cancel, Clock } from "../../clock.ts";
import type { WantedCondition } from "../../kube/conditions.ts";
import type { Log } from "../../log.ts";
import type { Interface } from "../interfaces.ts";
import type { Leave } from "../segment-messages.ts";
import { bgpConditions } from "./bgp-conditions.ts";
import { type DrainPhase, drainPhase } from "./drain.ts";
import type { BGPMetrics } from "./metrics.ts";
import { outcomesNow } from "./outcomes-now.ts";
import { type BGPStatus, ownBGP, withoutCounts } from "./own-bgp.ts";
import { type SessionNews, SessionStories } from "./session-stories.ts";

export interface BGPRoleDeps {
  readonly daemon: Daemon;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: BGPMetrics;
  readonly drainDelayMs: number;
  readonly probe: ConstructorParameters<typeof SessionStories>[0]["probe"];
  /** A program of this node listens on BGP's port. */
  readonly isPortTaken: () => boolean;
  /** What the Speaker shows of BGP is new. */
  readonly touched: () => void;
  readonly tell: (news: SessionNews) => void;
}

/** What the API says, and the node itself. */
export interface BGPSnapshot {
  /** undefined: there is no such Node. */
  readonly node: Node | undefined;
  readonly peers: readonly BGPPeer[];
  readonly secrets: readonly Secret[];
  /** Why the Secrets could not be read yet, in words; undefined: they were. */
  readonly secretsUnread?: string | undefined;
  readonly pools: readonly IPPool[];
  readonly held: ReadonlyMap<string, HeldIP>;
  readonly interfaces: readonly Interface[];
  /** The Node's label asks for it. */
  readonly evacuating: boolean;
  /** The node's Speaker object tells of BGP: an earlier run had peers. */
  readonly recorded: boolean;
}

/** Counts are shown with what else is new, or after this long, in ms. */
const COUNTS_MS = 30_000;
/** That gobgpd is not there is not told where it is over sooner, as where both start together, in ms. */
const PROBLEM_MS = 3_000;
/** Withdrawals leave before the session is closed, in ms. */
const WITHDRAW_MS = 1_000;
/** At the end gobgpd gets this long to do a thing, in ms. */
const SETTLE_MS = 5_000;

/** Announces by BGP: has the node's gobgpd hold what the API says, and tells what becomes of it. */
export class BGPRole {
  readonly #deps: BGPRoleDeps;
  readonly #reconciler: Reconciler;
  readonly #stories: SessionStories;
  #snapshot: BGPSnapshot | undefined;
  #notForwarding = false;
  /** It ends for good: what it announces is to go, and then its sessions. */
  #handingOver = false;
  #closing = false;
  #drainSinceMs: number | undefined;
  #drainTimer: Cancel | undefined;
  #desired: Desired | undefined;
  #everUsed = false;
  #status: BGPStatus | undefined;
  #statusAtMs = 0;
  #conditions: readonly WantedCondition[] = [];
  #problemTimer: Cancel | undefined;

  constructor(deps: BGPRoleDeps) {
    this.#deps = deps;
    const { daemon, clock, random, log, metrics, probe, isPortTaken, tell } = deps;
    this.#stories = new SessionStories({ clock, probe, tell, changed: () => this.#show() });
    this.#reconciler = new Reconciler({
      daemon,
      clock,
      random,
      log,
      metrics,
      use: () => this.#use(),
      wanted: (actual) => this.#wanted(actual),
      isPortTaken,
      changed: () => this.#look(),
    });
  }

  /** What the Speaker shows; undefined: no BGPPeer selects the node. */
  get status(): BGPStatus | undefined {
    return this.#status;
  }

  get conditions(): readonly WantedCondition[] {
    return this.#conditions;
  }

  /** Keeps gobgpd until aborted; its end touches nothing. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#reconciler.run(signal);
    this.#drainTimer?.();
    this.#problemTimer?.();
  }

  /** Takes what the API says now. All that BGP goes by, but for the Secrets, must have been read: what is missing in it is withdrawn. */
  setSnapshot(snapshot: BGPSnapshot): void {
    this.#snapshot = snapshot;
    this.#decide();
  }

  setNotForwarding(notForwarding: boolean): void {
    this.#notForwarding = notForwarding;
    this.#decide();
  }

  /**
   * Ends. Restart: gobgpd goes on with all that it has. HandOver: its routes say that they are about to go, go after the
   * delay, and then the sessions close.
   */
  async leave(how: Leave): Promise<void> {
    if (how === "Restart" || this.#use() !== "Used") return;
    const { clock, drainDelayMs } = this.#deps;
    const announces = this.#desired?.state.routes.size !== 0;
    this.#handingOver = true;
    this.#decide();
    if (announces) await this.#pause((this.#drainSinceMs ?? 0) + drainDelayMs - clock.now());
    this.#decide();
    await this.#reconciler.settled(SETTLE_MS);
    await this.#pause(WITHDRAW_MS);
    this.#closing = true;
    await this.#reconciler.settled(SETTLE_MS);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.after(ms, resolve));
  }

  #use(): Use {
    if (this.#desired === undefined) return "Unknown";
    if (this.#desired.state.global !== undefined) return "Used";
    return this.#everUsed ? "Unused" : "Unknown";
  }

  #decide(): void {
    const node = this.#ownNode();
    const snapshot = this.#snapshot;
    if (node === undefined || snapshot === undefined) return;
    const { peers, pools } = snapshot;
    const held: BGPSnapshot["held"] = peers.length === 0 ? new Map() : snapshot.held; // nobody is told, whatever is held
    const secrets = secretsOf(snapshot.secrets, snapshot.secretsUnread);
    this.#desired = desired(node, { peers, secrets, pools, held }, this.#desired);
    this.#everUsed ||= snapshot.recorded || this.#desired.state.global !== undefined;
    this.#reconciler.wake();
    this.#look();
  }

  /** undefined: there is no such Node, or it is not known. */
  #ownNode(): BGPNode | undefined {
    const { node, interfaces, evacuating } = this.#snapshot ?? {};
    if (node === undefined || interfaces === undefined) return undefined;
    const phase = this.#drain(evacuating === true || this.#handingOver);
    return { node, interfaces, draining: phase === "Draining", withdrawn: this.#withdrawn(phase) };
  }

  #withdrawn(phase: DrainPhase): BGPNode["withdrawn"] {
    if (phase === "Drained") return "Evacuated";
    return this.#notForwarding ? "NotForwarding" : undefined;
  }

  #drain(leaving: boolean): DrainPhase {
    const { clock, drainDelayMs } = this.#deps;
    this.#drainSinceMs = leaving ? (this.#drainSinceMs ?? clock.now()) : undefined;
    const phase = this.#phase();
    this.#drainTimer?.();
    this.#drainTimer = undefined;
    if (phase === "Draining" && this.#drainSinceMs !== undefined)
      this.#drainTimer = clock.after(this.#drainSinceMs + drainDelayMs - clock.now(), () => this.#decide());
    return phase;
  }

  #wanted(actual: BGPState): BGPState {
    if (this.#desired === undefined) return actual;
    const state = keepPasswords(keepAS(this.#desired, actual), this.#desired.peers, actual);
    if (this.#closing) return { ...state, global: undefined, peers: new Map(), routes: new Map() };
    if (this.#phase() !== "Draining") return state;
    // A node that is about to leave takes nothing new: one that was drained before its speaker restarted stays so.
    return { ...state, routes: new Map([...state.routes].filter(([prefix]) => actual.routes.has(prefix))) };
  }

  /** Takes what gobgpd and its sessions are like now. */
  #look(): void {
    this.#stories.look(this.#outcomes(), this.#reconciler.view);
    this.#show();
  }

  /** What becomes of the BGPPeers now. */
  #outcomes(): NodePeers["outcomes"] {
    return this.#desired === undefined ? new Map() : outcomesNow(this.#desired.peers, this.#reconciler.view);
  }

  #show(): void {
    const { clock, metrics, touched } = this.#deps;
    if (this.#desired === undefined) return;
    const { state } = this.#desired;
    const outcomes = this.#outcomes();
    const view = this.#shownView();
    const sessions = new Map(view.sessions.map((session) => [session.neighbor, session]));
    const stories = this.#stories.told;
    metrics.show({
      gobgpdUp: outcomes.size === 0 ? undefined : view.problem === undefined && view.sessionsAtMs !== undefined,
      routes: view.held?.routes.size,
      sessions: new Map([...outcomes].map(([name, { neighbor }]) => [name, sessions.get(neighbor)])),
      falls: new Map([...outcomes].map(([name, { neighbor }]) => [name, stories.get(neighbor)?.falls ?? 0])),
    });
    const node = this.#snapshot?.node && this.#withdrawn(this.#phase());
    const asnOf = (name: string) => this.#snapshot?.peers.find(({ meta }) => meta.name === name)?.spec.peerASN ?? 0;
    const status = ownBGP({
      global: view.held?.global ?? state.global,
      outcomes,
      asnOf,
      view,
      stories,
      withdrawn: node,
    });
    const conditions = bgpConditions({ outcomes, problem: view.problem, status, nowMs: clock.wallNow() });
    const counted = clock.now() - this.#statusAtMs >= COUNTS_MS;
    const same = counted
      ? isDeepStrictEqual(status, this.#status)
      : isDeepStrictEqual(withoutCounts(status), withoutCounts(this.#status));
    if (same && isDeepStrictEqual(conditions, this.#conditions)) return;
    this.#status = status;
    this.#statusAtMs = clock.now();
    this.#conditions = conditions;
    touched();
  }

  #phase(): DrainPhase {
    return drainPhase(this.#drainSinceMs, this.#deps.drainDelayMs, this.#deps.clock.now());
  }

  /** The view without a problem that may be over in a moment. */
  #shownView(): ReconcilerView {
    const { clock } = this.#deps;
    const { view } = this.#reconciler;
    if (view.problem?.kind !== "Away") return view;
    const leftMs = view.problem.sinceMs + PROBLEM_MS - clock.now();
    if (leftMs <= 0) return view;
    this.#problemTimer?.();
    this.#problemTimer = clock.after(leftMs, () => this.#show());
    return { ...view, problem: undefined };
  }
}
