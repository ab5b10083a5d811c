import type { Claim } from "../election/ownership.ts";
import { nodeHash } from "../election/rendezvous-hash.ts";
import type { Contender } from "../election/tier.ts";
import type { ClaimsBody, Entry, FullBody } from "./claims.ts";
import type { NeighbourView } from "./effects.ts";
import type { Hello } from "./hello.ts";
import { detectionTime, doubtTime, type Timing } from "./timing.ts";

/** What a hello changed; "Alive": the node was dead or unknown. */
export type HelloNews = "Alive" | "Changed" | "Nothing";

/** Another speaker on the segment, as its frames show it. Frames come here after the checks of `Adjacencies`. */
export class Neighbour {
  readonly node: string;
  readonly hash: number;
  incarnation: bigint;
  /** Of the last frame taken. */
  sequence: bigint;
  hello: Hello;
  alive = false;
  lastHelloMs: number;
  /** Until when it is in a lower tier, having been dead. */
  rejoiningUntilMs = Number.NEGATIVE_INFINITY;
  /** Since when it says that it starts. */
  startingSinceMs: number | undefined;
  /** What it claimed before it began to start, where that was heard. */
  held: ReadonlyMap<string, Claim> | undefined;
  /** Since when its claims are known to be incomplete. */
  missingSinceMs: number | undefined;
  /** When its claims are asked for again. */
  requestAtMs = 0;
  readonly #timing: Timing;
  #claims = new Map<string, Claim>();
  /** The version of #claims; undefined: a full is needed. */
  #version: bigint | undefined;
  /** The highest version that its frames spoke of. */
  #announced = 0n;
  #parts: { readonly version: bigint; readonly bodies: Map<number, FullBody> } | undefined;
  /** Removals in this node's favour that were taken notice of, by IP. */
  readonly #ceded = new Map<string, bigint>();

  constructor(node: string, incarnation: bigint, hello: Hello, timing: Timing) {
    this.node = node;
    this.hash = nodeHash(node);
    this.incarnation = incarnation;
    this.sequence = 0n;
    this.hello = hello;
    this.lastHelloMs = Number.NEGATIVE_INFINITY;
    this.#timing = timing;
  }

  get claims(): ReadonlyMap<string, Claim> {
    return this.#claims;
  }

  /** When two of its hellos have been missed. */
  get doubtfulAtMs(): number {
    return this.lastHelloMs + doubtTime(this.hello.helloIntervalMs);
  }

  get starting(): boolean {
    return this.startingSinceMs !== undefined;
  }

  get deadAtMs(): number {
    return this.lastHelloMs + detectionTime(this.hello.helloIntervalMs);
  }

  /** Until when a node that starts is waited for. */
  get startingUntilMs(): number {
    return (this.startingSinceMs ?? Number.NEGATIVE_INFINITY) + this.#timing.startingHoldMs;
  }

  /** The times at which what others think of it changes though it says nothing. */
  endsMs(): readonly number[] {
    return [this.rejoiningUntilMs, this.startingUntilMs];
  }

  /** What speaks against it as an owner. */
  standing(nowMs: number): Pick<Contender, "leaving" | "notForwarding" | "rejoining"> {
    const { leaving, restarting, notForwarding } = this.hello.flags;
    return { leaving: leaving || restarting, notForwarding, rejoining: nowMs < this.rejoiningUntilMs };
  }

  view(nowMs: number): NeighbourView {
    return {
      node: this.node,
      state: this.alive ? "Heard" : "Dead",
      incarnation: this.incarnation,
      mac: this.hello.mac,
      starting: this.starting,
      leaving: this.hello.flags.leaving,
      rejoining: nowMs < this.rejoiningUntilMs,
      claimsMissing: this.missingSinceMs !== undefined,
      claims: this.#claims.size,
    };
  }

  takeHello(hello: Hello, incarnation: bigint, nowMs: number): HelloNews {
    const born = !this.alive;
    const again = incarnation !== this.incarnation;
    const turned = flagsOf(hello) !== flagsOf(this.hello);
    if (born && this.lastHelloMs !== Number.NEGATIVE_INFINITY) this.rejoiningUntilMs = nowMs + this.#timing.rejoinMs;
    if (hello.flags.starting && (again || !this.starting)) this.#startsOver(born, again, nowMs);
    if (!hello.flags.starting) this.startingSinceMs = this.held = undefined;
    if (again || born) this.#forget();
    this.alive = true;
    this.incarnation = incarnation;
    this.hello = hello;
    this.lastHelloMs = nowMs;
    this.#announced = hello.claimsVersion;
    if (this.#version === undefined && this.#announced === 0n) this.#version = 0n;
    this.#compareVersions(nowMs);
    return born ? "Alive" : again || turned ? "Changed" : "Nothing";
  }

  /** Takes changes; gives those that count now: none where a frame before this one is missing. */
  takeClaims({ before, version, entries }: ClaimsBody, nowMs: number): readonly Entry[] {
    if (version > this.#announced) this.#announced = version;
    const fits = this.alive && this.#version === before;
    if (fits) {
      this.#version = version;
      for (const entry of entries) this.#apply(entry);
    }
    this.#compareVersions(nowMs);
    return fits ? entries : [];
  }

  /** Takes a part of all claims; gives the entries that count once all parts are in, with what they no longer hold. */
  takeFull(body: FullBody, nowMs: number): readonly Entry[] {
    if (!this.alive || (this.#version !== undefined && body.version <= this.#version)) return [];
    if (body.version > this.#announced) this.#announced = body.version;
    if (this.#parts === undefined || this.#parts.version < body.version)
      this.#parts = { version: body.version, bodies: new Map() };
    if (this.#parts.version !== body.version) return [];
    this.#parts.bodies.set(body.part, body);
    if (this.#parts.bodies.size < body.parts) return [];
    const entries = [...this.#parts.bodies.values()].flatMap((part) => part.entries);
    this.#parts = undefined;
    return this.#replace(body.version, entries, nowMs);
  }

  /** Says whether a removal in this node's favour is news. */
  cedes(ip: string, epoch: bigint): boolean {
    if (this.#ceded.get(ip) === epoch) return false;
    this.#ceded.set(ip, epoch);
    return true;
  }

  /** Forgets what a dead node claimed. */
  die(): void {
    this.alive = false;
    this.startingSinceMs = this.held = undefined;
    this.#forget();
    this.missingSinceMs = undefined;
  }

  #startsOver(born: boolean, again: boolean, nowMs: number): void {
    if (!born && !(again && this.held)) this.held = new Map(this.#claims);
    this.startingSinceMs ??= nowMs;
  }

  #forget(): void {
    this.#claims = new Map();
    this.#version = undefined;
    this.#announced = 0n;
    this.#parts = undefined;
    this.#ceded.clear();
  }

  #replace(version: bigint, entries: readonly Entry[], nowMs: number): readonly Entry[] {
    const before = this.#claims;
    this.#claims = new Map();
    this.#version = version;
    for (const entry of entries) this.#apply(entry);
    this.#compareVersions(nowMs);
    const told = new Set(entries.map((entry) => entry.ip));
    const gone = [...before].filter(([ip]) => !told.has(ip));
    return [...entries, ...gone.map(([ip, { epoch }]) => ({ ip, epoch, removed: true, successor: 0 }) as const)];
  }

  #apply(entry: Entry): void {
    if (entry.removed) this.#claims.delete(entry.ip);
    else this.#claims.set(entry.ip, { epoch: entry.epoch, yielding: entry.yielding });
  }

  #compareVersions(nowMs: number): void {
    if (!this.alive || this.#version === this.#announced) this.missingSinceMs = undefined;
    else if (this.missingSinceMs === undefined) {
      this.missingSinceMs = nowMs;
      this.requestAtMs = nowMs;
    }
  }
}

function flagsOf({ flags }: Hello): string {
  return `${flags.starting} ${flags.leaving} ${flags.restarting} ${flags.notForwarding}`;
}
