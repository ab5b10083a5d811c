import type { Call } from "./calls.ts";
import { isEstablished, type Session } from "./daemon.ts";
import type { BGPState } from "./model.ts";

/**
 * Gives the calls that have sessions opened anew which fell though BFD watches them; `before`: as they were seen last.
 * gobgpd (4.8) remembers a BFD that failed while the session was down already: it ends the next one in the moment in which
 * it opens, so that some routers let it wait for minutes before they take another. A peer that is made anew has nothing
 * to remember, and its count of falls begins at 0, so that each fall has it made anew once. (Where the hold timer ends a
 * session, gobgpd counts no fall.)
 */
export function revivals(held: BGPState, before: readonly Session[], now: readonly Session[]): readonly Call[] {
  const wereUp = new Set(before.filter(isEstablished).map(({ neighbor }) => neighbor));
  const down = now.filter((session) => !isEstablished(session));
  const fell = new Set(
    down.filter(({ neighbor, flaps }) => flaps > 0 || wereUp.has(neighbor)).map((one) => one.neighbor),
  );
  return [...held.peers.values()]
    .filter(({ neighbor, bfd }) => bfd !== undefined && fell.has(neighbor))
    .map((peer): Call => ({ do: "ReplacePeer", peer }));
}
