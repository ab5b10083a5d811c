import { formatIP, type IP, sameIP } from "./addresses.ts";
import { byFamily, type Supply } from "./choose.ts";
import { type Assignment, type Demand, wantedFamilies } from "./demand.ts";
import { Index } from "./index-by-name.ts";
import { type Entry as Address, isFree, Ledger } from "./ledger.ts";
import { type Labels, Pools } from "./pools.ts";
import { clashOf } from "./sharing.ts";
import type { Steps } from "./steps.ts";
import { strandingOf, successorOf } from "./stranding.ts";
import type { Stranding } from "./verdict.ts";
import { compareKeys } from "./waiting-line.ts";

/** A Service that Herald serves. */
export interface Entry {
  readonly demand: Demand;
  readonly held?: Assignment | undefined;
  readonly stranding?: Stranding | undefined;
}

/** Hears of what may help somebody who waits. */
export interface HoldingsObserver {
  /** An address has other holders, or they share it under other terms; `isFree`: nobody has it any more. */
  addressChanged(ip: IP, isFree: boolean): void;
  /** Services of a sharing key hold something else, or under other terms. */
  sharersChanged(sharingKey: string): void;
}

/**
 * What each Service holds, and of which pool. It knows who may hold what beside whom, and nothing of who waits: what a
 * Service gets anew comes through `assign`.
 */
export class Holdings {
  readonly pools = new Pools();
  readonly ledger: Ledger;
  readonly supply: Supply;
  readonly #observer: HoldingsObserver;
  readonly #entries = new Map<string, Mutable>();
  readonly #namespaces: Map<string, Labels>;
  readonly #byNamespace = new Index<Entry>();
  /** Services that hold something, by the pool of it, and by their sharing key. */
  readonly #byPool = new Index<Entry>();
  readonly #bySharingKey = new Index<Entry>();
  readonly #stranded = new Set<Entry>();
  /** By pool and address: how many Services are stranded with it. */
  readonly #strandedIPs = new Map<string, Map<string, number>>();

  constructor(namespaces: ReadonlyMap<string, Labels>, observer: HoldingsObserver) {
    this.#namespaces = new Map(namespaces);
    this.#observer = observer;
    this.ledger = new Ledger(this.pools, (entry) => this.#addressChanged(entry));
    this.supply = {
      pools: this.pools,
      ledger: this.ledger,
      demandOf: (key) => this.#entries.get(key)?.demand,
      sharedUnder: (key) => distinct([...this.#bySharingKey.get(key)].flatMap(({ held }) => held?.ips ?? [])),
    };
  }

  #addressChanged(address: Address): void {
    this.#observer.addressChanged(address.ip, isFree(address));
    // All holders of an address have one sharing key: with a stranger gone others may join them.
    const [holder = ""] = address.holders;
    const sharing = this.#entries.get(holder)?.demand.sharing;
    if (sharing) this.#observer.sharersChanged(sharing.key);
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  all(): Iterable<Entry> {
    return this.#entries.values();
  }

  holdersOf(pool: string): ReadonlySet<Entry> {
    return this.#byPool.get(pool);
  }

  stranded(): ReadonlySet<Entry> {
    return this.#stranded;
  }

  /** How many addresses a pool could no longer give to those who hold them. */
  strandedIPs(pool: string): number {
    return this.#strandedIPs.get(pool)?.size ?? 0;
  }

  inNamespace(name: string): ReadonlySet<Entry> {
    return this.#byNamespace.get(name);
  }

  /** Sets the labels of a namespace; undefined: it is gone. */
  setNamespace(name: string, labels: Labels | undefined): void {
    if (labels) this.#namespaces.set(name, labels);
    else this.#namespaces.delete(name);
  }

  labelsOf({ demand }: Entry): Labels | undefined {
    return this.#namespaces.get(demand.namespace);
  }

  /** Tells whether all is known that says which pools may serve a Service. */
  isDecidable({ demand }: Entry): boolean {
    return this.#namespaces.has(demand.namespace) || !this.pools.selectNamespaces;
  }

  /** Takes a Service that was not there, holding nothing yet. */
  enter(demand: Demand): Entry {
    const entry: Mutable = { demand };
    this.#entries.set(demand.key, entry);
    this.#byNamespace.add(demand.namespace, entry);
    return entry;
  }

  forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.assign(entry, undefined);
    this.#byNamespace.delete(entry.demand.namespace, entry);
    this.#entries.delete(key);
  }

  /** Takes what a Service asks for now. Gives those that let go of an address since they can't share it any more. */
  update(key: string, demand: Demand): readonly Entry[] {
    const entry = this.#entries.get(key);
    if (entry === undefined) return [];
    const { sharing } = entry.demand;
    this.#index(entry, false);
    entry.demand = demand;
    this.#index(entry, true);
    if (JSON.stringify(sharing) === JSON.stringify(demand.sharing)) return [];
    if (sharing) this.#observer.sharersChanged(sharing.key);
    if (demand.sharing) this.#observer.sharersChanged(demand.sharing.key);
    return this.#partClashing(entry);
  }

  /** Lets Services have what they held before: holders first, then those whose addresses are noted only. */
  *takeUp(entries: Iterable<Entry>, now: number): Steps<void> {
    const inOrder = [...entries].sort(byEarliestRecord);
    const steps = [
      (entry: Entry) => this.#adopt(entry, now),
      (entry: Entry) => this.restore(entry),
      (entry: Entry) => this.review(entry),
    ];
    for (const step of steps) {
      for (const entry of inOrder) {
        step(entry);
        yield;
      }
    }
  }

  /** Lets a Service hold what its status proves: what is noted too, or, where nothing is noted, what a pool contains. */
  #adopt(entry: Mutable, now: number): void {
    const { demand } = entry;
    const { status, record } = demand;
    const proven = record ? status.filter((ip) => record.ips.some((noted) => sameIP(noted, ip))) : status;
    const wanted = wantedFamilies(demand).flatMap((family) => proven.filter((ip) => ip.family === family));
    if (record) {
      // Of a family that it asks for no more it keeps an address only until it has another.
      for (const ip of wanted.length > 0 ? wanted : proven) this.#join(entry, record.pool, ip, record.at);
      return;
    }
    const pools = wanted.flatMap((ip) => this.pools.having(ip));
    const pool = pools.find((one) => wanted.every((ip) => one.contains(ip))) ?? pools[0];
    for (const ip of wanted) if (pool?.contains(ip)) this.#join(entry, pool.name, ip, now);
  }

  /**
   * Gives a Service what is noted but not in its status as if it asked for that: whoever may edit a Service can forge a
   * note. Tells whether it holds something then.
   */
  restore(entry: Entry): boolean {
    const { demand } = entry;
    const { record } = demand;
    if (record === undefined || demand.deleting || !this.isDecidable(entry)) return false;
    for (const ip of record.ips) {
      const pool = this.pools.owner(ip);
      if (pool === undefined || !wantedFamilies(demand).includes(ip.family)) continue;
      if ((this.ledger.get(ip)?.strangers.size ?? 0) > 0) continue;
      if (this.pools.refusal(pool, demand, this.labelsOf(entry), true)) continue;
      this.#join(entry, pool.name, ip, record.at);
    }
    return entry.held !== undefined;
  }

  /** Lets a Service hold `ip` too, unless another does that it can't share with, or it holds one of that family or another pool. */
  #join(entry: Entry, pool: string, ip: IP, at: number): void {
    const { held, demand } = entry;
    if (held && (held.pool !== pool || held.ips.some(({ family }) => family === ip.family))) return;
    for (const key of this.ledger.get(ip)?.holders ?? []) {
      const holder = this.#entries.get(key);
      if (holder && clashOf(demand, holder.demand)) return;
    }
    this.assign(entry, { pool, ips: [...(held?.ips ?? []), ip].sort(byFamily), at: held?.at ?? at });
  }

  /** Lets a Service have exactly `next`. */
  assign({ demand: { key } }: Entry, next: Assignment | undefined): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const { held: before, demand } = entry;
    this.#index(entry, false);
    entry.held = next;
    this.#index(entry, true);
    for (const ip of next?.ips ?? []) if (!before?.ips.some((one) => sameIP(one, ip))) this.ledger.hold(ip, demand.key);
    for (const ip of before?.ips ?? [])
      if (!next?.ips.some((one) => sameIP(one, ip))) this.ledger.letGo(ip, demand.key);
    this.#strand(entry);
    if (demand.sharing) this.#observer.sharersChanged(demand.sharing.key);
  }

  /** Keeps in step what is looked up by pool and by sharing key. */
  #index(entry: Entry, isIn: boolean): void {
    const { held, demand } = entry;
    if (held === undefined) return;
    const change = isIn ? "add" : "delete";
    this.#byPool[change](held.pool, entry);
    if (demand.sharing) this.#bySharingKey[change](demand.sharing.key, entry);
  }

  /**
   * Lets a Service give up families that it asks no more for, and puts right of which pool its addresses are. Tells whether
   * the pool, or whether it could give them still, is another than before.
   */
  review({ demand: { key } }: Entry): boolean {
    const entry = this.#entries.get(key);
    if (entry?.held === undefined) return false;
    const { demand, held } = entry;
    const wanted = wantedFamilies(demand);
    const kept = held.ips.filter((ip) => wanted.includes(ip.family));
    if (kept.length > 0 && kept.length < held.ips.length) this.assign(entry, { ...held, ips: kept });
    const before = entry.stranding;
    this.#strand(entry);
    const isStranded = entry.stranding !== undefined;
    const holder = { demand, held: entry.held, labels: this.labelsOf(entry) };
    const successor = successorOf(holder, isStranded, this.pools);
    if (successor !== undefined) this.assign(entry, { ...entry.held, pool: successor });
    return successor !== undefined || !isSameStranding(before, entry.stranding);
  }

  #strand(entry: Mutable): void {
    const { demand, held, stranding } = entry;
    if (stranding) this.#countStranded(stranding, -1);
    const next = held && strandingOf({ demand, held, labels: this.labelsOf(entry) }, this.pools);
    entry.stranding = next;
    if (next) {
      this.#countStranded(next, 1);
      this.#stranded.add(entry);
    } else this.#stranded.delete(entry);
  }

  #countStranded({ pool, ips }: Stranding, by: 1 | -1): void {
    const counts = this.#strandedIPs.get(pool) ?? new Map<string, number>();
    for (const ip of ips) {
      const count = (counts.get(formatIP(ip)) ?? 0) + by;
      if (count === 0) counts.delete(formatIP(ip));
      else counts.set(formatIP(ip), count);
    }
    if (counts.size === 0) this.#strandedIPs.delete(pool);
    else this.#strandedIPs.set(pool, counts);
  }

  /** Where Services can't share an address any more, those that joined later let go of it. Gives those. */
  #partClashing(entry: Mutable): readonly Entry[] {
    const left: Entry[] = [];
    for (const ip of entry.held?.ips ?? []) {
      const holders = [...(this.ledger.get(ip)?.holders ?? [])]
        .map((key) => this.#entries.get(key))
        .filter((holder) => holder !== undefined)
        .sort(byJoining);
      const staying: Entry[] = [];
      for (const holder of holders) {
        if (!staying.some((other) => clashOf(holder.demand, other.demand))) staying.push(holder);
        else {
          this.#letGo(holder, ip);
          left.push(holder);
        }
      }
      this.#observer.addressChanged(ip, false);
    }
    return left;
  }

  #letGo(entry: Entry, ip: IP): void {
    const { held } = entry;
    const ips = held?.ips.filter((one) => !sameIP(one, ip)) ?? [];
    this.assign(entry, held && ips.length > 0 ? { ...held, ips } : undefined);
  }
}

interface Mutable extends Entry {
  demand: Demand;
  held?: Assignment | undefined;
  stranding?: Stranding | undefined;
}

/** Of two Services that hold the same address, the one that was given it first keeps it. */
function byEarliestRecord({ demand: a }: Entry, { demand: b }: Entry): number {
  const [left, right] = [a.record?.at ?? Number.MAX_VALUE, b.record?.at ?? Number.MAX_VALUE];
  return left - right || a.createdAt - b.createdAt || compareKeys(a.key, b.key);
}

function byJoining(a: Entry, b: Entry): number {
  return (a.held?.at ?? 0) - (b.held?.at ?? 0) || compareKeys(a.demand.key, b.demand.key);
}

function distinct(ips: readonly IP[]): readonly IP[] {
  return [...new Map(ips.map((ip) => [formatIP(ip), ip])).values()];
}

function isSameStranding(a: Stranding | undefined, b: Stranding | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const sameIPs = a.ips.length === b.ips.length && a.ips.every((ip, at) => sameIP(ip, b.ips[at] ?? ip));
  return sameIPs && a.why === b.why && a.pool === b.pool;
}
