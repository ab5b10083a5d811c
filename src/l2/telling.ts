import type { ClaimBook } from "./claim-book.ts";
import type { Hello } from "./hello.ts";
import type { Neighbour } from "./neighbour.ts";
import type { Timing } from "./timing.ts";
import type { Voice } from "./voice.ts";

/** Knows when this node has something to tell the others, and tells it. */
export class Telling {
  readonly #voice: Voice;
  readonly #timing: Timing;
  #lastHelloMs = Number.NEGATIVE_INFINITY;
  #nextHelloMs: number;
  #lastFullMs = Number.NEGATIVE_INFINITY;
  #fullWanted = false;

  constructor(voice: Voice, timing: Timing, nowMs: number) {
    this.#voice = voice;
    this.#timing = timing;
    this.#nextHelloMs = nowMs;
  }

  /** Says hello then, whatever the last one's time. */
  helloAt(atMs: number): void {
    this.#nextHelloMs = atMs;
  }

  /** Says hello as soon as the gap between two allows. */
  helloSoon(nowMs: number): void {
    const soonMs = Math.max(nowMs, this.#lastHelloMs + this.#timing.helloGapMs);
    this.#nextHelloMs = Math.min(this.#nextHelloMs, soonMs);
  }

  /** Somebody asked for all claims. */
  wantFull(): void {
    this.#fullWanted = true;
  }

  /** `incomplete`: the neighbours whose claims are missing. */
  nextMs(incomplete: Iterable<Neighbour>): number {
    let next = this.#nextHelloMs;
    if (this.#fullWanted) next = Math.min(next, this.#lastFullMs + this.#timing.fullGapMs);
    for (const { claims } of incomplete) next = Math.min(next, claims.requestAtMs);
    return next;
  }

  /** Gives the frames that are due: claims before the hello that tells their version. */
  frames(
    book: ClaimBook,
    incomplete: Iterable<Neighbour>,
    hello: () => Omit<Hello, "hears">,
    nowMs: number,
  ): Uint8Array[] {
    const frames = book.tell().map((body) => this.#voice.claims(body));
    frames.push(...this.#requests(incomplete, nowMs));
    if (this.#fullWanted && nowMs >= this.#lastFullMs + this.#timing.fullGapMs) {
      this.#fullWanted = false;
      this.#lastFullMs = nowMs;
      for (const body of book.full(nowMs)) frames.push(this.#voice.full(body));
    }
    if (nowMs >= this.#nextHelloMs) {
      this.#lastHelloMs = nowMs;
      this.#nextHelloMs = nowMs + this.#timing.helloMs;
      frames.push(this.#voice.hello(hello()));
    }
    return frames;
  }

  #requests(incomplete: Iterable<Neighbour>, nowMs: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const { hash, claims } of incomplete) {
      if (nowMs < claims.requestAtMs) continue;
      claims.requestAtMs = nowMs + this.#timing.requestMs;
      frames.push(this.#voice.request(hash));
    }
    return frames;
  }
}
