import type { Call } from "../../src/bgp/calls.ts";
import { CannotListen, type Daemon, DaemonError, type DaemonProblemKind, type Session } from "../../src/bgp/daemon.ts";
import type { BGPState, Peer, Route } from "../../src/bgp/model.ts";
import { sessionOf } from "./bgp-world.ts";

const NO_EXPORTS = { profiles: new Map(), nextHops: new Map(), foreign: false };
const FRESH: BGPState = {
  global: undefined,
  peers: new Map(),
  routes: new Map(),
  exports: NO_EXPORTS,
  importsNothing: false,
};

/** A gobgpd in memory, which says what it is told and asked, and can be killed, frozen and edited by hand. */
export class FakeGobgpd implements Daemon {
  state = FRESH;
  /** How calls fail now; undefined: they don't. */
  problem: DaemonProblemKind | undefined;
  /** A call that it does not take; undefined: it takes all. */
  refuses: Call["do"] | undefined;
  /** It can't listen on its port. */
  deaf = false;
  /** What it was asked, and the name of each call that it was told, in order. */
  readonly log: string[] = [];
  /** By neighbor, what its session shows besides the rest; up by default. */
  readonly shown = new Map<string, Partial<Session>>();
  readonly #watchers = new Set<{ readonly changed: () => void; readonly ended: () => void }>();

  async read(): Promise<BGPState> {
    this.#note("read");
    return this.state;
  }

  async sessions(): Promise<readonly Session[]> {
    this.#note("sessions");
    return [...this.state.peers.values()].map((peer) => this.#session(peer));
  }

  async apply(calls: readonly Call[]): Promise<void> {
    for (const call of calls) {
      this.#note(call.do);
      if (call.do === this.refuses) throw new DaemonError("Refused", `no ${call.do}`);
      if (call.do === "StartGlobal" && call.global.listens && this.deaf) throw new CannotListen("no listener");
      this.state = applied(this.state, call);
    }
  }

  watch(on: { readonly changed: () => void; readonly ended: () => void }): () => void {
    this.#watchers.add(on);
    return () => this.#watchers.delete(on);
  }

  /** How many streams of events are open. */
  get watched(): number {
    return this.#watchers.size;
  }

  /** Empties the log: gives what was in it. */
  take(): readonly string[] {
    return this.log.splice(0);
  }

  /** Ends it, as kill -9 does. */
  kill(): void {
    this.state = FRESH;
    this.problem = "Away";
    for (const on of [...this.#watchers]) {
      this.#watchers.delete(on);
      on.ended();
    }
  }

  /** A session changes, and all who watch hear that something did. */
  show(neighbor: string, session: Partial<Session>): void {
    this.shown.set(neighbor, session);
    for (const { changed } of this.#watchers) changed();
  }

  #note(what: string): void {
    this.log.push(what);
    if (this.problem !== undefined) throw new DaemonError(this.problem, `it is ${this.problem}`);
  }

  #session({ neighbor, holdTime, keepaliveTime }: Peer): Session {
    return sessionOf({
      neighbor,
      state: "Established",
      establishedAtMs: 0,
      holdTime,
      keepaliveTime,
      peerRouterID: "192.0.2.1",
      advertised: this.state.routes.size,
      ...this.shown.get(neighbor),
    });
  }
}

/** The state after a call. */
function applied(state: BGPState, call: Call): BGPState {
  const peers = new Map(state.peers);
  const routes = new Map<string, Route>(state.routes);
  switch (call.do) {
    case "StopGlobal":
      return FRESH;
    case "StartGlobal":
      return { ...state, global: call.global };
    case "RejectImports":
      return { ...state, importsNothing: true };
    case "SetExports":
      return { ...state, exports: call.exports };
    case "ResendTo":
      return state;
    case "AddRoutes":
      for (const route of call.routes) routes.set(route.prefix, route);
      return { ...state, routes };
    case "DeleteRoutes":
      for (const prefix of call.prefixes) routes.delete(prefix);
      return { ...state, routes };
    case "AddPeer":
    case "UpdatePeer":
    case "ReplacePeer":
      peers.set(call.peer.neighbor, call.peer);
      return { ...state, peers };
    case "DeletePeer":
      peers.delete(call.neighbor);
      return { ...state, peers };
  }
}
