import type { Candidate } from "../election/candidates.ts";
import { newEpoch } from "../election/epoch.ts";
import { type Claim, compareClaims, type Decision, decide, type RivalClaim } from "../election/ownership.ts";
import { nodeHash } from "../election/rendezvous-hash.ts";
import { differences, PersistentMap } from "../persistent-map.ts";
import type { Adjacencies } from "./adjacencies.ts";
import type { Announcer } from "./announcer.ts";
import { byIP, ClaimBook } from "./claim-book.ts";
import type { ConflictNews, Conflicts } from "./conflicts.ts";
import type { DeputyView, OwnershipChange } from "./effects.ts";
import { EpochHistory, type NodeRecord } from "./epoch-history.ts";
import type { Neighbour } from "./neighbour.ts";
import { Overrule, shouldNotOwn } from "./overrule.ts";
import { type OwnStanding, Reach } from "./reach.ts";
import type { Timing } from "./timing.ts";

export interface IPOwnerDeps {
  readonly node: string;
  readonly mac: Uint8Array;
  readonly timing: Timing;
  readonly adjacencies: Adjacencies;
  readonly announcer: Announcer;
  readonly conflicts: Conflicts;
  /** The MAC is not the one with which this node claimed before: what it takes up again must be announced. */
  readonly macChanged: boolean;
}

/** What is the same for all IPs of one evaluation. */
export interface Moment {
  readonly nowMs: number;
  readonly standing: OwnStanding;
  /** Nothing was heard of late. */
  readonly cutOff: boolean;
}

/** Since when an IP is free, or yielded by its owner. */
interface Opening {
  readonly kind: "Free" | "Yielded";
  readonly sinceMs: number;
}

/** What the evaluations since the last time have brought about. */
export interface Outcome {
  readonly changes: readonly OwnershipChange[];
  readonly table?: ReadonlyMap<string, Uint8Array>;
}

const NEVER = Number.POSITIVE_INFINITY;
const NOBODY: readonly Candidate[] = [];

/** Decides, IP by IP, what this node claims and whose deputy it is, and remembers it: rules 0 to 5 of docs/wire.md. */
export class IPOwner {
  readonly book: ClaimBook;
  readonly history = new EpochHistory();
  readonly #deps: IPOwnerDeps;
  readonly #reach: Reach;
  readonly #overrule: Overrule;
  readonly #openings = new Map<string, Opening>();
  /** When an IP must be looked at again though nothing happens. */
  readonly #due = new Map<string, number>();
  #nextDueMs = NEVER;
  /** IPs that would be claimed if this node were sure that it hears. */
  readonly #cutOff = new Set<string>();
  /** Whose MAC this node answers with, by IP. */
  readonly #deputyFor = new Map<string, string>();
  #deputyView: readonly DeputyView[] | undefined;
  #ips: ReadonlyMap<string, readonly Candidate[]> = PersistentMap.from<readonly Candidate[]>([]);
  #versions: ReadonlyMap<string, bigint> = new Map();
  /** The start is over, so the own claims are more than what the record says. */
  #started = false;
  readonly #dirty = new Set<string>();
  #allDirty = false;
  #changes: OwnershipChange[] = [];
  /** The responder's table as it was last told, and the IPs whose entries may be others by now. */
  #table = PersistentMap.from<Uint8Array>([]);
  readonly #untabled = new Set<string>();
  /** That of the neighbours' MACs that are in it. */
  #addressVersion = 0;
  /** It is to be told though it is the same. */
  #tableNeeded = false;

  constructor(deps: IPOwnerDeps) {
    const { node, timing, adjacencies } = deps;
    this.#deps = deps;
    this.book = new ClaimBook(node, timing.removalMs);
    this.#reach = new Reach(node, adjacencies, this.history);
    this.#overrule = new Overrule(timing.overruleMs);
  }

  get nextDueMs(): number {
    return this.#nextDueMs;
  }

  setSnapshot(
    ips: ReadonlyMap<string, readonly Candidate[]>,
    records: readonly NodeRecord[],
    versions: ReadonlyMap<string, bigint>,
  ): void {
    const before = this.#ips;
    this.#ips = ips;
    this.#versions = versions;
    for (const ip of this.history.read(records)) this.#dirty.add(ip);
    for (const ip of differences(before, ips)) {
      const candidates = ips.get(ip);
      if (candidates === undefined) this.history.unassigned(ip);
      if (candidates === undefined || !sameCandidates(candidates, before.get(ip))) this.#dirty.add(ip);
    }
  }

  mark(ip: string): void {
    this.#dirty.add(ip);
  }

  markAll(): void {
    this.#allDirty = true;
  }

  markIPsOf(neighbour: Neighbour): void {
    for (const ip of this.#reach.ipsOf(neighbour)) this.#dirty.add(ip);
  }

  /** Some that wait for a time may not have to wait any more. */
  markWaiting(): void {
    for (const ip of this.#due.keys()) this.#dirty.add(ip);
  }

  /** This node is sure again that it hears. */
  markCutOff(): void {
    for (const ip of this.#cutOff) this.#dirty.add(ip);
  }

  /** Forgets what waiting was for: all times are stale. */
  pause(): void {
    this.#openings.clear();
    this.#due.clear();
    this.#overrule.clear();
    this.#nextDueMs = NEVER;
  }

  /** Ends the start: takes up what this node held, where nobody else has it meanwhile. */
  start(moment: Moment): void {
    this.#reach.refresh(this.#ips.size);
    if (this.#started) for (const ip of [...this.book.claims.keys()]) this.#resume(ip, moment.nowMs);
    else for (const [ip, epoch] of this.history.recordOf(this.#deps.node)) this.#adopt(ip, epoch, moment);
    this.#started = true;
    this.#allDirty = true;
    // The responder may hold the table of an earlier Segment on this interface: it must not answer from that.
    this.#tableNeeded = true;
  }

  /** Decides anew about all IPs that something happened to. */
  evaluate(moment: Moment): void {
    const { nowMs } = moment;
    if (nowMs >= this.#nextDueMs) for (const [ip, dueMs] of this.#due) if (dueMs <= nowMs) this.#dirty.add(ip);
    if (this.#allDirty) {
      for (const ip of this.#ips.keys()) this.#dirty.add(ip);
      for (const ip of this.book.claims.keys()) this.#dirty.add(ip);
      for (const ip of this.#deputyFor.keys()) this.#dirty.add(ip);
    }
    if (this.#dirty.size === 0) return;
    this.#reach.refresh(this.#dirty.size);
    const settledAtMs = this.#reach.settledAtMs(this.#deps.timing.claimsWaitMs);
    const majority = this.#reach.isMajority();
    for (const ip of this.#dirty) {
      let decision = this.#decide(ip, settledAtMs, moment);
      if (decision.do === "Lose") {
        this.#apply(ip, decision, majority, nowMs);
        decision = this.#decide(ip, settledAtMs, moment); // the winner may be one that yields
      }
      if (decision.do === "Wait") this.#due.set(ip, decision.untilMs);
      else this.#due.delete(ip);
      if (decision.do === "Nothing" && decision.reason === "CutOff") this.#cutOff.add(ip);
      else this.#cutOff.delete(ip);
      this.#apply(ip, decision, majority, nowMs);
      this.#deputise(ip);
    }
    this.#dirty.clear();
    this.#allDirty = false;
    this.#nextDueMs = NEVER;
    for (const dueMs of this.#due.values()) this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
  }

  /** Takes what asking for strangers has brought about. */
  takeNews({ ip, what, cause }: ConflictNews, nowMs: number): void {
    const claim = this.book.claims.get(ip);
    const epoch = claim?.epoch ?? 0n;
    if (what !== "Free") this.#changes.push({ ip, what: what === "Over" ? "ConflictOver" : "Conflict", cause, epoch });
    else if (claim?.tentative) {
      this.book.set(ip, { epoch, yielding: claim.yielding });
      this.#announced(ip, nowMs);
      this.#changes.push({ ip, what: "Announced", cause, epoch });
    }
  }

  /** Gives what has changed since it was last asked. */
  takeOutcome(): Outcome {
    const outcome: Outcome = {
      changes: this.#changes.sort(byIP),
      ...(this.#renewTable() && { table: this.#table }),
    };
    this.#changes = [];
    return outcome;
  }

  /** For how many IPs of whom this node answers as a deputy, by name; the same array until something changes. */
  deputyView(): readonly DeputyView[] {
    this.#deputyView ??= countsOf(this.#deputyFor.values());
    return this.#deputyView;
  }

  /**
   * Takes up a claim from before a stall. Whoever has the IP now keeps it, whatever the epochs: this node was away. Where
   * nobody had it in between there is nothing to do or to tell: on a busy machine to tell 10 000 claims anew would be the
   * next stall.
   */
  #resume(ip: string, nowMs: number): void {
    const claim = this.book.claims.get(ip);
    const rival = this.#reach.rivals(ip)[0];
    if (claim === undefined) return;
    if (rival !== undefined) this.#release(ip, { what: "Lost", cause: "ClaimedMeanwhile" }, rival.node, nowMs);
    else if (!claim.tentative && this.history.known(ip) > claim.epoch) this.#takeUp(ip, claim.epoch, "Resumed", nowMs);
  }

  /**
   * Takes up a claim from this node's record, unless another that has the IP held it later. Who hears nothing takes up
   * only what nobody is known to have taken since.
   */
  #adopt(ip: string, epoch: bigint, { nowMs, cutOff }: Moment): void {
    const candidates = this.#ips.get(ip) ?? NOBODY;
    if (candidates.length === 0 || this.#reach.rivals(ip).length > 0) return;
    if (cutOff && this.history.known(ip) > epoch) return;
    const own: RivalClaim = { node: this.#deps.node, epoch, yielding: false };
    const later = (holder: RivalClaim) => compareClaims(holder, own, ip) < 0;
    if (!this.#reach.holders(ip, candidates).some(later)) this.#takeUp(ip, epoch, "Adopted", nowMs);
  }

  /** Clients know this node's MAC already, unless somebody had the IP in between: then the known epoch is higher. */
  #takeUp(ip: string, epoch: bigint, cause: string, nowMs: number): void {
    const known = this.history.known(ip);
    const current = known > epoch ? known : epoch;
    this.#claim(ip, { epoch: current, yielding: false }, cause);
    if (known > epoch || this.#deps.macChanged) this.#deps.announcer.start(ip, nowMs);
    else this.#deps.announcer.keep(ip, nowMs);
  }

  #decide(ip: string, settledAtMs: number, { nowMs, standing, cutOff }: Moment): Decision {
    const candidates = this.#ips.get(ip) ?? NOBODY;
    const rivals = this.#reach.rivals(ip);
    const mine = this.book.claims.get(ip);
    const heldBy = this.#reach.holders(ip, candidates)[0]?.node;
    const contenders = this.#reach.contenders(candidates, standing, nowMs);
    return decide({
      self: this.#deps.node,
      ip,
      nowMs,
      wanted: candidates.length > 0,
      mine,
      rivals,
      absent: mine === undefined ? [] : this.#reach.absent(ip),
      contenders,
      heldBy,
      sinceMs: this.#openSince(ip, mine !== undefined || (rivals.length === 0 && heldBy !== undefined), rivals, nowMs),
      settledAtMs,
      stepMs: this.#deps.timing.stepMs,
      cutOff,
      overruleAtMs: mine === undefined ? this.#overruleAtMs(ip, rivals, contenders, nowMs) : undefined,
    });
  }

  /** From when on the owner may be overruled, if it is one whose view of the API is behind. */
  #overruleAtMs(
    ip: string,
    rivals: readonly RivalClaim[],
    contenders: Parameters<typeof shouldNotOwn>[1],
    nowMs: number,
  ): number | undefined {
    const owner = best(rivals, ip);
    const neighbour = owner && this.#deps.adjacencies.get(owner.node);
    if (owner === undefined || owner.yielding || !neighbour?.present || !shouldNotOwn(owner.node, contenders)) {
      this.#overrule.forget(ip);
      return undefined;
    }
    const atMs = this.#overrule.doubt(ip, owner.node, this.#versions, nowMs);
    return this.#overrule.isBehind(ip, neighbour.hello.versions) ? atMs : undefined;
  }

  #apply(ip: string, decision: Decision, majority: boolean, nowMs: number): void {
    if (decision.do === "Claim") {
      const relieved = decision.reason === "Free" ? undefined : decision.from.epoch;
      const epoch = newEpoch({ known: this.history.known(ip), majority, yielded: relieved });
      const { yielding } = decision;
      // A takeover from an owner needs no question: it has announced the IP, so no stranger has it.
      if (this.history.wasAnnounced(ip)) {
        this.#claim(ip, { epoch, yielding }, decision.reason);
        this.#deps.announcer.start(ip, nowMs);
      } else {
        this.#claim(ip, { epoch, yielding, tentative: true }, decision.reason);
        this.#deps.conflicts.ask(ip, nowMs);
      }
    } else if (decision.do === "Keep") this.#keep(ip, decision.yielding, decision.reason);
    else if (decision.do === "Lose") this.#release(ip, { what: "Lost", cause: decision.reason }, decision.to, nowMs);
    else if (decision.do === "Drop") this.#release(ip, { what: "Released", cause: decision.reason }, undefined, nowMs);
  }

  #claim(ip: string, claim: Claim, cause: string): void {
    const { epoch } = claim;
    this.book.set(ip, claim);
    this.history.learn(ip, epoch);
    this.#openings.delete(ip);
    this.#overrule.forget(ip);
    this.#changes.push({ ip, what: "Claimed", cause, epoch });
    if (!claim.tentative) this.#untabled.add(ip);
  }

  #announced(ip: string, nowMs: number): void {
    this.history.announced(ip);
    this.#deps.announcer.start(ip, nowMs);
    this.#untabled.add(ip);
  }

  #keep(ip: string, yielding: boolean, cause: string): void {
    const claim = this.book.claims.get(ip);
    if (claim === undefined || claim.yielding === yielding) return;
    this.book.set(ip, { ...claim, yielding });
    this.#changes.push({ ip, what: yielding ? "Yielding" : "Kept", cause, epoch: claim.epoch });
  }

  #release(ip: string, why: Pick<OwnershipChange, "what" | "cause">, to: string | undefined, nowMs: number): void {
    const epoch = this.book.claims.get(ip)?.epoch ?? 0n;
    this.book.remove(ip, to === undefined ? 0 : nodeHash(to), nowMs);
    this.#deps.announcer.stop(ip);
    this.#deps.conflicts.drop(ip);
    this.#changes.push({ ip, ...why, epoch });
    this.#untabled.add(ip);
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

  #deputise(ip: string): void {
    const node = this.#owedTo(ip);
    if (this.#deputyFor.get(ip) === node) return;
    if (node === undefined) this.#deputyFor.delete(ip);
    else this.#deputyFor.set(ip, node);
    this.#deputyView = undefined;
    this.#untabled.add(ip);
  }

  /** The node with whose MAC this one is to answer for an IP. */
  #owedTo(ip: string): string | undefined {
    const candidates = this.#ips.get(ip) ?? NOBODY;
    if (candidates.length === 0 || this.book.claims.has(ip)) return undefined;
    const owner = best(this.#reach.rivals(ip), ip);
    if (owner !== undefined) {
      const silent = this.#deps.adjacencies.get(owner.node)?.deputising === "All";
      return silent && !owner.tentative ? owner.node : undefined;
    }
    const holder = this.#reach.holders(ip, candidates)[0];
    if (holder === undefined || this.#deps.adjacencies.get(holder.node)?.deputising === "None") return undefined;
    return this.#reach.isFirstDeputy(ip) ? holder.node : undefined;
  }

  /** Brings the table up to date; says whether it has to be told. */
  #renewTable(): boolean {
    const needed = this.#tableNeeded;
    const { addressVersion } = this.#deps.adjacencies;
    this.#tableNeeded = false;
    if (addressVersion !== this.#addressVersion) for (const ip of this.#deputyFor.keys()) this.#untabled.add(ip);
    this.#addressVersion = addressVersion;
    if (this.#untabled.size === 0) return needed;
    const before = this.#table;
    this.#table = before.with([...this.#untabled].map((ip) => [ip, this.#answerFor(ip)] as const));
    this.#untabled.clear();
    return needed || this.#table !== before;
  }

  /** The MAC with which this node answers for an IP; undefined: it does not. */
  #answerFor(ip: string): Uint8Array | undefined {
    const owed = this.#deputyFor.get(ip);
    const theirs = owed === undefined ? undefined : this.#deps.adjacencies.get(owed)?.hello.mac;
    const claim = this.book.claims.get(ip);
    return theirs ?? (claim === undefined || claim.tentative ? undefined : this.#deps.mac);
  }
}

function best(claims: readonly RivalClaim[], ip: string): RivalClaim | undefined {
  return claims.reduce<RivalClaim | undefined>(
    (found, claim) => (found === undefined || compareClaims(claim, found, ip) < 0 ? claim : found),
    undefined,
  );
}

function countsOf(nodes: Iterable<string>): readonly DeputyView[] {
  const counts = new Map<string, number>();
  for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, addresses]) => ({ node, addresses }));
}

function sameCandidates(a: readonly Candidate[], b: readonly Candidate[] | undefined): boolean {
  if (a === b) return true;
  if (a.length !== b?.length) return false;
  return a.every((one, i) => one.node === b[i]?.node && one.score === b[i]?.score);
}
