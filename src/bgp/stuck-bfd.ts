import { type BFDState, isEstablished, type Session } from "./daemon.ts";

/**
 * How long an established session's BFD may be in Init, in ms: from there to Up it is one packet, which a router sends once
 * a second until then. gobgpd resets the whole session when it has been so for three seconds.
 */
export const STUCK_MS = 1_500;
/** BFD that nothing is heard of yet is looked at so often, in ms, and for so long after its session opened or it fell. */
const LOOK_MS = 500;
const COMING_MS = 10_000;

/**
 * Finds BFD that gobgpd (4.8) can't bring up: it binds to the first discriminator that it hears and drops all others,
 * against RFC 5880 section 6.8.6, and FRR, where it is busy, goes on with the one of the session before for a while. BFD
 * alone, switched off and on, binds to the right one.
 */
export class StuckBFD {
  /** By neighbor: in which state its BFD is, since when. */
  #seen: ReadonlyMap<string, { readonly state: BFDState; readonly sinceMs: number }> = new Map();
  #dueMs = Number.POSITIVE_INFINITY;

  /** Gives the neighbors whose BFD is to be restarted now; each again when that did not help. */
  restart(sessions: readonly Session[], nowMs: number): readonly string[] {
    const before = this.#seen;
    const seen = new Map<string, { state: BFDState; sinceMs: number }>();
    const stuck: string[] = [];
    this.#dueMs = Number.POSITIVE_INFINITY;
    for (const session of sessions) {
      const { neighbor, bfd: state } = session;
      if (!isEstablished(session) || state === undefined || state === "Up") continue;
      const known = before.get(neighbor);
      const sinceMs = known?.state === state ? known.sinceMs : nowMs;
      const isStuck = state === "Init" && nowMs - sinceMs >= STUCK_MS;
      if (isStuck) stuck.push(neighbor);
      seen.set(neighbor, { state, sinceMs: isStuck ? nowMs : sinceMs });
      if (state === "Init") this.#dueMs = Math.min(this.#dueMs, (isStuck ? nowMs : sinceMs) + STUCK_MS);
      else if (nowMs - sinceMs < COMING_MS) this.#dueMs = Math.min(this.#dueMs, nowMs + LOOK_MS);
    }
    this.#seen = seen;
    return stuck;
  }

  /** When to look next, whatever else happens; Infinity: nothing is awaited. */
  get dueMs(): number {
    return this.#dueMs;
  }
}
