import type { Candidate } from "../election/candidates.ts";
import { isMajority } from "../election/epoch.ts";
import type { RivalClaim } from "../election/ownership.ts";
import type { Contender } from "../election/tier.ts";
import type { Adjacencies } from "./adjacencies.ts";
import type { EpochHistory } from "./epoch-history.ts";

/** What the other nodes on a segment mean for a decision of this one: who claims, holds or could own an IP. */
export class Reach {
  readonly #self: string;
  readonly #adjacencies: Adjacencies;
  readonly #history: EpochHistory;

  constructor(self: string, adjacencies: Adjacencies, history: EpochHistory) {
    this.#self = self;
    this.#adjacencies = adjacencies;
    this.#history = history;
  }

  /** The claims of others that count: of those who live and are past their start. */
  rivals(ip: string): RivalClaim[] {
    const rivals: RivalClaim[] = [];
    for (const neighbour of this.#adjacencies.all) {
      const claim = neighbour.alive && !neighbour.starting ? neighbour.claims.get(ip) : undefined;
      if (claim !== undefined) rivals.push({ node: neighbour.node, ...claim });
    }
    return rivals;
  }

  /**
   * The candidates that are just starting and held the IP last, as was heard or as their record has it: they will adopt
   * it. Of those who held it earlier nothing is waited for.
   */
  holders(ip: string, candidates: readonly Candidate[], nowMs: number): RivalClaim[] {
    const holders: RivalClaim[] = [];
    for (const { node, held, startingUntilMs } of this.#adjacencies.all) {
      if (nowMs >= startingUntilMs) continue;
      const epoch = held === undefined ? this.#history.recordOf(node).get(ip) : held.get(ip)?.epoch;
      if (epoch === undefined || epoch < this.#history.known(ip)) continue;
      if (candidates.some((candidate) => candidate.node === node)) holders.push({ node, epoch, yielding: false });
    }
    return holders;
  }

  /** The candidates within reach. One that takes too long to start is not, until it has started. */
  contenders(candidates: readonly Candidate[], leaving: boolean, nowMs: number): Contender[] {
    const contenders: Contender[] = [];
    for (const { node, score } of candidates) {
      if (node === this.#self) {
        contenders.push({ node, score, leaving, notForwarding: false, rejoining: false });
        continue;
      }
      const neighbour = this.#adjacencies.get(node);
      if (!neighbour?.alive || (neighbour.starting && nowMs >= neighbour.startingUntilMs)) continue;
      contenders.push({ node, score, ...neighbour.standing(nowMs) });
    }
    return contenders;
  }

  /** From when on missing claims are waited for no longer, if each is for `waitMs`. */
  settledAtMs(waitMs: number): number {
    let settledAtMs = Number.NEGATIVE_INFINITY;
    for (const { missingSinceMs = Number.NEGATIVE_INFINITY, starting } of this.#adjacencies.all)
      if (!starting) settledAtMs = Math.max(settledAtMs, missingSinceMs + waitMs);
    return settledAtMs;
  }

  /**
   * Says whether enough nodes are within reach for a claim that outlives a heal. Who missed two hellos does not count: when
   * a cable is cut, the others fall silent one after the other, and the first to be dead must not be a majority's matter.
   */
  isMajority(nowMs: number): boolean {
    const known = new Set([this.#self, ...this.#history.recordedNodes()]);
    for (const { node } of this.#adjacencies.all) known.add(node);
    const reached = this.#adjacencies.all.filter(({ alive, doubtfulAtMs }) => alive && nowMs < doubtfulAtMs);
    return isMajority(1 + reached.length, known.size);
  }
}
