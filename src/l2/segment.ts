import { nodeHash } from "../election/rendezvous-hash.ts";
import { Adjacencies, addressesOf } from "./adjacencies.ts";
import { Announcer } from "./announcer.ts";
import { clusterId, signingKey } from "./auth.ts";
import type { ClaimNews, ClaimView } from "./claim-book.ts";
import { decodeClaims, decodeFull, decodeRequest, type Entry } from "./claims.ts";
import { Conflicts } from "./conflicts.ts";
import type { Effects, SegmentView } from "./effects.ts";
import { type DropReason, type Frame, HERALD_ETHER_TYPE, sameBytes } from "./frame.ts";
import { Hearing, type Surroundings } from "./hearing.ts";
import { type Hello, helloVersions } from "./hello.ts";
import { ipBytes } from "./ip-bytes.ts";
import { IPOwner, type Moment } from "./ip-owner.ts";
import { isUnasked } from "./liveness.ts";
import type { Neighbour } from "./neighbour.ts";
import { type Mapping, mappingIn, type OwnAddresses, type Probe, probeIn, question } from "./resolution.ts";
import type { NodeConditions, SegmentConfig, SegmentSnapshot } from "./segment-input.ts";
import { Telling } from "./telling.ts";
import { type Timing, timing } from "./timing.ts";
import { Voice } from "./voice.ts";

export type { ClaimNews, ClaimView } from "./claim-book.ts";
export type {
  ConflictView,
  DeputyView,
  Effects,
  NeighbourState,
  NeighbourView,
  OwnershipChange,
  SegmentView,
} from "./effects.ts";
export type { NodeRecord } from "./epoch-history.ts";
export type { NodeConditions, SegmentConfig, SegmentSnapshot } from "./segment-input.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** The highest that fits the wire; nothing can be later, and one more would be 0. */
const LAST_INCARNATION = 2n ** 64n - 1n;
const DEFAULT_ANNOUNCE_RATE = 10_000;
const DEFAULT_REFRESH_MS = 60_000;
/** Neighbours that own something announce it in less than this, in ms. */
const BROADCAST_MS = 180_000;
/** For how long after the last hello somebody is expected to be heard, in ms. */
const EXPECTING_MS = 1000;

/**
 * The ownership protocol on one interface (docs/wire.md), without I/O: frames, ticks and snapshots go in, what to do
 * comes out. Times are ms on a monotonic clock that counts suspends (CLOCK_BOOTTIME). Each call first does what has
 * become due, so late or missed ticks only delay. The same calls give the same effects.
 */
export class Segment {
  readonly #config: SegmentConfig;
  #addresses: OwnAddresses;
  readonly #timing: Timing;
  readonly #adjacencies: Adjacencies;
  readonly #owner: IPOwner;
  readonly #voice: Voice;
  readonly #telling: Telling;
  readonly #announcer: Announcer;
  readonly #conflicts: Conflicts;
  readonly #hearing: Hearing;
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  #snapshot: SegmentSnapshot | undefined;
  /** When the first one came. */
  #snapshotSinceMs = 0;
  #versions: ReadonlyMap<string, bigint> = new Map();
  #conditions: NodeConditions = { evacuating: false, notForwarding: false };
  #lastRunMs: number;
  /** When ARP or NDP to all was last heard. */
  #lastToAllMs: number;
  #startingSinceMs: number | undefined;
  #leavingSinceMs: number | undefined;
  #restartingSinceMs: number | undefined;
  #cutOff = false;
  #discardQueued = false;
  #watchVersion = 0;

  constructor(config: SegmentConfig, nowMs: number) {
    const { node, mac, macChanged = false } = config;
    const key = signingKey(config.key);
    const identity = { node, key, mac, cluster: clusterId(key) };
    const pace = {
      framesPerSecond: config.announceRate ?? DEFAULT_ANNOUNCE_RATE,
      refreshMs: config.refreshMs ?? DEFAULT_REFRESH_MS,
    };
    this.#config = config;
    this.#addresses = { ipv4: config.address, ipv6: config.address6 ?? "" };
    this.#timing = timing(config);
    this.#adjacencies = new Adjacencies(identity, nodeHash(node), this.#timing);
    this.#voice = new Voice(identity, config.incarnation);
    this.#telling = new Telling(this.#voice, this.#timing, nowMs);
    this.#announcer = new Announcer(mac, pace, config.random ?? (() => 0));
    this.#conflicts = new Conflicts(mac, pace.framesPerSecond);
    this.#hearing = new Hearing(mac, this.#timing, nowMs);
    this.#owner = new IPOwner({
      node,
      mac,
      macChanged,
      timing: this.#timing,
      adjacencies: this.#adjacencies,
      announcer: this.#announcer,
      conflicts: this.#conflicts,
    });
    this.#lastRunMs = this.#lastToAllMs = nowMs;
    this.#startingSinceMs = nowMs;
  }

  /** Takes what the API says now. */
  setSnapshot(snapshot: SegmentSnapshot, nowMs: number): Effects {
    this.#begin(nowMs);
    if (this.#snapshot === undefined) {
      this.#outdoRecord(snapshot);
      this.#snapshotSinceMs = nowMs;
    }
    this.#snapshot = snapshot;
    this.#versions = helloVersions(snapshot.versions);
    this.#adjacencies.know(snapshot.records, snapshot.ready, nowMs);
    this.#owner.setSnapshot(snapshot.ips, snapshot.records, this.#versions);
    return this.#finish(nowMs);
  }

  /** Takes a whole Ethernet frame from the wire: a speaker's, or one of ARP or NDP. */
  hear(whole: Uint8Array, nowMs: number): Effects {
    return this.hearAll([whole], nowMs);
  }

  /** Takes frames that came together: nothing is decided by the first of them before the last is heard. */
  hearAll(frames: readonly Uint8Array[], nowMs: number): Effects {
    // They may have waited for as long as this process slept.
    if (!this.#begin(nowMs)) for (const whole of frames) this.#hearOne(whole, nowMs);
    return this.#finish(nowMs);
  }

  #hearOne(whole: Uint8Array, nowMs: number): void {
    this.#hearing.heard(nowMs);
    const mapping = isSpeakers(whole) ? undefined : mappingIn(whole);
    const probe = isSpeakers(whole) || mapping !== undefined ? undefined : probeIn(whole);
    if (mapping !== undefined && isToAll(whole)) this.#lastToAllMs = nowMs;
    if (mapping === undefined && probe === undefined) this.#hearSpeaker(whole, nowMs);
    else if (probe !== undefined) this.#hearProbe(probe, nowMs);
    else if (mapping !== undefined && !this.#isOwn(mapping.mac)) this.#hearMapping(mapping, nowMs);
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
      this.#standingChanged(nowMs);
    }
    return this.#finish(nowMs);
  }

  /**
   * Tells the others that the speaker is about to be away for a moment: they answer for this node until it is back, and
   * it keeps what it has. The view's `left` says when it may go.
   */
  restart(nowMs: number): Effects {
    this.#begin(nowMs);
    if (this.#restartingSinceMs === undefined) {
      this.#restartingSinceMs = nowMs;
      this.#standingChanged(nowMs);
    }
    return this.#finish(nowMs);
  }

  /** Takes what is asked of this node or wrong with it, until it is said otherwise. */
  setConditions(conditions: NodeConditions, nowMs: number): Effects {
    this.#begin(nowMs);
    const { evacuating, notForwarding } = this.#conditions;
    this.#conditions = conditions;
    if (conditions.evacuating !== evacuating || conditions.notForwarding !== notForwarding)
      this.#standingChanged(nowMs);
    return this.#finish(nowMs);
  }

  /** Names the routers of the segment, by IP: who answers to them when nobody else is heard. */
  setGateways(ips: readonly string[]): void {
    this.#hearing.setGateways(ips);
  }

  /** Tells the others of other addresses of this node, from the next hello on. */
  moveTo(address: string, address6 = ""): void {
    this.#addresses = { ipv4: address, ipv6: address6 };
  }

  /** When to call `tick` next, at the latest. */
  nextWake(): number {
    const now = this.#lastRunMs;
    const started = this.#startingSinceMs === undefined;
    let next = Math.min(
      this.#telling.nextMs(this.#adjacencies.incomplete),
      this.#adjacencies.reviewAtMs,
      this.#startingEndMs(),
    );
    next = Math.min(next, this.#hearing.nextMs(this.#surroundings(now), now));
    if (this.#restartedMs() > now) next = Math.min(next, this.#restartedMs());
    if (started) next = Math.min(next, this.#owner.nextDueMs, this.#announcer.nextMs(), this.#conflicts.nextMs);
    return next;
  }

  /** Gives the state as plain data. */
  view(): SegmentView {
    return { ...this.summary(), claims: this.claims };
  }

  /** All claims by IP; the same array until something changes. */
  get claims(): readonly ClaimView[] {
    return this.#owner.book.view();
  }

  /** Gives what of the claims changed since it was last asked. */
  takeClaimNews(): ClaimNews {
    return this.#owner.book.takeNews();
  }

  /** Gives the state but for the claims. */
  summary(): Omit<SegmentView, "claims"> {
    const now = this.#lastRunMs;
    const { all } = this.#adjacencies;
    const { helloBlockedMs } = this.#timing;
    return {
      starting: this.#startingSinceMs !== undefined,
      left: this.#left(),
      incarnation: this.#voice.incarnation,
      neighbours: all.map((neighbour) => neighbour.view(now)),
      deputyFor: this.#owner.deputyView(),
      conflicts: this.#conflicts.view(),
      isolated: this.#hearing.isolated,
      hearsNoBroadcast: now - this.#lastToAllMs > BROADCAST_MS && all.some((one) => isAnnouncing(one, now)),
      helloBlocked: all
        .filter(({ state, sinceMs, node }) => state === "Away" && now - sinceMs > helloBlockedMs && this.#isReady(node))
        .map(({ node }) => node),
      otherTimers: all
        .filter(({ heard, hello }) => heard && !sameTimers(hello, this.#timing))
        .map(({ node, hello }) => ({
          node,
          helloIntervalMs: hello.helloIntervalMs,
          multiplier: hello.multiplier,
          restartGraceMs: hello.restartGraceMs,
        })),
      dropped: { ...this.#dropped },
    };
  }

  #isReady(node: string): boolean {
    return this.#adjacencies.isReady(node);
  }

  /** Does what time alone brings. Says whether this process slept so long that all it knows is stale. */
  #begin(nowMs: number): boolean {
    const stalled = nowMs - this.#lastRunMs > this.#timing.stallMs;
    this.#lastRunMs = nowMs;
    if (stalled) this.#startOver(nowMs);
    return stalled;
  }

  #startOver(nowMs: number): void {
    this.#discardQueued = true;
    this.#startingSinceMs = nowMs;
    this.#owner.pause();
    this.#telling.helloAt(nowMs);
    this.#hearing.heard(nowMs);
    this.#adjacencies.restartClocks(nowMs);
  }

  #finish(nowMs: number): Effects {
    const probes = this.#review(nowMs);
    const wasIsolated = this.#hearing.isolated;
    const cutOff = this.#hearing.review(this.#surroundings(nowMs), nowMs) !== "Sure";
    if (this.#hearing.isolated !== wasIsolated) this.#telling.helloSoon(nowMs);
    if (this.#cutOff && !cutOff) this.#owner.markCutOff();
    this.#cutOff = cutOff;
    const moment: Moment = { nowMs, standing: this.#standing(), cutOff };
    if (nowMs >= this.#startingEndMs()) {
      this.#owner.start(moment);
      this.#startingSinceMs = undefined;
      this.#telling.helloAt(nowMs);
    }
    const started = this.#startingSinceMs === undefined;
    const asked = started ? this.#conflicts.frames(nowMs) : [];
    for (const news of this.#conflicts.takeNews()) this.#owner.takeNews(news, nowMs);
    if (started) this.#owner.evaluate(moment);
    if (started) asked.push(...this.#conflicts.frames(nowMs));
    const frames = [
      ...this.#telling.frames(this.#owner.book, this.#adjacencies.incomplete, () => this.#hello(nowMs), nowMs),
      ...probes,
      ...this.#hearing.questions(this.#surroundings(nowMs), this.#addresses, nowMs),
      ...asked,
      ...(started ? this.#announcer.frames(nowMs) : []),
    ];
    const silent = !started || (nowMs >= this.#restartedMs() && this.#hasDeputies());
    const effects: Effects = {
      validForMs: silent ? 0 : this.#timing.validForMs,
      discardQueued: this.#discardQueued,
      frames,
      ...this.#watch(),
      ...this.#owner.takeOutcome(),
    };
    this.#discardQueued = false;
    return effects;
  }

  #watch(): Pick<Effects, "watch"> {
    const version = this.#adjacencies.addressVersion + this.#conflicts.version + this.#hearing.version;
    if (version === this.#watchVersion) return {};
    this.#watchVersion = version;
    const heard = [...this.#adjacencies.addresses(), ...this.#hearing.witnesses()];
    return { watch: { heard: [...new Set(heard)].sort(), probed: this.#conflicts.asked().sort() } };
  }

  /** Looks at the neighbours; gives the questions for their kernels. */
  #review(nowMs: number): Uint8Array[] {
    const { changed, deputised, probe } = this.#adjacencies.review(nowMs);
    if (changed) this.#neighbourChanged(nowMs);
    for (const neighbour of deputised) this.#owner.markIPsOf(neighbour);
    return [...probe].flatMap(({ hello }) => {
      const [ip] = addressesOf(hello);
      return ip === undefined ? [] : [question(this.#config.mac, this.#addresses, ip, hello.mac)];
    });
  }

  #surroundings(nowMs: number): Surroundings {
    const { heard, everHeard, lateAtMs, silentAtMs } = this.#adjacencies;
    const company = everHeard || (this.#snapshot?.records.length ?? 0) > 1;
    const expecting = nowMs < silentAtMs + EXPECTING_MS || this.#startingSinceMs !== undefined;
    return { heard, late: nowMs >= lateAtMs, company, expecting };
  }

  #standing(): Moment["standing"] {
    const { evacuating, notForwarding } = this.#conditions;
    return {
      leaving: evacuating || this.#leavingSinceMs !== undefined,
      restarting: this.#restartingSinceMs !== undefined,
      notForwarding,
    };
  }

  /** What the others think of this node, and it of itself, is another than before. */
  #standingChanged(nowMs: number): void {
    this.#owner.markAll();
    this.#telling.helloAt(nowMs);
  }

  /**
   * When the start is over; NEVER when there is none, or nothing to start with. Neighbours' claims that are missing are
   * waited for, and, where the view of the API came late, the kernels of those that it names.
   */
  #startingEndMs(): number {
    if (this.#startingSinceMs === undefined || this.#snapshot === undefined) return NEVER;
    const { detectMs, claimsWaitMs } = this.#timing;
    const { all } = this.#adjacencies;
    const missing = this.#adjacencies.incomplete.size > 0;
    const endMs = this.#startingSinceMs + detectMs + (missing ? claimsWaitMs : 0);
    const unasked = all.some((neighbour) => isUnasked(neighbour, this.#lastRunMs));
    return unasked ? Math.max(endMs, this.#snapshotSinceMs + claimsWaitMs) : endMs;
  }

  /** When the others answer for this node, because it restarts; NEVER where it does not. */
  #restartedMs(): number {
    return this.#restartingSinceMs === undefined ? NEVER : this.#restartingSinceMs + this.#timing.kernelMs;
  }

  #hasDeputies(): boolean {
    return this.#adjacencies.all.some(({ present, hello }) => present && !hello.flags.restarting);
  }

  #hearSpeaker(whole: Uint8Array, nowMs: number): void {
    const heard = this.#adjacencies.hear(whole, this.#voice.incarnation, nowMs);
    if (heard.what === "Dropped") this.#drop(heard.reason);
    else if (heard.what === "OwnIncarnation") this.#outdo(heard.incarnation);
    else if (heard.what === "Frame") this.#take(heard.neighbour, heard.frame, nowMs);
    else if (heard.news !== "Nothing") this.#neighbourChanged(nowMs);
  }

  /** Takes a question by which a host finds out whether it may take an IP; among nodes that is a matter of rule 1. */
  #hearProbe({ ip, mac }: Probe, nowMs: number): void {
    if (!this.#isOwn(mac) && this.#adjacencies.byMac(mac) === undefined) this.#conflicts.probed(ip, mac, nowMs);
  }

  #isOwn(mac: Uint8Array): boolean {
    return sameBytes(mac, this.#config.mac);
  }

  /** Takes another's word that an IP is at a MAC. */
  #hearMapping({ ip, mac, asks }: Mapping, nowMs: number): void {
    const neighbour = this.#adjacencies.byMac(mac);
    if (neighbour === undefined) this.#hearing.located(ip, mac, nowMs);
    else if (!asks) this.#adjacencies.answered(ip, mac, nowMs);
    if (this.#startingSinceMs !== undefined || !this.#owner.book.claims.has(ip)) return;
    // A neighbour that claims the IP too is a matter of rule 1.
    if (neighbour?.claim(ip) === undefined) this.#conflicts.heard(ip, mac, neighbour?.node, nowMs);
  }

  #take(neighbour: Neighbour, { type, body }: Frame, nowMs: number): void {
    const missing = neighbour.claims.missingSinceMs !== undefined;
    if (type === "request") {
      this.#takeRequest(body);
      return;
    }
    const decoded = type === "full" ? decodeFull(body) : decodeClaims(body);
    if (decoded === "Malformed") {
      this.#drop(decoded);
      return;
    }
    for (const entry of decoded.entries) {
      this.#owner.history.learn(entry.ip, entry.epoch);
      if (!entry.removed && !entry.tentative) this.#owner.history.announced(entry.ip);
    }
    const news = "part" in decoded ? neighbour.takeFull(decoded, nowMs) : neighbour.takeClaims(decoded, nowMs);
    for (const entry of news) this.#takeEntry(neighbour, entry, nowMs);
    this.#adjacencies.file(neighbour);
    this.#adjacencies.touch(neighbour, nowMs);
    if (missing && neighbour.claims.missingSinceMs === undefined) {
      this.#owner.markWaiting();
      this.#owner.markIPsOf(neighbour); // its record stood in for them
    }
  }

  #takeEntry(neighbour: Neighbour, entry: Entry, nowMs: number): void {
    this.#owner.mark(entry.ip);
    if (!entry.removed || entry.successor !== nodeHash(this.#config.node)) return;
    const mine = this.#owner.book.claims.get(entry.ip);
    if (mine === undefined || mine.tentative) return;
    if (neighbour.claims.cedes(entry.ip, entry.epoch)) this.#announcer.start(entry.ip, nowMs);
  }

  #takeRequest(body: Uint8Array): void {
    const of = decodeRequest(body);
    if (of === "Malformed") this.#drop(of);
    else if (of === nodeHash(this.#config.node)) this.#telling.wantFull();
  }

  /** Something about a neighbour matters to every IP; and it should know soon that it is heard, or no more. */
  #neighbourChanged(nowMs: number): void {
    this.#owner.markAll();
    this.#telling.helloSoon(nowMs);
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
    const now = this.#lastRunMs;
    if (now >= this.#restartedMs()) return true;
    if (this.#leavingSinceMs === undefined) return false;
    if (now >= this.#leavingSinceMs + this.#timing.leaveMs) return true;
    return ![...this.#owner.book.claims.values()].some(({ yielding }) => yielding);
  }

  #hello(nowMs: number): Omit<Hello, "hears"> {
    const { ipv4, ipv6 } = this.#addresses;
    const heard = this.#adjacencies.all.filter((neighbour) => neighbour.heard && nowMs < neighbour.silentAtMs);
    return {
      flags: {
        starting: this.#startingSinceMs !== undefined,
        isolated: this.#hearing.isolated,
        ...this.#standing(),
      },
      helloIntervalMs: this.#timing.helloMs,
      multiplier: this.#timing.multiplier,
      restartGraceMs: this.#timing.restartGraceMs,
      claimsVersion: this.#owner.book.version,
      mac: this.#config.mac,
      ipv4: ipv4 === "" ? new Uint8Array(4) : ipBytes(ipv4),
      ipv6: ipv6 === "" ? new Uint8Array(16) : ipBytes(ipv6),
      heard: heard.map(({ hash }) => hash),
      versions: this.#versions,
    };
  }
}

function sameTimers(hello: Hello, { helloMs, multiplier, restartGraceMs }: Timing): boolean {
  const sameDetection = hello.helloIntervalMs === helloMs && hello.multiplier === multiplier;
  return sameDetection && hello.restartGraceMs === restartGraceMs;
}

function isAnnouncing({ heard, claims, sinceMs }: Neighbour, nowMs: number): boolean {
  return heard && claims.current.size > 0 && nowMs - sinceMs > BROADCAST_MS;
}

/** Says whether a frame is a broadcast or a multicast. */
function isToAll(whole: Uint8Array): boolean {
  return ((whole[0] ?? 0) & 1) === 1;
}

function isSpeakers(whole: Uint8Array): boolean {
  return (((whole[12] ?? 0) << 8) | (whole[13] ?? 0)) === HERALD_ETHER_TYPE;
}
