import { formatIP, type IP, sameIP } from "./addresses.ts";
import { Census } from "./census.ts";
import { canGive, choose, explain, isComplete, isMet, type Seeker, SHAPES, waitsFor } from "./choose.ts";
import type { Assignment, Demand } from "./demand.ts";
import { type Entry, Holdings } from "./holdings.ts";
import type { Pool, PoolObject, Usage } from "./pool.ts";
import type { Labels, PoolState, Pools } from "./pools.ts";
import type { Steps } from "./steps.ts";
import type { Stranding, Verdict } from "./verdict.ts";
import { comparePlaces, type Place } from "./waiting-line.ts";
import { earliest, nameOf, type Topic, WaitingRoom } from "./waiting-room.ts";

/** What a Service has got. `reassigned`: its wish to be served anew is fulfilled, and has still to be taken off it. */
export type Outcome =
  | {
      readonly state: "Assigned";
      readonly assignment: Assignment;
      readonly stranded?: Stranding;
      readonly reassigned: boolean;
    }
  | {
      readonly state: "Waiting";
      readonly verdict: Verdict;
      readonly keeps?: Assignment;
      readonly stranded?: Stranding;
      readonly reassigned: boolean;
    }
  /** Something is not known yet that may decide it: the labels of its namespace. */
  | { readonly state: "Undecided" }
  /** Is being deleted and holds nothing. */
  | { readonly state: "Leaving" };

/** How a pool is, and how full. */
export interface PoolReport {
  readonly state: PoolState;
  readonly ipv4: Usage;
  readonly ipv6: Usage;
  /** Addresses that their pool, this one, could no longer give to those who hold them. */
  readonly stranded: number;
  /** Services that hold addresses of it. */
  readonly holders: number;
}

/** The state of a cluster. */
export interface World {
  readonly pools: readonly PoolObject[];
  /** Labels by name. */
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly demands: Iterable<Demand>;
  /** Services of type LoadBalancer that somebody else serves, and the addresses of their statuses. */
  readonly strangers: readonly { readonly key: string; readonly ips: readonly IP[] }[];
}

/**
 * Who holds which address, who waits for one, and what is free. Pure: it decides when it is told of a change, and each
 * change gives the keys of the Services whose outcome it may have altered, the first served first. A change is taken in
 * steps, since it may concern 10 000 Services: until its last one nothing may be asked, and no other change begun.
 *
 * What a Service holds stays its own, whatever happens to its pool, until it asks for something else and gets it, stops
 * asking, or can no longer share. A change costs what it can affect: Services wait in lines by what would help them.
 */
export class AddressBook {
  readonly #holdings: Holdings;
  readonly #pools: Pools;
  /** Services that were served anew, as they asked to be; each until it asks no more. */
  readonly #reassigned = new Set<string>();
  readonly #room = new WaitingRoom();
  /** What has happened since the book was last settled that may help somebody, by name. */
  readonly #stirred = new Map<string, Topic>();
  /** Which families a pool had free when the book was last settled, and pools that have given or got back since. */
  readonly #fullness = new Map<Pool, string>();
  readonly #touched = new Set<Pool>();

  readonly #census = new Census();

  private constructor(namespaces: World["namespaces"]) {
    this.#holdings = new Holdings(namespaces, {
      addressChanged: (ip, isFree) => this.#stir(ip, isFree),
      sharersChanged: (key) => this.#stirLine({ for: "SharingKey", key }),
    });
    this.#pools = this.#holdings.pools;
  }

  /** Takes up the state of a cluster: holders first, then those whose addresses are noted only, then who waits. */
  static *opening({ pools, namespaces, demands, strangers }: World, now: number): Steps<AddressBook> {
    const book = new AddressBook(namespaces);
    book.#pools.put(pools);
    for (const { key, ips } of strangers) {
      book.#holdings.ledger.setStranger(key, ips);
      yield;
    }
    const entries: Entry[] = [];
    for (const demand of demands) {
      entries.push(book.#holdings.enter(demand));
      yield;
    }
    yield* book.#holdings.takeUp(entries, now);
    yield* book.#settle(now, new Set(), entries);
    book.#noteFullness(book.#pools.order);
    return book;
  }

  /** In the order in which they are tried. */
  get pools(): readonly Pool[] {
    return this.#pools.order;
  }

  outcome(key: string): Outcome | undefined {
    const entry = this.#holdings.get(key);
    if (entry === undefined) return undefined;
    const { held, stranding } = entry;
    const more = { ...(stranding && { stranded: stranding }), reassigned: this.#reassigned.has(key) };
    const state = this.#stateOf(entry);
    if (state === "Assigned" && held) return { state, assignment: held, ...more };
    if (state === "Leaving" || state === "Undecided") return { state };
    return { state: "Waiting", verdict: this.#verdictOn(entry), ...(held && { keeps: held }), ...more };
  }

  #stateOf(entry: Entry): Outcome["state"] {
    const { demand, held } = entry;
    if (held && (demand.deleting || (isMet(demand, held) && !this.#wantsReassignment(entry)))) return "Assigned";
    if (demand.deleting) return "Leaving";
    return this.#holdings.isDecidable(entry) ? "Waiting" : "Undecided";
  }

  #verdictOn(entry: Entry): Verdict {
    return explain(this.#seeker(entry), this.#holdings.supply);
  }

  /** Tells whether a pool has the address, be it free or taken. */
  contains(ip: IP): boolean {
    return this.#pools.having(ip).length > 0;
  }

  report(name: string): PoolReport | undefined {
    const pool = this.#pools.get(name);
    const state = this.#pools.state(name);
    if (pool === undefined || state === undefined) return undefined;
    const isGiving = state.state === "Valid";
    return {
      state,
      ipv4: pool.usage("IPv4", isGiving),
      ipv6: pool.usage("IPv6", isGiving),
      stranded: this.#holdings.strandedIPs(name),
      holders: this.#holdings.holdersOf(name).size,
    };
  }

  /** Counts the Services that hold addresses of a pool; undefined where there is no such pool. */
  holders(name: string): number | undefined {
    return this.#pools.get(name) && this.#holdings.holdersOf(name).size;
  }

  /** Counts the Services by what they have got: "Assigned", or the reason why they wait. */
  census(): ReadonlyMap<string, number> {
    return this.#census.counts;
  }

  /** Takes a Service as it is now. */
  *put(demand: Demand, now: number): Steps<readonly string[]> {
    const { key } = demand;
    this.#holdings.ledger.setStranger(key, []);
    this.#room.leave(key);
    if (!demand.reassign) this.#reassigned.delete(key);
    const known = this.#holdings.get(key);
    const left = known ? this.#holdings.update(key, demand) : [];
    const entry = known ?? this.#holdings.enter(demand);
    for (const one of left) {
      this.#room.leave(one.demand.key);
      this.#holdings.review(one); // another pool may have what is left to it
    }
    if (entry.held === undefined) yield* this.#holdings.takeUp([entry], now);
    else this.#holdings.review(entry);
    return yield* this.#settle(now, new Set([key]), [entry, ...left]);
  }

  /** Forgets a Service: it is gone, or asks no more. Its addresses go to who waits. */
  *remove(key: string, now: number): Steps<readonly string[]> {
    this.#holdings.ledger.setStranger(key, []);
    this.#forget(key);
    return yield* this.#settle(now, new Set(), []);
  }

  /** Notes the addresses of a Service of type LoadBalancer that somebody else serves. */
  *putStranger(key: string, ips: readonly IP[], now: number): Steps<readonly string[]> {
    this.#holdings.ledger.setStranger(key, ips);
    this.#forget(key);
    return yield* this.#settle(now, new Set(), []);
  }

  *putPool(object: PoolObject, now: number): Steps<readonly string[]> {
    if (this.#pools.get(object.name)?.isLike(object)) return [];
    this.#forgetFullness(object.name);
    yield* this.#holdings.ledger.mark(this.#pools.put([object]));
    return yield* this.#poolsChanged(object.name, now);
  }

  /** Forgets a pool. Who holds its addresses keeps them. */
  *removePool(name: string, now: number): Steps<readonly string[]> {
    this.#forgetFullness(name);
    this.#pools.remove(name);
    return yield* this.#poolsChanged(name, now);
  }

  *putNamespace(name: string, labels: Labels, now: number): Steps<readonly string[]> {
    this.#holdings.setNamespace(name, labels);
    return yield* this.#namespaceChanged(name, now);
  }

  *removeNamespace(name: string, now: number): Steps<readonly string[]> {
    this.#holdings.setNamespace(name, undefined);
    return yield* this.#namespaceChanged(name, now);
  }

  *#namespaceChanged(name: string, now: number): Steps<readonly string[]> {
    if (!this.#pools.selectNamespaces) return [];
    return yield* this.#reconsider([...this.#holdings.inNamespace(name)], now);
  }

  #forget(key: string): void {
    this.#room.leave(key);
    this.#reassigned.delete(key);
    this.#holdings.forget(key);
    this.#census.set(key, undefined);
  }

  /** Looks again at all that a pool can affect: who holds of it, who waits, and who might be better placed elsewhere. */
  *#poolsChanged(name: string, now: number): Steps<readonly string[]> {
    const affected = new Set([...this.#holdings.holdersOf(name), ...this.#holdings.stranded()]);
    for (const pool of this.#pools.order)
      if (pool.object.deleting) for (const entry of this.#holdings.holdersOf(pool.name)) affected.add(entry);
    for (const key of this.#room.keys()) {
      const entry = this.#holdings.get(key);
      if (entry) affected.add(entry);
    }
    const changed = yield* this.#reconsider([...affected], now);
    this.#noteFullness(this.#pools.order);
    return changed;
  }

  *#reconsider(entries: readonly Entry[], now: number): Steps<readonly string[]> {
    const waiting = entries.filter(({ demand }) => this.#room.has(demand.key));
    const changed = new Set(waiting.map(({ demand }) => demand.key));
    yield* this.#leaveRoom(waiting);
    const without = waiting.filter(({ held }) => held === undefined);
    yield* this.#holdings.takeUp(without, now);
    for (const entry of entries) {
      if (this.#holdings.review(entry)) changed.add(entry.demand.key);
      yield;
    }
    return yield* this.#settle(now, changed, waiting);
  }

  *#leaveRoom(leavers: readonly Entry[]): Steps<void> {
    if (leavers.length === this.#room.size) {
      this.#room.clear();
      return;
    }
    // The last ones first: a line is an array.
    for (const { demand } of leavers.toReversed()) {
      this.#room.leave(demand.key);
      yield;
    }
  }

  /** Notes whom it may help that the holders of an address are others now. */
  #stir(ip: IP, isFree: boolean): void {
    const pool = this.#pools.owner(ip);
    if (pool) this.#touched.add(pool);
    if (this.#room.size === 0) return;
    this.#stirLine({ for: "IP", ip: formatIP(ip) });
    if (pool && isFree) for (const shape of SHAPES) this.#stirLine({ for: "Pool", pool: pool.name, shape });
  }

  #stirLine(topic: Topic): void {
    if (this.#room.line(topic).length > 0) this.#stirred.set(nameOf(topic), topic);
  }

  /**
   * Serves who waits, as far as the pools go: `fresh` ones, and those whom something has stirred that may help them. Gives
   * `changed` and all others whose outcome may have changed.
   */
  *#settle(now: number, changed: Set<string>, fresh: readonly Entry[]): Steps<readonly string[]> {
    const arrivals = fresh.map((entry) => ({ entry, place: placeOf(entry) }));
    arrivals.sort((a, b) => comparePlaces(a.place, b.place));
    const tried: Tried = { keys: new Set(), passed: new Map() };
    for (let at = 0; ; ) {
      const first = this.#firstStirred(tried);
      const arrival = arrivals[at];
      if (first === undefined && arrival === undefined) break;
      const isArrival = arrival && (first === undefined || comparePlaces(arrival.place, first) < 0);
      const entry = isArrival ? arrival.entry : this.#holdings.get(first?.key ?? "");
      if (isArrival) at++;
      if (entry === undefined) continue;
      changed.add(entry.demand.key);
      if (this.#serve(entry, now)) {
        tried.keys.clear();
        tried.passed.clear();
      } else tried.keys.add(entry.demand.key);
      this.#wait(entry);
      yield;
    }
    // Whom they wait for may be another now.
    for (const topic of this.#stirred.values())
      if (topic.for === "IP") for (const { key } of this.#room.line(topic)) changed.add(key);
    this.#stirred.clear();
    yield* this.#tellOfFullness(changed);
    for (const key of changed) {
      this.#count(key);
      yield;
    }
    return [...changed];
  }

  #count(key: string): void {
    const entry = this.#holdings.get(key);
    const state = entry && this.#stateOf(entry);
    this.#census.set(key, entry && state === "Waiting" ? this.#verdictOn(entry).reason : state);
  }

  /** Gives who is to be tried next of those that something may have helped. */
  #firstStirred({ keys, passed }: Tried): Place | undefined {
    const firsts: Place[] = [];
    for (const [name, topic] of this.#stirred) {
      if (topic.for === "Pool" && topic.shape !== "exact") {
        // All in this line need the same of this pool: where it can't help the first it helps none.
        const pool = this.#pools.get(topic.pool);
        const place = pool && canGive(pool, topic.shape) ? this.#room.next(topic, undefined) : undefined;
        if (place && !keys.has(place.key)) firsts.push(place);
        else this.#stirred.delete(name);
      } else {
        let place = this.#room.next(topic, passed.get(name));
        for (; place && keys.has(place.key); place = this.#room.next(topic, place)) passed.set(name, place);
        if (place) firsts.push(place);
      }
    }
    return earliest(firsts);
  }

  /** Gives a Service what it asks for, where that is there; tells whether it did. */
  #serve(entry: Entry, now: number): boolean {
    const { demand } = entry;
    const isRestored = entry.held === undefined && this.#holdings.restore(entry);
    const { held } = entry;
    if (!this.#mayServe(entry)) return isRestored;
    const isAnew = this.#wantsReassignment(entry) && held !== undefined;
    if (isAnew) this.#holdings.assign(entry, undefined);
    const choice = choose(this.#seeker(entry), this.#holdings.supply);
    if (choice === undefined) {
      if (isAnew) this.#holdings.assign(entry, held);
      return isRestored;
    }
    const added = choice.ips.filter((ip) => !held?.ips.some((one) => sameIP(one, ip)));
    // Who joins others now has joined later than they, whatever it has held before.
    const joins = added.some((ip) => this.#holdings.ledger.get(ip) !== undefined);
    const isKept = held !== undefined && added.length < choice.ips.length && !joins;
    this.#holdings.assign(entry, { ...choice, at: isKept ? held.at : now });
    if (demand.reassign) this.#reassigned.add(demand.key);
    return true;
  }

  #mayServe(entry: Entry): boolean {
    const { demand, held } = entry;
    if (demand.deleting || !this.#holdings.isDecidable(entry)) return false;
    return this.#wantsReassignment(entry) || !isComplete(demand, held);
  }

  /** Puts a Service that lacks something into the lines of what may help it. */
  #wait(entry: Entry): void {
    const { demand, held } = entry;
    const isSettled = demand.deleting || (!this.#wantsReassignment(entry) && isComplete(demand, held));
    if (held && isSettled) this.#room.leave(demand.key);
    else this.#room.enter(placeOf(entry), this.#topicsOf(entry));
  }

  #topicsOf(entry: Entry): readonly Topic[] {
    const { demand, held } = entry;
    const { sharing } = demand;
    if (demand.deleting || !this.#holdings.isDecidable(entry)) return [];
    const waits = waitsFor(this.#seeker(entry), this.#holdings.supply);
    // Who is to be served anew counts its own addresses as free.
    const own = this.#wantsReassignment(entry) ? (held?.ips ?? []) : [];
    const shape = own.length > 0 ? "exact" : waits.shape;
    const noted = held ? [] : (demand.record?.ips ?? []);
    return [
      ...waits.pools.map((pool) => ({ for: "Pool", pool, shape }) as const),
      ...[...waits.ips, ...own, ...noted].map((ip) => ({ for: "IP", ip: formatIP(ip) }) as const),
      ...(sharing && waits.pools.length + noted.length > 0 ? [{ for: "SharingKey", key: sharing.key } as const] : []),
    ];
  }

  /** Has those told who wait at a pool that has got full, or is full no more: their reasons have changed. */
  *#tellOfFullness(changed: Set<string>): Steps<void> {
    for (const pool of this.#touched) {
      const fullness = fullnessOf(pool);
      if (this.#fullness.get(pool) === fullness) continue;
      this.#fullness.set(pool, fullness);
      for (const shape of SHAPES) {
        for (const { key } of this.#room.line({ for: "Pool", pool: pool.name, shape })) changed.add(key);
        yield;
      }
    }
    this.#touched.clear();
  }

  #noteFullness(pools: readonly Pool[]): void {
    for (const pool of pools) this.#fullness.set(pool, fullnessOf(pool));
  }

  #forgetFullness(name: string): void {
    const pool = this.#pools.get(name);
    if (pool) this.#fullness.delete(pool);
  }

  #wantsReassignment({ demand }: Entry): boolean {
    return demand.reassign && !this.#reassigned.has(demand.key);
  }

  /** As a new Service where it is to be served anew. */
  #seeker(entry: Entry): Seeker {
    const { demand, held } = entry;
    return {
      demand,
      held: this.#wantsReassignment(entry) ? undefined : held,
      namespaceLabels: this.#holdings.labelsOf(entry),
    };
  }
}

/** Whom nothing could be given since somebody was last given something. */
interface Tried {
  readonly keys: Set<string>;
  /** By topic: all in its line have been tried up to here. */
  readonly passed: Map<string, Place>;
}

function placeOf({ demand, held }: Entry): Place {
  return { key: demand.key, createdAt: demand.createdAt, holds: held !== undefined };
}

function fullnessOf(pool: Pool): string {
  return `${pool.lowestFree("IPv4") === undefined} ${pool.lowestFree("IPv6") === undefined}`;
}
