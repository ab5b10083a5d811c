import type { NodeRecord } from "./epoch-history.ts";
import { type DropReason, decodeFrame, type Frame, type Identity, sameBytes } from "./frame.ts";
import { decodeHello, type Hello } from "./hello.ts";
import { ipBytes, ipText } from "./ip-bytes.ts";
import { judge, probeAtMs, probeEveryMs } from "./liveness.ts";
import { DEAD, type HelloNews, Neighbour } from "./neighbour.ts";
import type { Timing } from "./timing.ts";

/** What a frame turned out to be. */
export type Heard =
  | { readonly what: "Dropped"; readonly reason: DropReason }
  /** An own frame of a later incarnation than one's own: the clock went back between two starts. */
  | { readonly what: "OwnIncarnation"; readonly incarnation: bigint }
  | { readonly what: "Hello"; readonly neighbour: Neighbour; readonly news: HelloNews }
  | { readonly what: "Frame"; readonly neighbour: Neighbour; readonly frame: Frame };

/** What time, or another's word, has changed about the neighbours. */
export interface Review {
  /** Some are in another state than before. */
  readonly changed: boolean;
  /** Those whose deputies are others than before. */
  readonly deputised: ReadonlySet<Neighbour>;
  /** Those whose kernels are to be asked now. */
  readonly probe: ReadonlySet<Neighbour>;
}

interface RunningReview extends Review {
  changed: boolean;
  readonly deputised: Set<Neighbour>;
  readonly probe: Set<Neighbour>;
}

const NONE: ReadonlySet<string> = new Set();

/** The other nodes of a segment: those heard since the start, dead ones too, and those that only have a record. */
export class Adjacencies {
  readonly #identity: Identity;
  readonly #hash: number;
  readonly #timing: Timing;
  readonly #all = new Map<string, Neighbour>();
  /** The values of #all, by name: results must not depend on who was heard first. */
  #sorted: readonly Neighbour[] = [];
  /** By MAC as a number. */
  #byMac = new Map<number, Neighbour>();
  #ready: ReadonlySet<string> = NONE;
  #recorded: ReadonlySet<string> = NONE;
  readonly #unheard = new Set<Neighbour>();
  readonly #incomplete = new Set<Neighbour>();
  #everHeard = false;
  #lateAtMs = Number.NEGATIVE_INFINITY;
  #silentAtMs = Number.NEGATIVE_INFINITY;
  #reviewAtMs = Number.POSITIVE_INFINITY;
  /** Whose review was the next may have it later now. */
  #reviewMayBeLater = false;
  #addressVersion = 0;

  constructor(identity: Identity, hash: number, timing: Timing) {
    this.#identity = identity;
    this.#hash = hash;
    this.#timing = timing;
  }

  get all(): readonly Neighbour[] {
    return this.#sorted;
  }

  get(node: string): Neighbour | undefined {
    return this.#all.get(node);
  }

  /** The neighbour that has this MAC, by its hello or record. */
  byMac(mac: Uint8Array): Neighbour | undefined {
    return this.#byMac.get(number48(mac));
  }

  /** How many are heard. */
  get heard(): number {
    return this.#sorted.length - this.#unheard.size;
  }

  get everHeard(): boolean {
    return this.#everHeard;
  }

  /** When all of them have missed a hello, if none comes. */
  get lateAtMs(): number {
    return this.#lateAtMs;
  }

  /** When all of them are silent, if no hello comes. */
  get silentAtMs(): number {
    return this.#silentAtMs;
  }

  /** Those that are heard, and whose claims are known to be incomplete. */
  get incomplete(): ReadonlySet<Neighbour> {
    return this.#incomplete;
  }

  /** Rises when `addresses` changes. */
  get addressVersion(): number {
    return this.#addressVersion;
  }

  /** The neighbours' own addresses. */
  addresses(): string[] {
    return this.#sorted.flatMap(({ hello }) => addressesOf(hello));
  }

  /** When `review` has to be called at the latest. */
  get reviewAtMs(): number {
    // Where they are many, a hello comes before any review is due, so nobody is woken for nothing.
    if (this.#reviewMayBeLater && this.#sorted.length <= FEW) this.#findNextReview();
    return this.#reviewAtMs;
  }

  isReady(node: string): boolean {
    return this.#ready.has(node);
  }

  /** Takes what the API says of the nodes: who has a record here, and whose speaker is ready. */
  know(records: readonly NodeRecord[], ready: ReadonlySet<string> | undefined, nowMs: number): void {
    this.#ready = ready ?? NONE;
    this.#recorded = new Set(records.map(({ node }) => node));
    for (const record of records) this.#takeRecord(record, nowMs);
    for (const neighbour of this.#sorted) neighbour.reviewAtMs = nowMs;
    this.#reviewAtMs = nowMs;
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

  /** Takes an answer to a question: only that from a neighbour's own MAC, for its own address, is its kernel's. */
  answered(ip: string, mac: Uint8Array, nowMs: number): void {
    const neighbour = this.byMac(mac);
    if (neighbour === undefined || !addressesOf(neighbour.hello).includes(ip)) return;
    neighbour.kernel.answered(nowMs);
    this.touch(neighbour, nowMs);
  }

  /** Takes notice of what became of a neighbour's state and claims. */
  file(neighbour: Neighbour): void {
    if (neighbour.heard) this.#unheard.delete(neighbour);
    else this.#unheard.add(neighbour);
    if (neighbour.heard && neighbour.claims.missingSinceMs !== undefined) this.#incomplete.add(neighbour);
    else this.#incomplete.delete(neighbour);
  }

  /** Has a neighbour looked at by the next review. */
  touch(neighbour: Neighbour, atMs: number): void {
    if (atMs < neighbour.reviewAtMs) neighbour.reviewAtMs = atMs;
    if (atMs < this.#reviewAtMs) this.#reviewAtMs = atMs;
  }

  /** Looks at everybody whose state may have changed, and at whose kernels are to be asked now. */
  review(nowMs: number): Review {
    if (nowMs < this.#reviewAtMs) return NO_CHANGE;
    const review = { changed: false, deputised: new Set<Neighbour>(), probe: new Set<Neighbour>() };
    // One's fall silent may leave others unheard by anybody, and so on.
    for (let round = 0; round < MOST_ROUNDS && this.#reviewAtMs <= nowMs; round++) {
      for (const neighbour of this.#sorted)
        if (neighbour.reviewAtMs <= nowMs) this.#reviewOne(neighbour, nowMs, review);
      this.#findNextReview();
    }
    return review;
  }

  #findNextReview(): void {
    this.#reviewMayBeLater = false;
    this.#reviewAtMs = Number.POSITIVE_INFINITY;
    for (const { reviewAtMs } of this.#sorted) if (reviewAtMs < this.#reviewAtMs) this.#reviewAtMs = reviewAtMs;
  }

  /** Begins to count the silence of all who live from now: what was sent in the meantime was not heard. */
  restartClocks(nowMs: number): void {
    for (const neighbour of this.#sorted) {
      neighbour.kernel.excuse();
      if (neighbour.heard || neighbour.state === "Deaf") neighbour.lastHelloMs = nowMs;
      if (neighbour.state === "Away") neighbour.kernel.lastAnswerMs = nowMs;
      this.touch(neighbour, nowMs);
      this.#lateAtMs = Math.max(this.#lateAtMs, neighbour.lateAtMs);
      this.#silentAtMs = Math.max(this.#silentAtMs, neighbour.silentAtMs);
    }
  }

  #takeHello(frame: Frame, known: Neighbour | undefined, nowMs: number): Heard {
    const hello = decodeHello(frame.body);
    if (hello === "Malformed") return dropped("Malformed");
    const neighbour = known ?? new Neighbour(frame.node, frame.incarnation, hello, this.#timing, nowMs);
    if (known === undefined) this.#add(neighbour);
    const { mac, ipv4, ipv6 } = neighbour.hello;
    const moved = !sameBytes(hello.mac, mac) || !sameBytes(hello.ipv4, ipv4) || !sameBytes(hello.ipv6, ipv6);
    const news = neighbour.takeHello(hello, frame.incarnation, nowMs);
    neighbour.sequence = frame.sequence;
    if (moved) this.#indexMacs();
    this.#everHeard = true;
    this.#lateAtMs = Math.max(this.#lateAtMs, neighbour.lateAtMs);
    this.#silentAtMs = Math.max(this.#silentAtMs, neighbour.silentAtMs);
    this.file(neighbour);
    this.#hearsOthers(neighbour, nowMs);
    if (news !== "Nothing" || neighbour.deputising !== "None" || hello.flags.isolated) this.touch(neighbour, nowMs);
    else {
      if (neighbour.reviewAtMs <= this.#reviewAtMs) this.#reviewMayBeLater = true;
      neighbour.reviewAtMs = this.#nextReviewMs(neighbour, nowMs);
      this.touch(neighbour, neighbour.reviewAtMs);
    }
    return { what: "Hello", neighbour, news };
  }

  /** A hello says whom its sender hears: who is not heard here may live nevertheless. */
  #hearsOthers(by: Neighbour, nowMs: number): void {
    const mutual = by.heard && by.hears(this.#hash);
    for (const other of this.#unheard) {
      if (other === by) continue;
      const before = other.heardBy.size;
      if (mutual && by.hears(other.hash)) other.heardBy.add(by.node);
      else other.heardBy.delete(by.node);
      if ((before === 0) !== (other.heardBy.size === 0)) this.touch(other, nowMs);
    }
  }

  #reviewOne(neighbour: Neighbour, nowMs: number, review: RunningReview): void {
    if (this.#isForgotten(neighbour, nowMs)) {
      this.#all.delete(neighbour.node);
      this.#unheard.delete(neighbour);
      this.#incomplete.delete(neighbour);
      this.#sort();
      review.changed = true;
      return;
    }
    if (neighbour.heard && nowMs >= neighbour.silentAtMs) this.#askWitnesses(neighbour);
    const wasHeard = neighbour.heard;
    const state = judge(neighbour, this.isReady(neighbour.node), this.#timing, nowMs);
    if (neighbour.enter(state, nowMs) || neighbour.turned(nowMs)) {
      review.changed = true;
      this.file(neighbour);
    }
    if (wasHeard && !neighbour.heard)
      for (const other of this.#sorted) if (other.heardBy.delete(neighbour.node)) this.touch(other, nowMs);
    if (this.#isProbeDue(neighbour, nowMs)) review.probe.add(neighbour);
    const deputising = neighbour.deputisingNow(nowMs);
    if (deputising !== neighbour.deputising) review.deputised.add(neighbour);
    neighbour.deputising = deputising;
    neighbour.reviewAtMs = this.#nextReviewMs(neighbour, nowMs);
  }

  #isProbeDue(neighbour: Neighbour, nowMs: number): boolean {
    const everyMs = this.#probeEveryMs(neighbour, nowMs);
    if (everyMs === undefined || nowMs < probeAtMs(neighbour, everyMs, nowMs)) return false;
    neighbour.kernel.probed(nowMs);
    neighbour.kernel.nextProbeMs = nowMs + everyMs;
    return true;
  }

  #probeEveryMs(neighbour: Neighbour, nowMs: number): number | undefined {
    return probeEveryMs(neighbour, this.isReady(neighbour.node), nowMs);
  }

  #askWitnesses(silent: Neighbour): void {
    for (const other of this.#sorted) {
      if (other !== silent && other.heard && other.hears(this.#hash) && other.hears(silent.hash))
        silent.heardBy.add(other.node);
    }
  }

  #nextReviewMs(neighbour: Neighbour, nowMs: number): number {
    const everyMs = this.#probeEveryMs(neighbour, nowMs);
    let next = everyMs === undefined ? Number.POSITIVE_INFINITY : probeAtMs(neighbour, everyMs, nowMs);
    const sooner = (atMs: number) => {
      if (atMs > nowMs && atMs < next) next = atMs;
    };
    sooner(neighbour.lateAtMs);
    sooner(neighbour.silentAtMs);
    sooner(neighbour.rejoiningUntilMs);
    sooner(neighbour.startingUntilMs);
    if (neighbour.heard) return next;
    sooner(neighbour.vouchedUntilMs);
    sooner(neighbour.sinceMs + neighbour.hello.restartGraceMs + 1);
    sooner(neighbour.sinceMs + this.#timing.forgetMs);
    sooner(neighbour.kernel.lastAnswerMs + this.#timing.kernelMs);
    return next;
  }

  #isForgotten({ state, sinceMs, node }: Neighbour, nowMs: number): boolean {
    return DEAD.has(state) && state !== "Deaf" && !this.#recorded.has(node) && nowMs - sinceMs >= this.#timing.forgetMs;
  }

  #takeRecord(record: NodeRecord, nowMs: number): void {
    if (record.node === this.#identity.node || record.mac === undefined) return;
    const known = this.#all.get(record.node);
    if (known?.everHeard) return;
    const hello = helloOf(record, this.#timing);
    if (known === undefined) this.#add(new Neighbour(record.node, 0n, hello, this.#timing, nowMs));
    else known.hello = hello;
    this.#indexMacs();
  }

  #add(neighbour: Neighbour): void {
    this.#unheard.add(neighbour);
    this.#all.set(neighbour.node, neighbour);
    this.#sort();
  }

  #sort(): void {
    this.#sorted = [...this.#all.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
    this.#indexMacs();
  }

  #indexMacs(): void {
    this.#addressVersion++;
    this.#byMac = new Map(this.#sorted.map((neighbour) => [number48(neighbour.hello.mac), neighbour]));
  }
}

const NO_CHANGE: Review = { changed: false, deputised: new Set(), probe: new Set() };
const MOST_ROUNDS = 5;
/** So many neighbours are looked through at each hello of one. */
const FEW = 64;

/** A node's own addresses, the one to ask first. */
export function addressesOf({ ipv4, ipv6 }: Hello): string[] {
  return [ipv4, ipv6].filter((ip) => ip.some((byte) => byte !== 0)).map(ipText);
}

/** What a node that was never heard would say, as far as its record goes. */
function helloOf({ mac, address = "", address6 = "" }: NodeRecord, timing: Timing): Hello {
  return {
    flags: { starting: false, leaving: false, restarting: false, notForwarding: false, isolated: false },
    helloIntervalMs: timing.helloMs,
    multiplier: timing.multiplier,
    restartGraceMs: timing.restartGraceMs,
    claimsVersion: 0n,
    mac: mac ?? new Uint8Array(6),
    ipv4: address === "" ? new Uint8Array(4) : ipBytes(address),
    ipv6: address6 === "" ? new Uint8Array(16) : ipBytes(address6),
    heard: [],
    hears: 0,
    versions: new Map(),
  };
}

/** Only a hello opens an incarnation: without it nobody knows what the other frames build on. */
function whyStale(frame: Frame, neighbour: Neighbour | undefined): DropReason | undefined {
  if (neighbour === undefined || !neighbour.everHeard) return frame.type === "hello" ? undefined : "NoHello";
  if (frame.incarnation < neighbour.incarnation) return "OlderIncarnation";
  if (frame.incarnation > neighbour.incarnation) return frame.type === "hello" ? undefined : "NoHello";
  return frame.sequence <= neighbour.sequence ? "Replay" : undefined;
}

function dropped(reason: DropReason): Heard {
  return { what: "Dropped", reason };
}

/** Reads a MAC as a number: of each mapping that is heard one is looked up, and a text would cost more than the rest. */
function number48(mac: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac;
  return ((a << 16) | (b << 8) | c) * 2 ** 24 + ((d << 16) | (e << 8) | f);
}
