import type { Candidate } from "../election/candidates.ts";
import { isMajority } from "../election/epoch.ts";
import { type Claim, compareClaims, type RivalClaim } from "../election/ownership.ts";
import { compareHash } from "../election/rank.ts";
import type { Contender } from "../election/tier.ts";
import type { Adjacencies } from "./adjacencies.ts";
import type { EpochHistory } from "./epoch-history.ts";
import type { Neighbour } from "./neighbour.ts";

/** What a node says of itself that matters for its rank. */
export type OwnStanding = Pick<Contender, "leaving" | "restarting" | "notForwarding">;

/** From so many IPs on an index of all claims is faster than asking each neighbour. */
const MANY = 100;
const NO_CLAIMS: readonly RivalClaim[] = [];

/** What the other nodes on a segment mean for a decision of this one: who claims, holds or could own an IP. */
export class Reach {
  readonly #self: string;
  readonly #adjacencies: Adjacencies;
  readonly #history: EpochHistory;

  #present: readonly Neighbour[] = [];
  #indirect: readonly Neighbour[] = [];
  #away: readonly Neighbour[] = [];
  #holding: readonly Neighbour[] = [];
  /** The claims of #present by IP, where that is worth the effort. */
  #claimed: ReadonlyMap<string, RivalClaim[]> | undefined;
  /** Contenders by their candidates: most IPs share a list. */
  readonly #contenders = new Map<readonly Candidate[], readonly Contender[]>();

  constructor(self: string, adjacencies: Adjacencies, history: EpochHistory) {
    this.#self = self;
    this.#adjacencies = adjacencies;
    this.#history = history;
  }

  /** Sorts the neighbours by their state; to be called before questions about so many IPs. */
  refresh(ips: number): void {
    this.#contenders.clear();
    const { all } = this.#adjacencies;
    this.#present = all.filter(({ present }) => present);
    this.#indirect = all.filter(({ state }) => state === "Indirect");
    this.#away = all.filter(({ state }) => state === "Away");
    const untold = all.filter(({ heard, starting, claims }) => {
      return heard && (starting || claims.held !== undefined || claims.missingSinceMs !== undefined);
    });
    this.#holding = [...this.#away, ...untold].filter(({ hello }) => !hello.flags.notForwarding);
    this.#claimed = ips > MANY ? this.#index() : undefined;
  }

  #index(): ReadonlyMap<string, RivalClaim[]> {
    const claimed = new Map<string, RivalClaim[]>();
    for (const { node, claims } of this.#present)
      for (const [ip, claim] of claims.current) {
        const known = claimed.get(ip);
        if (known === undefined) claimed.set(ip, [{ node, ...claim }]);
        else known.push({ node, ...claim });
      }
    return claimed;
  }

  /** The claims of others that count: of those who live and are past their start. */
  rivals(ip: string): readonly RivalClaim[] {
    const indexed = this.#claimed?.get(ip);
    if (this.#claimed !== undefined && this.#indirect.length === 0) return indexed ?? NO_CLAIMS;
    const rivals: RivalClaim[] = indexed === undefined ? [] : [...indexed];
    if (this.#claimed === undefined)
      for (const neighbour of this.#present) push(rivals, neighbour, neighbour.claim(ip));
    for (const neighbour of this.#indirect) push(rivals, neighbour, this.#lastClaim(neighbour, ip));
    return rivals;
  }

  /** The claims of those whose speaker is away, as last heard or recorded. */
  absent(ip: string): RivalClaim[] {
    const absent: RivalClaim[] = [];
    for (const neighbour of this.#away) push(absent, neighbour, this.#lastClaim(neighbour, ip));
    return absent;
  }

  /**
   * The candidates that have the IP, but are starting, or their claims are missing, or their speakers are away: they will
   * go on with it. Not those
   * that do not forward, nor those that had not announced it: of them nothing is to be waited for. The best claim first.
   */
  holders(ip: string, candidates: readonly Candidate[]): RivalClaim[] {
    const holders: RivalClaim[] = [];
    for (const neighbour of this.#holding) {
      const claim = this.#lastClaim(neighbour, ip);
      if (claim === undefined || claim.tentative || !candidates.some(({ node }) => node === neighbour.node)) continue;
      holders.push({ node: neighbour.node, ...claim, yielding: false });
    }
    return holders.length > 1 ? holders.sort((a, b) => compareClaims(a, b, ip)) : holders;
  }

  /** All IPs that a neighbour may have, by its claims and its record. */
  ipsOf(neighbour: Neighbour): Set<string> {
    const { current, held } = neighbour.claims;
    return new Set([...current.keys(), ...(held?.keys() ?? []), ...this.#history.recordOf(neighbour.node).keys()]);
  }

  /** The candidates within reach. One that takes too long to start is not, until it has started. */
  contenders(candidates: readonly Candidate[], own: OwnStanding, nowMs: number): readonly Contender[] {
    const known = this.#contenders.get(candidates);
    if (known !== undefined) return known;
    const contenders: Contender[] = [];
    for (const { node, score } of candidates) {
      if (node === this.#self) {
        contenders.push({ node, score, ...own, rejoining: false });
        continue;
      }
      const neighbour = this.#adjacencies.get(node);
      if (neighbour === undefined || !(neighbour.heard || neighbour.state === "Indirect")) continue;
      if (neighbour.startsForLong(nowMs)) continue;
      contenders.push({ node, score, ...neighbour.standing(nowMs) });
    }
    this.#contenders.set(candidates, contenders);
    return contenders;
  }

  /** Says whether this node is the first by rank of all that are heard: it answers for who is away. */
  isFirstDeputy(ip: string): boolean {
    return !this.#present.some(({ node, hello }) => !hello.flags.restarting && compareHash(node, this.#self, ip) < 0);
  }

  /** From when on missing claims are waited for no longer, if each is for `waitMs`. */
  settledAtMs(waitMs: number): number {
    let settledAtMs = Number.NEGATIVE_INFINITY;
    for (const { claims, present } of this.#adjacencies.all)
      if (present && claims.missingSinceMs !== undefined)
        settledAtMs = Math.max(settledAtMs, claims.missingSinceMs + waitMs);
    return settledAtMs;
  }

  /** Says whether enough nodes are within reach for a claim that outlives a heal. */
  isMajority(): boolean {
    const known = new Set([this.#self, ...this.#history.recordedNodes()]);
    let reached = 1;
    for (const neighbour of this.#adjacencies.all) {
      known.add(neighbour.node);
      const { state } = neighbour;
      if (state === "Heard" || state === "Indirect" || state === "Away") reached++;
    }
    return isMajority(reached, known.size);
  }

  /** Its claim as last heard or as recorded, whichever is later; a record that somebody outdid since says nothing. */
  #lastClaim(neighbour: Neighbour, ip: string): Claim | undefined {
    const heard = (neighbour.claims.held ?? neighbour.claims.current).get(ip);
    const recorded = this.#history.recordOf(neighbour.node).get(ip);
    if (recorded === undefined || recorded < this.#history.known(ip) || recorded <= (heard?.epoch ?? -1n)) return heard;
    return { epoch: recorded, yielding: false };
  }
}

function push(claims: RivalClaim[], { node }: Neighbour, claim: Claim | undefined): void {
  if (claim !== undefined) claims.push({ node, ...claim });
}
