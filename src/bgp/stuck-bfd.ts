import { isEstablished, type Session } from "./daemon.ts";

/**
 * How long an established session's BFD may be in Init, in ms: from there to Up it is one packet, which a router sends once
 * a second until then. gobgpd resets the whole session when it has been so for three seconds.
 */
export const STUCK_MS = 1_500;

/**
 * Finds BFD sessions that gobgpd (4.8) can't bring up: it binds to the first discriminator that it hears and drops all
 * others, against RFC 5880 section 6.8.6, and FRR takes another as the BGP session opens. It then resets the BGP
 * session too, and begins anew, for ever. Its BFD alone, restarted, binds to the right one.
 */
export class StuckBFD {
  /** By neighbor: since when it is seen in Init. */
  readonly #sinceMs = new Map<string, number>();

  /** Gives the neighbors whose BFD is to be restarted now; each again when that did not help. */
  restart(sessions: readonly Session[], nowMs: number): readonly string[] {
    const initial = sessions.filter((session) => isEstablished(session) && session.bfd === "Init");
    const neighbors = new Set(initial.map(({ neighbor }) => neighbor));
    for (const neighbor of this.#sinceMs.keys()) if (!neighbors.has(neighbor)) this.#sinceMs.delete(neighbor);
    const stuck: string[] = [];
    for (const neighbor of neighbors) {
      const sinceMs = this.#sinceMs.get(neighbor) ?? nowMs;
      const isStuck = nowMs - sinceMs >= STUCK_MS;
      if (isStuck) stuck.push(neighbor);
      this.#sinceMs.set(neighbor, isStuck ? nowMs : sinceMs);
    }
    return stuck;
  }

  /** When to look next, whatever else happens; undefined: none is in Init. */
  get dueMs(): number | undefined {
    const all = [...this.#sinceMs.values()];
    return all.length === 0 ? undefined : Math.min(...all) + STUCK_MS;
  }
}
