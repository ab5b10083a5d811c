import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Steps } from "../ipam/steps.ts";

/** How long work may keep everybody else waiting, in ms. */
const TURN_MS = 10;

/**
 * Work on what many look at: one piece after the other, in the order in which they come. A piece begins at once where none
 * is under way; one that takes long is done in turns, between which others have theirs.
 */
export class InTurns {
  readonly #deps: { readonly clock: Clock; readonly signal: AbortSignal };
  /** The first one is under way. */
  readonly #pieces: Piece[] = [];
  /** Resolves when no piece is left. */
  #working: Promise<void> | undefined;

  /** `signal` ends what is under way, wherever that is then. */
  constructor(deps: { readonly clock: Clock; readonly signal: AbortSignal }) {
    this.#deps = deps;
  }

  /** Resolves when the work is done, or aborted. Rejects where it throws; what comes after it is done all the same. */
  do(steps: Steps<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pieces.push({ steps, resolve, reject });
    if (this.#pieces.length === 1) this.#working = this.#work();
    return promise;
  }

  /** Looks at what is worked on when nothing is under way; gives what `look` gives, or undefined where it was aborted. */
  async look<T>(look: () => T): Promise<T | undefined> {
    while (this.#pieces.length > 0) await this.#working;
    return this.#deps.signal.aborted ? undefined : look();
  }

  async #work(): Promise<void> {
    const { clock, signal } = this.#deps;
    let untilMs = clock.now() + TURN_MS;
    for (let piece = this.#pieces[0]; piece && !signal.aborted; piece = this.#pieces[0]) {
      if (clock.now() < untilMs) {
        if (isDone(piece)) this.#pieces.shift();
        continue;
      }
      await setImmediate();
      untilMs = clock.now() + TURN_MS;
    }
    for (const { resolve } of this.#pieces.splice(0)) resolve();
  }
}

interface Piece {
  readonly steps: Steps<void>;
  resolve(): void;
  reject(error: unknown): void;
}

/** Takes a step; tells whether it was the last. */
function isDone({ steps, resolve, reject }: Piece): boolean {
  try {
    if (!steps.next().done) return false;
    resolve();
  } catch (error) {
    reject(error);
  }
  return true;
}
