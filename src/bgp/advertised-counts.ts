import { type Rest, restMs } from "../clock.ts";
import { isEstablished, type Session } from "./daemon.ts";

/** After a count the next one waits. */
const REST: Rest = { share: 100, maxMs: 120_000 };
/** What gobgpd was just told leaves first: the next count waits so long for each route, in ms. */
const ROUTE_MS = 0.2;

interface Count {
  readonly advertised: number;
  readonly establishedAtMs: number | undefined;
}

/**
 * Remembers how many routes each peer was told. gobgpd (4.8) counts them by passing every route through the policy, peer by
 * peer, and does nothing else meanwhile: 0.3 s of 10 000 routes. So they are counted rarely, and at once only where a session
 * is new.
 */
export class AdvertisedCounts {
  #byNeighbor: ReadonlyMap<string, Count> = new Map();
  #dueMs = Number.NEGATIVE_INFINITY;

  /** Tells whether to count now; times in milliseconds on one clock. */
  isDue(sessions: readonly Session[], nowMs: number): boolean {
    return (
      nowMs >= this.#dueMs || sessions.some((session) => isEstablished(session) && this.#of(session) === undefined)
    );
  }

  counted(sessions: readonly Session[], startedMs: number, endedMs: number): void {
    const counts = sessions.map(({ neighbor, advertised, establishedAtMs }) => ({
      neighbor,
      count: { advertised, establishedAtMs },
    }));
    this.#byNeighbor = new Map(counts.map(({ neighbor, count }) => [neighbor, count]));
    this.#dueMs = endedMs + restMs(REST, endedMs - startedMs);
  }

  /** gobgpd was told of so many routes. */
  told(routes: number, nowMs: number): void {
    this.#dueMs = Math.max(this.#dueMs, nowMs + routes * ROUTE_MS);
  }

  /** Puts into sessions that were read without a count what was counted last. */
  fillIn(sessions: readonly Session[]): readonly Session[] {
    return sessions.map((session) => ({
      ...session,
      advertised: isEstablished(session) ? (this.#of(session)?.advertised ?? 0) : 0,
    }));
  }

  #of({ neighbor, establishedAtMs }: Session): Count | undefined {
    const count = this.#byNeighbor.get(neighbor);
    return count?.establishedAtMs === establishedAtMs ? count : undefined;
  }
}
