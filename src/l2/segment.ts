import type { Candidate } from "../election/candidates.ts";
import { newEpoch } from "../election/epoch.ts";
import { type Claim, compareClaims, type Decision, decide, type RivalClaim } from "../election/ownership.ts";
import { nodeHash } from "../election/rendezvous-hash.ts";
import { Adjacencies } from "./adjacencies.ts";
import { Announcer } from "./announcer.ts";
import { clusterId, signingKey } from "./auth.ts";
import { byIP, ClaimBook } from "./claim-book.ts";
import { decodeClaims, decodeFull, decodeRequest, type Entry } from "./claims.ts";
import type { Effects, OwnershipChange, SegmentView } from "./effects.ts";
import { EpochHistory, type NodeRecord } from "./epoch-history.ts";
import type { DropReason, Frame } from "./frame.ts";
import { helloVersions } from "./hello.ts";
import { ipBytes } from "./ip-bytes.ts";
import type { Neighbour } from "./neighbour.ts";
import { Reach } from "./reach.ts";
import { type Timing, timing } from "./timing.ts";
import { Voice } from "./voice.ts";

export type { Effects, OwnershipChange, RecordedClaim, SegmentView } from "./effects.ts";
export type { NodeRecord } from "./epoch-history.ts";

export interface SegmentConfig {
  readonly node: string;
  /** The secret that all speakers of the cluster share; not empty. */
  readonly key: Uint8Array;
  /** Higher at each start of this node's speaker: milliseconds since 1970 will do. */
  readonly incarnation: bigint;
  readonly mac: Uint8Array;
  /** Own IPv4 address on the segment; "" where there is none. */
  readonly address: string;
  readonly helloIntervalMs: number;
  /** The MAC is not the one with which this node claimed before: what it takes up again must be announced. */
  readonly macChanged?: boolean;
}

/** What the API says, for one segment. All IPs are in canonical text. */
export interface SegmentSnapshot {
  /** Per watched kind the newest resourceVersion of an object or a delete event seen. */
  readonly versions: ReadonlyMap<string, string>;
  /** Each assigned IP with its candidates; none: nobody may have it. */
  readonly ips: ReadonlyMap<string, readonly Candidate[]>;
  /** Of each node with a Speaker object that has this segment, this node too: its claims here, or none. */
  readonly records: readonly NodeRecord[];
}

/** Since when an IP is free, or yielded by its owner. */
interface Opening {
  readonly kind: "Free" | "Yielded";
  readonly sinceMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** The highest that fits the wire; nothing can be later, and one more would be 0. */
const LAST_INCARNATION = 2n ** 64n - 1n;

/**
 * The ownership protocol on one interface (docs/wire.md), without I/O: frames, ticks and snapshots go in, what to do
 * comes out. Times are ms on a monotonic clock that counts suspends (CLOCK_BOOTTIME). Each call first does what has
 * become due, so late or missed ticks only delay. The same calls give the same effects.
 */
export class Segment {
  readonly #config: SegmentConfig;
  #address: string;
  readonly #timing: Timing;
  readonly #adjacencies: Adjacencies;
  readonly #history = new EpochHistory();
  readonly #book: ClaimBook;
  readonly #voice: Voice;
  readonly #announcer: Announcer;
  readonly #reach: Reach;
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  readonly #openings = new Map<string, Opening>();
  /** When an IP must be looked at again though nothing happens. */
  readonly #due = new Map<string, number>();
  #nextDueMs = NEVER;
  #snapshot: SegmentSnapshot | undefined;
  #versions: ReadonlyMap<string, bigint> = new Map();
  #lastRunMs: number;
  #startingSinceMs: number | undefined;
  /** The start is over, so the own claims are more than what the record says. */
  #started = false;
  #leavingSinceMs: number | undefined;
  #lastHelloMs = Number.NEGATIVE_INFINITY;
  #nextHelloMs: number;
  #lastFullMs = Number.NEGATIVE_INFINITY;
  #fullWanted = false;

  // What the running call has gathered so far.
  readonly #dirty = new Set<string>();
  #allDirty = false;
  #changes: OwnershipChange[] = [];
  #tableChanged = false;
  #recordChanged = false;
  #discardQueued = false;

  constructor(config: SegmentConfig, nowMs: number) {
    const { node, mac } = config;
    const key = signingKey(config.key);
    const identity = { node, key, mac, cluster: clusterId(key) };
    this.#config = config;
    this.#address = config.address;
    this.#timing = timing(config.helloIntervalMs);
    this.#adjacencies = new Adjacencies(identity, this.#timing);
    this.#book = new ClaimBook(node, this.#timing.removalMs);
    this.#voice = new Voice(identity, config.incarnation);
    this.#announcer = new Announcer(mac);
    this.#reach = new Reach(node, this.#adjacencies, this.#history);
    this.#lastRunMs = nowMs;
    this.#startingSinceMs = nowMs;
    this.#nextHelloMs = nowMs;
  }

  /** Takes what the API says now. */
  setSnapshot(snapshot: SegmentSnapshot, nowMs: number): Effects {
    this.#begin(nowMs);
    if (this.#snapshot === undefined) this.#outdoRecord(snapshot);
    const before = this.#snapshot?.ips;
    this.#snapshot = snapshot;
    this.#versions = helloVersions(snapshot.versions);
    this.#history.read(snapshot.records);
    if (snapshot.ips !== before) this.#compareCandidates(before, snapshot.ips);
    return this.#finish(nowMs);
  }

  #compareCandidates(before: SegmentSnapshot["ips"] | undefined, after: SegmentSnapshot["ips"]): void {
    for (const [ip, candidates] of after) if (!sameCandidates(candidates, before?.get(ip))) this.#dirty.add(ip);
    for (const ip of before?.keys() ?? []) if (!after.has(ip)) this.#dirty.add(ip);
  }

  /** Takes a whole Ethernet frame from the wire, whatever it is. */
  hear(whole: Uint8Array, nowMs: number): Effects {
    if (this.#begin(nowMs)) return this.#finish(nowMs); // it may have waited for as long as this process slept
    const heard = this.#adjacencies.hear(whole, this.#voice.incarnation, nowMs);
    if (heard.what === "Dropped") this.#drop(heard.reason);
    else if (heard.what === "OwnIncarnation") this.#outdo(heard.incarnation);
    else if (heard.what === "Frame") this.#take(heard.neighbour, heard.frame, nowMs);
    else if (heard.news !== "Nothing") this.#neighbourChanged(nowMs);
    return this.#finish(nowMs);
  }

  /** Does what is due; to be called at `nextWake()`. */
  tick(nowMs: number): Effects {
    this.#begin(nowMs);
    return this.#finish(nowMs);
  }

  /** Begins to hand everything over; the view's `left` says when it is done. */
  leave(nowMs: number): Effects {
    this.#begin(nowMs);
    if (this.#leavingSinceMs === undefined) {
      this.#leavingSinceMs = nowMs;
      this.#allDirty = true;
      this.#nextHelloMs = nowMs;
    }
    return this.#finish(nowMs);
  }

  /** Tells the others of another address of this node, from the next hello on. */
  moveTo(address: string): void {
    this.#address = address;
  }

  /** When to call `tick` next, at the latest. */
  nextWake(): number {
    const now = this.#lastRunMs;
    const announcementMs = this.#startingSinceMs === undefined ? this.#announcer.nextMs() : NEVER;
    let next = Math.min(this.#nextHelloMs, this.#nextDueMs, announcementMs, this.#startingEndMs());
    if (this.#fullWanted) next = Math.min(next, this.#lastFullMs + this.#timing.fullGapMs);
    for (const neighbour of this.#adjacencies.all) {
      if (neighbour.alive) next = Math.min(next, neighbour.deadAtMs);
      if (neighbour.missingSinceMs !== undefined) next = Math.min(next, neighbour.requestAtMs);
      for (const end of neighbour.endsMs()) if (end > now) next = Math.min(next, end);
    }
    return next;
  }

  /** Gives the state as plain data. */
  view(): SegmentView {
    return {
      starting: this.#startingSinceMs !== undefined,
      left: this.#left(),
      incarnation: this.#voice.incarnation,
      neighbours: this.#adjacencies.all.map((neighbour) => neighbour.view(this.#lastRunMs)),
      claims: this.#book.view(),
      dropped: { ...this.#dropped },
    };
  }

  /** Does what time alone brings. Says whether this process slept so long that all it knows is stale. */
  #begin(nowMs: number): boolean {
    const before = this.#lastRunMs;
    const stalled = nowMs - before > this.#timing.stallMs;
    this.#lastRunMs = nowMs;
    if (stalled) this.#startOver(nowMs);
    if (this.#adjacencies.bury(nowMs) > 0) this.#neighbourChanged(nowMs);
    for (const neighbour of this.#adjacencies.all)
      for (const end of neighbour.endsMs()) if (before < end && end <= nowMs) this.#allDirty = true;
    return stalled;
  }

  #startOver(nowMs: number): void {
    this.#discardQueued = true;
    this.#startingSinceMs = nowMs;
    this.#openings.clear();
    this.#due.clear();
    this.#nextDueMs = NEVER;
    this.#nextHelloMs = nowMs;
    this.#adjacencies.restartClocks(nowMs);
  }

  #finish(nowMs: number): Effects {
    if (nowMs >= this.#startingEndMs()) this.#start(nowMs);
    if (this.#startingSinceMs === undefined) this.#evaluate(nowMs);
    const frames = [
      ...this.#book.tell().map((body) => this.#voice.claims(body)),
      ...this.#requests(nowMs),
      ...this.#fulls(nowMs),
      ...this.#hello(nowMs),
      ...(this.#startingSinceMs === undefined ? this.#announcer.frames(nowMs) : []),
    ];
    const effects: Effects = {
      validForMs: this.#startingSinceMs === undefined ? this.#timing.validForMs : 0,
      discardQueued: this.#discardQueued,
      ...(this.#tableChanged && { table: this.#table() }),
      frames,
      changes: this.#changes.sort(byIP),
      ...(this.#recordChanged && { record: this.#record() }),
    };
    this.#changes = [];
    this.#tableChanged = this.#recordChanged = this.#discardQueued = false;
    return effects;
  }

  /** When the start is over; NEVER when there is none, or nothing to start with. */
  #startingEndMs(): number {
    if (this.#startingSinceMs === undefined || this.#snapshot === undefined) return NEVER;
    const missing = this.#adjacencies.all.some(({ missingSinceMs }) => missingSinceMs !== undefined);
    return this.#startingSinceMs + this.#timing.detectMs + (missing ? this.#timing.claimsWaitMs : 0);
  }

  /** Ends the start: takes up what this node held, where nobody else has it meanwhile. */
  #start(nowMs: number): void {
    if (this.#started) for (const ip of [...this.#book.claims.keys()]) this.#resume(ip, nowMs);
    else for (const [ip, epoch] of this.#history.recordOf(this.#config.node)) this.#adopt(ip, epoch, nowMs);
    this.#started = true;
    this.#startingSinceMs = undefined;
    this.#allDirty = true;
    // The responder may hold the table of an earlier Segment on this interface: it must not answer from that.
    this.#tableChanged = this.#recordChanged = true;
    this.#nextHelloMs = nowMs;
  }

  /** Takes up a claim from before a stall. Whoever has the IP now keeps it, whatever the epochs: this node was away. */
  #resume(ip: string, nowMs: number): void {
    const claim = this.#book.claims.get(ip);
    const rival = this.#reach.rivals(ip)[0];
    if (claim === undefined) return;
    if (rival === undefined) this.#takeUp(ip, claim.epoch, "Resumed", nowMs);
    else this.#release(ip, { what: "Lost", cause: "ClaimedMeanwhile" }, rival.node, nowMs);
  }

  /** Takes up a claim from this node's record, unless another that is starting too held it later. */
  #adopt(ip: string, epoch: bigint, nowMs: number): void {
    const candidates = this.#snapshot?.ips.get(ip) ?? [];
    if (candidates.length === 0 || this.#reach.rivals(ip).length > 0) return;
    const own: RivalClaim = { node: this.#config.node, epoch, yielding: false };
    const later = (holder: RivalClaim) => compareClaims(holder, own, ip) < 0;
    if (!this.#reach.holders(ip, candidates, nowMs).some(later)) this.#takeUp(ip, epoch, "Adopted", nowMs);
  }

  /** Clients know this node's MAC already, unless somebody had the IP in between: then the known epoch is higher. */
  #takeUp(ip: string, epoch: bigint, cause: string, nowMs: number): void {
    const known = this.#history.known(ip);
    const current = known > epoch ? known : epoch;
    this.#claim(ip, { epoch: current, yielding: false }, cause);
    if (known > epoch || this.#config.macChanged) this.#announcer.start(ip, nowMs);
  }

  /** Decides anew about all IPs that something happened to. */
  #evaluate(nowMs: number): void {
    if (nowMs >= this.#nextDueMs) for (const [ip, dueMs] of this.#due) if (dueMs <= nowMs) this.#dirty.add(ip);
    if (this.#allDirty) {
      for (const ip of this.#snapshot?.ips.keys() ?? []) this.#dirty.add(ip);
      for (const ip of this.#book.claims.keys()) this.#dirty.add(ip);
    }
    if (this.#dirty.size === 0) return;
    const settledAtMs = this.#reach.settledAtMs(this.#timing.claimsWaitMs);
    const majority = this.#reach.isMajority(nowMs);
    for (const ip of this.#dirty) {
      let decision = this.#decide(ip, settledAtMs, nowMs);
      if (decision.do === "Lose") {
        this.#apply(ip, decision, majority, nowMs);
        decision = this.#decide(ip, settledAtMs, nowMs); // the winner may be one that yields
      }
      if (decision.do === "Wait") this.#due.set(ip, decision.untilMs);
      else this.#due.delete(ip);
      this.#apply(ip, decision, majority, nowMs);
    }
    this.#dirty.clear();
    this.#allDirty = false;
    this.#nextDueMs = NEVER;
    for (const dueMs of this.#due.values()) this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
  }

  #decide(ip: string, settledAtMs: number, nowMs: number): Decision {
    const candidates = this.#snapshot?.ips.get(ip) ?? [];
    const rivals = this.#reach.rivals(ip);
    const mine = this.#book.claims.get(ip);
    const heldBy = this.#reach.holders(ip, candidates, nowMs)[0]?.node;
    return decide({
      self: this.#config.node,
      ip,
      nowMs,
      wanted: candidates.length > 0,
      mine,
      rivals,
      contenders: this.#reach.contenders(candidates, this.#leavingSinceMs !== undefined, nowMs),
      heldBy,
      sinceMs: this.#openSince(ip, mine !== undefined || heldBy !== undefined, rivals, nowMs),
      settledAtMs,
      stepMs: this.#timing.stepMs,
    });
  }

  #apply(ip: string, decision: Decision, majority: boolean, nowMs: number): void {
    if (decision.do === "Claim") {
      const yielded = decision.reason === "Yielded" ? decision.from.epoch : undefined;
      const epoch = newEpoch({ known: this.#history.known(ip), majority, yielded });
      this.#claim(ip, { epoch, yielding: decision.yielding }, decision.reason);
      this.#announcer.start(ip, nowMs);
    } else if (decision.do === "Keep") this.#keep(ip, decision.yielding, decision.reason);
    else if (decision.do === "Lose") this.#release(ip, { what: "Lost", cause: decision.reason }, decision.to, nowMs);
    else if (decision.do === "Drop") this.#release(ip, { what: "Released", cause: decision.reason }, undefined, nowMs);
  }

  #claim(ip: string, claim: Claim, cause: string): void {
    const { epoch } = claim;
    this.#book.set(ip, claim);
    this.#history.learn(ip, epoch);
    this.#openings.delete(ip);
    this.#changes.push({ ip, what: "Claimed", cause, epoch });
    this.#tableChanged = this.#recordChanged = true;
  }

  #keep(ip: string, yielding: boolean, cause: string): void {
    const claim = this.#book.claims.get(ip);
    if (claim === undefined || claim.yielding === yielding) return;
    this.#book.set(ip, { epoch: claim.epoch, yielding });
    this.#changes.push({ ip, what: yielding ? "Yielding" : "Kept", cause, epoch: claim.epoch });
  }

  #release(ip: string, why: Pick<OwnershipChange, "what" | "cause">, to: string | undefined, nowMs: number): void {
    const epoch = this.#book.claims.get(ip)?.epoch ?? 0n;
    this.#book.remove(ip, to === undefined ? 0 : nodeHash(to), nowMs);
    this.#announcer.stop(ip);
    this.#changes.push({ ip, ...why, epoch });
    this.#tableChanged = this.#recordChanged = true;
  }

  /** Since when an IP is open to be claimed: free, or yielded by all who claim it. */
  #openSince(ip: string, held: boolean, rivals: readonly RivalClaim[], nowMs: number): number {
    const kind = rivals.length === 0 ? "Free" : "Yielded";
    if (held || rivals.some((rival) => !rival.yielding)) {
      this.#openings.delete(ip);
      return nowMs;
    }
    const opening = this.#openings.get(ip);
    if (opening?.kind === kind) return opening.sinceMs;
    this.#openings.set(ip, { kind, sinceMs: nowMs });
    return nowMs;
  }

  #take(neighbour: Neighbour, { type, body }: Frame, nowMs: number): void {
    const missing = neighbour.missingSinceMs !== undefined;
    if (type === "request") {
      this.#takeRequest(body);
      return;
    }
    const decoded = type === "full" ? decodeFull(body) : decodeClaims(body);
    if (decoded === "Malformed") {
      this.#drop(decoded);
      return;
    }
    for (const { ip, epoch } of decoded.entries) this.#history.learn(ip, epoch);
    const news = "part" in decoded ? neighbour.takeFull(decoded, nowMs) : neighbour.takeClaims(decoded, nowMs);
    for (const entry of news) this.#takeEntry(neighbour, entry, nowMs);
    if (missing && neighbour.missingSinceMs === undefined) this.#lookAtWaiting();
  }

  #takeEntry(neighbour: Neighbour, entry: Entry, nowMs: number): void {
    this.#dirty.add(entry.ip);
    if (!entry.removed || entry.successor !== nodeHash(this.#config.node) || !this.#book.claims.has(entry.ip)) return;
    if (neighbour.cedes(entry.ip, entry.epoch)) this.#announcer.start(entry.ip, nowMs);
  }

  #takeRequest(body: Uint8Array): void {
    const of = decodeRequest(body);
    if (of === "Malformed") this.#drop(of);
    else if (of === nodeHash(this.#config.node)) this.#fullWanted = true;
  }

  /** Something about a neighbour matters to every IP; and it should know soon that it is heard, or no more. */
  #neighbourChanged(nowMs: number): void {
    this.#allDirty = true;
    const soonMs = Math.max(nowMs, this.#lastHelloMs + this.#timing.helloGapMs);
    this.#nextHelloMs = Math.min(this.#nextHelloMs, soonMs);
  }

  #lookAtWaiting(): void {
    for (const ip of this.#due.keys()) this.#dirty.add(ip);
  }

  /** Reads the first snapshot only: later ones may show what another interface of this same run has written. */
  #outdoRecord({ records }: SegmentSnapshot): void {
    for (const { node, incarnation } of records) if (node === this.#config.node) this.#outdo(incarnation);
  }

  /** Makes this run of the speaker the latest of its node, where the clock went back since an earlier one. */
  #outdo(incarnation: bigint): void {
    if (incarnation > this.#voice.incarnation && incarnation < LAST_INCARNATION)
      this.#voice.incarnation = incarnation + 1n;
  }

  #drop(reason: DropReason): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  #left(): boolean {
    if (this.#leavingSinceMs === undefined) return false;
    if (this.#lastRunMs >= this.#leavingSinceMs + this.#timing.leaveMs) return true;
    return ![...this.#book.claims.values()].some(({ yielding }) => yielding);
  }

  #requests(nowMs: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const neighbour of this.#adjacencies.all) {
      if (neighbour.missingSinceMs === undefined || nowMs < neighbour.requestAtMs) continue;
      neighbour.requestAtMs = nowMs + this.#timing.requestMs;
      frames.push(this.#voice.request(neighbour.hash));
    }
    return frames;
  }

  #fulls(nowMs: number): Uint8Array[] {
    if (!this.#fullWanted || nowMs < this.#lastFullMs + this.#timing.fullGapMs) return [];
    this.#fullWanted = false;
    this.#lastFullMs = nowMs;
    return this.#book.full(nowMs).map((body) => this.#voice.full(body));
  }

  #hello(nowMs: number): Uint8Array[] {
    if (nowMs < this.#nextHelloMs) return [];
    this.#lastHelloMs = nowMs;
    this.#nextHelloMs = nowMs + this.#timing.helloMs;
    const { mac } = this.#config;
    const address = this.#address;
    const frame = this.#voice.hello({
      flags: {
        starting: this.#startingSinceMs !== undefined,
        leaving: this.#leavingSinceMs !== undefined,
        restarting: false,
        notForwarding: false,
        isolated: false,
      },
      helloIntervalMs: this.#timing.helloMs,
      claimsVersion: this.#book.version,
      mac,
      ipv4: address === "" ? new Uint8Array(4) : ipBytes(address),
      ipv6: new Uint8Array(16),
      heard: this.#adjacencies.all.filter(({ alive }) => alive).map(({ hash }) => hash),
      versions: this.#versions,
    });
    return [frame];
  }

  #table(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#book.claims.keys()].sort().map((ip) => [ip, this.#config.mac]));
  }

  #record(): NodeRecord["claims"] {
    return [...this.#book.claims].map(([ip, { epoch }]) => ({ ip, epoch })).sort(byIP);
  }
}

function sameCandidates(a: readonly Candidate[], b: readonly Candidate[] | undefined): boolean {
  if (a === b) return true;
  if (a.length !== b?.length) return false;
  return a.every((one, i) => one.node === b[i]?.node && one.score === b[i]?.score);
}
