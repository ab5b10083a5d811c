import type { BGPState } from "./model.ts";

/** How long after a try to listen on the port the next is made, in ms: doubling, up to the cap. */
const TRY = { baseMs: 30_000, capMs: 3_600_000 };

/**
 * Sees to it that a node whose port 179 can't be listened on has its other sessions. gobgpd starts its BGP with the
 * listener or not at all, and anew to get one later, which ends every session: so that is asked of it only where nobody
 * else is seen to listen there.
 */
export class Listener {
  readonly #isTaken: () => boolean;
  #why: string | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #failures = 0;

  /** `isTaken`: a program of this node listens on the port. */
  constructor(isTaken: () => boolean) {
    this.#isTaken = isTaken;
  }

  /** Why nothing listens that is to, in words, with the remedy; undefined: nothing is to, or it does. */
  get why(): string | undefined {
    return this.#why;
  }

  /** Gives what can be had of what is wanted: all, or what needs no listener. */
  possible(want: BGPState, actual: BGPState, nowMs: number): BGPState {
    if (want.global?.listens !== true || actual.global?.listens === true) {
      this.forget();
      return want;
    }
    if (nowMs >= this.#notBeforeMs) {
      this.#why = this.#isTaken() ? TAKEN : undefined;
      if (this.#why === undefined) return want;
      this.#notBeforeMs = nowMs + TRY.baseMs;
    }
    const peers = new Map([...want.peers].filter(([, { passive }]) => !passive));
    return { ...want, global: { ...want.global, listens: false }, peers };
  }

  /** gobgpd could not listen. */
  failed(why: string, nowMs: number): void {
    this.#why = why;
    this.#notBeforeMs = nowMs + Math.min(TRY.capMs, TRY.baseMs * 2 ** this.#failures++);
  }

  /** Another gobgpd may be able to. */
  forget(): void {
    this.#why = undefined;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    this.#failures = 0;
  }
}

const TAKEN =
  "another BGP speaker of this node listens on TCP port 179, so the router can't connect to this one; stop that one, or set passive: false here and let the node connect";
