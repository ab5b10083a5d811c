import { type DropReason, decodeFrame, type Frame, type Identity, sameBytes } from "./frame.ts";
import { decodeHello } from "./hello.ts";
import { type HelloNews, Neighbour } from "./neighbour.ts";
import type { Timing } from "./timing.ts";

/** What a frame turned out to be. */
export type Heard =
  | { readonly what: "Dropped"; readonly reason: DropReason }
  /** An own frame of a later incarnation than one's own: the clock went back between two starts. */
  | { readonly what: "OwnIncarnation"; readonly incarnation: bigint }
  | { readonly what: "Hello"; readonly neighbour: Neighbour; readonly news: HelloNews }
  | { readonly what: "Frame"; readonly neighbour: Neighbour; readonly frame: Frame };

/** The speakers heard on a segment since the start, dead ones too, and the checks that a frame must pass. */
export class Adjacencies {
  readonly #identity: Identity;
  readonly #timing: Timing;
  readonly #all = new Map<string, Neighbour>();
  /** The values of #all, by name: results must not depend on who was heard first. */
  #sorted: readonly Neighbour[] = [];

  constructor(identity: Identity, timing: Timing) {
    this.#identity = identity;
    this.#timing = timing;
  }

  get all(): readonly Neighbour[] {
    return this.#sorted;
  }

  get(node: string): Neighbour | undefined {
    return this.#all.get(node);
  }

  /** Checks a frame and takes it if it is a hello. `incarnation` is one's own. */
  hear(whole: Uint8Array, incarnation: bigint, nowMs: number): Heard {
    const frame = decodeFrame(whole, this.#identity.cluster, this.#identity.key);
    if (typeof frame === "string") return dropped(frame);
    if (frame.node === this.#identity.node) {
      // From another MAC it is no earlier run of this speaker, but another interface or another machine of this name: to
      // outdo that would make both climb forever, and every incarnation makes the others forget all claims.
      const ownMac = sameBytes(whole.subarray(6, 12), this.#identity.mac);
      if (frame.incarnation <= incarnation || !ownMac) return dropped("OwnNode");
      return { what: "OwnIncarnation", incarnation: frame.incarnation };
    }
    const neighbour = this.#all.get(frame.node);
    const reason = whyStale(frame, neighbour);
    if (reason !== undefined) return dropped(reason);
    if (frame.type === "hello") return this.#takeHello(frame, neighbour, nowMs);
    if (neighbour === undefined) return dropped("NoHello");
    neighbour.sequence = frame.sequence;
    return { what: "Frame", neighbour, frame };
  }

  /** Buries neighbours that were silent for too long; gives their number. */
  bury(nowMs: number): number {
    const dead = this.#sorted.filter((neighbour) => neighbour.alive && nowMs >= neighbour.deadAtMs);
    for (const neighbour of dead) neighbour.die();
    return dead.length;
  }

  /** Begins to count the silence of all who live from now: what was sent in the meantime was not heard. */
  restartClocks(nowMs: number): void {
    for (const neighbour of this.#sorted) if (neighbour.alive) neighbour.lastHelloMs = nowMs;
  }

  #takeHello(frame: Frame, known: Neighbour | undefined, nowMs: number): Heard {
    const hello = decodeHello(frame.body);
    if (hello === "Malformed") return dropped("Malformed");
    const neighbour = known ?? new Neighbour(frame.node, frame.incarnation, hello, this.#timing);
    if (known === undefined) {
      this.#all.set(frame.node, neighbour);
      this.#sorted = [...this.#all.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
    }
    const news = neighbour.takeHello(hello, frame.incarnation, nowMs);
    neighbour.sequence = frame.sequence;
    return { what: "Hello", neighbour, news };
  }
}

/** Only a hello opens an incarnation: without it nobody knows what the other frames build on. */
function whyStale(frame: Frame, neighbour: Neighbour | undefined): DropReason | undefined {
  if (neighbour === undefined) return frame.type === "hello" ? undefined : "NoHello";
  if (frame.incarnation < neighbour.incarnation) return "OlderIncarnation";
  if (frame.incarnation > neighbour.incarnation) return frame.type === "hello" ? undefined : "NoHello";
  return frame.sequence <= neighbour.sequence ? "Replay" : undefined;
}

function dropped(reason: DropReason): Heard {
  return { what: "Dropped", reason };
}
