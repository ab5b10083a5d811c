import { isDeepStrictEqual } from "node:util";
import type { Session } from "../../bgp/daemon.ts";
import type { Peer } from "../../bgp/model.ts";
import type { PeerOutcome } from "../../bgp/peers.ts";
import type { ReconcilerView } from "../../bgp/reconciler.ts";
import type { Clock } from "../../clock.ts";
import type { ProbeAnswer, ProbeTarget } from "./probe.ts";
import { continueStory, probeTarget, type SessionStory } from "./session-story.ts";

/** A session that came up, went down, or does not come up for a new reason. */
export interface SessionNews {
  /** Name of the BGPPeer. */
  readonly name: string;
  readonly peer: Peer;
  readonly up: boolean;
  /** Why it is down; undefined: it is not. */
  readonly cause: string | undefined;
}

export interface SessionStoriesDeps {
  readonly clock: Clock;
  readonly probe: (target: ProbeTarget) => Promise<ProbeAnswer>;
  readonly tell: (news: SessionNews) => void;
  /** A story went on without anybody having looked. */
  readonly changed: () => void;
}

/** A peer that does not answer is asked again after this long, in ms. */
const PROBE_EVERY_MS = 15_000;

interface Kept {
  readonly name: string;
  readonly peer: Peer;
  session: Session | undefined;
  story: SessionStory;
  probe: ProbeAnswer | undefined;
  /** When the next one may begin, on the clock. */
  probeAtMs: number;
}

/** Follows the sessions of a node over time, and asks peers whose sessions don't come up why that may be. */
export class SessionStories {
  readonly #deps: SessionStoriesDeps;
  /** By neighbor. */
  readonly #kept = new Map<string, Kept>();
  readonly #beganMs: number;

  constructor(deps: SessionStoriesDeps) {
    this.#deps = deps;
    this.#beganMs = deps.clock.wallNow();
  }

  /** By neighbor. */
  get told(): ReadonlyMap<string, SessionStory> {
    return new Map([...this.#kept].map(([neighbor, { story }]) => [neighbor, story]));
  }

  /** Takes what the sessions are like now; what is not known now is left as it was. */
  look(outcomes: ReadonlyMap<string, PeerOutcome>, { sessions, sessionsAtMs }: ReconcilerView): void {
    const opened = [...outcomes].flatMap(([name, one]) => (one.opened ? [{ name, peer: one.peer }] : []));
    const neighbors = new Set(opened.map(({ peer }) => peer.neighbor));
    for (const neighbor of [...this.#kept.keys()]) if (!neighbors.has(neighbor)) this.#kept.delete(neighbor);
    if (sessionsAtMs === undefined) return;
    const found = new Map(sessions.map((session) => [session.neighbor, session]));
    for (const { name, peer } of opened) this.#continue(name, peer, found.get(peer.neighbor));
  }

  #continue(name: string, peer: Peer, session: Session | undefined): void {
    const { clock } = this.#deps;
    const before = this.#kept.get(peer.neighbor);
    const known = before?.peer === peer || (before !== undefined && sameWay(before.peer, peer)) ? before : undefined;
    const probe = known?.probe;
    const renewed = before !== undefined && !isDeepStrictEqual(before.peer, peer);
    const story = continueStory(before?.story, { peer, renewed, session, probe, nowMs: clock.wallNow() });
    const kept: Kept = {
      name,
      peer,
      session,
      story,
      probe: story.up ? undefined : probe,
      probeAtMs: known?.probeAtMs ?? Number.NEGATIVE_INFINITY,
    };
    this.#kept.set(peer.neighbor, kept);
    this.#tellChange(kept, before?.story);
    this.#probe(kept);
  }

  #tellChange({ name, peer, story }: Kept, before: SessionStory | undefined): void {
    const { tell } = this.#deps;
    const fell = before?.up === true && (!story.up || story.counters.flaps > before.counters.flaps);
    if (fell) tell({ name, peer, up: false, cause: story.fall });
    // One that was up before this speaker began is no news.
    const rose = story.up && (before === undefined ? story.sinceMs > this.#beganMs : !before.up || fell);
    if (rose) tell({ name, peer, up: true, cause: undefined });
    const why = story.lastError;
    if (!story.up && !fell && why !== undefined && why.text !== before?.lastError?.text)
      tell({ name, peer, up: false, cause: why.text });
  }

  #probe(kept: Kept): void {
    const { clock, probe, changed } = this.#deps;
    const target = probeTarget(kept.story, { ...kept, renewed: false, nowMs: clock.wallNow() });
    if (target === undefined || clock.now() < kept.probeAtMs) return;
    kept.probeAtMs = clock.now() + PROBE_EVERY_MS;
    void probe(target).then((answer) => {
      const now = this.#kept.get(kept.peer.neighbor);
      if (now === undefined || now.story.up || !sameWay(now.peer, kept.peer)) return;
      now.probe = answer;
      this.#continue(now.name, now.peer, now.session);
      changed();
    });
  }
}

/** Whether what a peer answered still says something. */
function sameWay(a: Peer, b: Peer): boolean {
  return (
    a.port === b.port &&
    a.localAddress === b.localAddress &&
    a.bindInterface === b.bindInterface &&
    a.password === b.password
  );
}
