import type { Claim } from "../election/ownership.ts";
import { nodeHash } from "../election/rendezvous-hash.ts";
import type { Contender } from "../election/tier.ts";
import type { ClaimsBody, Entry, FullBody } from "./claims.ts";
import type { NeighbourState, NeighbourView } from "./effects.ts";
import { sameBytes } from "./frame.ts";
import type { Hello } from "./hello.ts";
import { Kernel } from "./kernel.ts";
import { NeighbourClaims } from "./neighbour-claims.ts";
import { detectionTime, missTime, type Timing } from "./timing.ts";

/** What a hello changed; "Alive": the node was dead or unknown. */
export type HelloNews = "Alive" | "Changed" | "Nothing";

/**
 * Who answers for a node's IPs with its MAC. All: everybody, since it may be silent at any moment; First: the first in
 * rank, since its speaker is away or starting.
 */
export type Deputising = "None" | "All" | "First";

/** Another node of the segment, as its frames show it, or its record alone. Frames come here after the checks of `Adjacencies`. */
export class Neighbour {
  readonly node: string;
  readonly hash: number;
  readonly kernel = new Kernel();
  readonly claims: NeighbourClaims;
  incarnation: bigint;
  /** Of the last frame taken. */
  sequence: bigint;
  /** The last one; or what would be in it, by its record. */
  hello: Hello;
  state: NeighbourState = "Unknown";
  /** Since when it is in this state. */
  sinceMs: number;
  /** -Infinity: none was heard. */
  lastHelloMs = Number.NEGATIVE_INFINITY;
  /** Until when it is in a lower tier, having been dead. */
  rejoiningUntilMs = Number.NEGATIVE_INFINITY;
  /** Since when it says that it starts. */
  startingSinceMs: number | undefined;
  /** Its deputies at the last look. */
  deputising: Deputising = "None";
  /** The neighbours that hear both it and this node; kept while it is not heard itself. */
  readonly heardBy = new Set<string>();
  /** When to look at its state again though nothing is heard. */
  reviewAtMs = Number.NEGATIVE_INFINITY;
  readonly #timing: Timing;
  #turn = 0;
  /** nodeHash of those that it hears; of many, over so many hellos as it takes to name them all. */
  #heard: readonly (readonly number[])[] = [];

  constructor(node: string, incarnation: bigint, hello: Hello, timing: Timing, nowMs: number) {
    this.node = node;
    this.hash = nodeHash(node);
    this.incarnation = incarnation;
    this.sequence = 0n;
    this.hello = hello;
    this.sinceMs = nowMs;
    this.claims = new NeighbourClaims();
    this.#timing = timing;
  }

  /** Its hellos come in, and it is not deaf. */
  get heard(): boolean {
    return this.state === "Heard";
  }

  /** It is heard and past its start. */
  get present(): boolean {
    return this.heard && !this.starting;
  }

  get everHeard(): boolean {
    return this.lastHelloMs !== Number.NEGATIVE_INFINITY;
  }

  /** When it has missed a hello. */
  get lateAtMs(): number {
    return this.lastHelloMs + missTime(this.hello.helloIntervalMs);
  }

  get silentAtMs(): number {
    return this.lastHelloMs + detectionTime(this.hello.helloIntervalMs, this.hello.multiplier);
  }

  get starting(): boolean {
    return this.startingSinceMs !== undefined;
  }

  /** Until when a node that starts is a contender. */
  get startingUntilMs(): number {
    return (this.startingSinceMs ?? Number.NEGATIVE_INFINITY) + this.#timing.startingHoldMs;
  }

  /** Its kernel has answered since its last hello, which is more than one hello ago. */
  late(nowMs: number): boolean {
    return nowMs >= this.lateAtMs && this.kernel.answeredAfter(this.lastHelloMs);
  }

  /** Says whether it hears the node with this nodeHash. */
  hears(hash: number): boolean {
    return this.#heard.some((part) => part.includes(hash));
  }

  /** Until when those by whose word alone it lives may just not have found it silent yet; -Infinity: it does not. */
  get vouchedUntilMs(): number {
    return this.state === "Indirect" ? this.sinceMs + this.#timing.detectMs : Number.NEGATIVE_INFINITY;
  }

  /** Goes by `deputising` too: those who have begun don't stop before it is certain that it answers itself. */
  deputisingNow(nowMs: number): Deputising {
    if (this.state === "Away") return "First";
    if (this.deputising !== "None" && nowMs < this.vouchedUntilMs) return "All";
    if (this.state !== "Heard") return "None";
    if (this.starting || this.claims.held !== undefined) return "First";
    return this.hello.flags.restarting || this.late(nowMs) ? "All" : "None";
  }

  /** It starts, and takes too long for a contender. */
  startsForLong(nowMs: number): boolean {
    return this.starting && nowMs >= this.startingUntilMs;
  }

  /** Says whether what others think of it has changed though it said nothing. */
  turned(nowMs: number): boolean {
    const turn = (nowMs < this.rejoiningUntilMs ? 1 : 0) + (this.startsForLong(nowMs) ? 2 : 0);
    const turned = turn !== this.#turn;
    this.#turn = turn;
    return turned;
  }

  /** What speaks against it as an owner. */
  standing(nowMs: number): Pick<Contender, "leaving" | "restarting" | "notForwarding" | "rejoining"> {
    const { leaving, restarting, notForwarding } = this.hello.flags;
    return { leaving, restarting, notForwarding, rejoining: nowMs < this.rejoiningUntilMs };
  }

  /** Its claim on an IP that it tells itself; the last one told where it is not heard. */
  claim(ip: string): Claim | undefined {
    return this.claims.current.get(ip);
  }

  takeHello(hello: Hello, incarnation: bigint, nowMs: number): HelloNews {
    if (this.state === "Deaf" && hello.flags.isolated && !this.kernel.answeredAfter(this.sinceMs)) {
      this.hello = hello;
      this.lastHelloMs = nowMs;
      return "Nothing";
    }
    const born = DEAD.has(this.state);
    const again = incarnation !== this.incarnation;
    const turned = !sameStanding(hello, this.hello);
    if (born && this.everHeard) this.rejoiningUntilMs = nowMs + this.#timing.rejoinMs;
    if (born) this.claims.forget();
    else if (again) this.claims.beginAgain();
    if (hello.flags.starting) {
      this.claims.hold();
      this.startingSinceMs ??= nowMs;
    } else this.startingSinceMs = undefined;
    const was = this.state;
    this.enter("Heard", nowMs);
    if (!hello.flags.isolated) this.kernel.excuse();
    this.incarnation = incarnation;
    this.hello = hello;
    this.lastHelloMs = nowMs;
    this.heardBy.clear();
    const parts = Math.min(MOST_PARTS, Math.ceil(hello.hears / Math.max(1, hello.heard.length)));
    this.#heard = parts <= 1 ? [hello.heard] : [...this.#heard, hello.heard].slice(-parts);
    this.claims.heardVersion(hello.claimsVersion, nowMs);
    this.#release();
    if (born) return "Alive";
    return again || turned || was !== "Heard" ? "Changed" : "Nothing";
  }

  /** Takes changes; gives those that count now: none where a frame before this one is missing. */
  takeClaims(body: ClaimsBody, nowMs: number): readonly Entry[] {
    const news = this.heard ? this.claims.takeChanges(body, nowMs) : [];
    this.#release();
    return news;
  }

  /** Takes a part of all claims; gives the entries that count once all parts are in, with what they no longer hold. */
  takeFull(body: FullBody, nowMs: number): readonly Entry[] {
    const news = this.heard ? this.claims.takeFull(body, nowMs) : [];
    this.#release();
    return news;
  }

  /** Changes its state; gives whether that is another than before. */
  enter(state: NeighbourState, nowMs: number): boolean {
    if (state === this.state) return false;
    this.state = state;
    this.sinceMs = nowMs;
    if (DEAD.has(state)) {
      this.startingSinceMs = undefined;
      this.claims.forget();
    }
    if (state !== "Heard" && state !== "Deaf") this.startingSinceMs = undefined;
    return true;
  }

  view(nowMs: number): NeighbourView {
    return {
      node: this.node,
      state: this.state,
      lastHeardMs: this.everHeard ? this.lastHelloMs : undefined,
      incarnation: this.incarnation,
      mac: this.hello.mac,
      starting: this.starting,
      leaving: this.hello.flags.leaving,
      notForwarding: this.hello.flags.notForwarding,
      rejoining: nowMs < this.rejoiningUntilMs,
      claimsMissing: this.claims.missingSinceMs !== undefined,
      claims: this.claims.current.size,
    };
  }

  /** What it held before its start is over once it is past that and its claims are in. */
  #release(): void {
    if (!this.starting && this.claims.missingSinceMs === undefined) this.claims.held = undefined;
  }
}

/** The states in which a node counts for nothing: its claims are forgotten. */
export const DEAD: ReadonlySet<NeighbourState> = new Set<NeighbourState>(["Unknown", "Dead", "Gone", "Deaf"]);

/** A node that hears more than these times what it names in a hello is taken to hear the last so many of them. */
const MOST_PARTS = 16;

function sameStanding(a: Hello, b: Hello): boolean {
  return (
    a.flags.starting === b.flags.starting &&
    a.flags.leaving === b.flags.leaving &&
    a.flags.restarting === b.flags.restarting &&
    a.flags.notForwarding === b.flags.notForwarding &&
    sameBytes(a.mac, b.mac)
  );
}
