import type { IPPoolSpec } from "../api/ippool.ts";
import { formatIP, type IP } from "./addresses.ts";
import { choose, explain, type Verdict } from "./choose.ts";
import { type Assignment, type Demand, isMet, type Need, needOf, wantedFamilies } from "./demand.ts";
import { Pool } from "./pool.ts";
import { compareKeys, comparePlaces, type Place, WaitingLine } from "./waiting-line.ts";

/** What a Service has got. */
export type Outcome =
  | { readonly state: "Assigned"; readonly assignment: Assignment }
  | { readonly state: "Waiting"; readonly verdict: Verdict; readonly keeps?: Assignment }
  /** Is being deleted and holds nothing. */
  | { readonly state: "Leaving" };

/**
 * Who holds which address, who waits for one, and what is free. Pure: it decides at once when it is told of a change,
 * and each change gives the keys of the Services whose outcome it may have altered, the first served first. What a
 * Service holds stays its own until it stops asking, whatever happens to its pool.
 *
 * Every address of a Service that Herald does not serve is kept from being given out.
 */
export class AddressBook {
  readonly #pools = new Map<string, Pool>();
  /** In the order in which they are tried. */
  #order: readonly Pool[] = [];
  readonly #entries = new Map<string, Entry>();
  /** By canonical text: every address that is not to be given out. */
  readonly #taken = new Map<string, Taken>();
  readonly #strangers = new Map<string, readonly IP[]>();
  /** By shape: those who need the same thing get it or don't get it for the same reasons. */
  readonly #lines = new Map<string, Line>();

  /** Takes up the state of a cluster: holders first, then those whose addresses are noted only, then who waits. */
  constructor(
    world: {
      readonly pools: readonly { readonly name: string; readonly spec: IPPoolSpec }[];
      readonly demands: readonly Demand[];
      readonly strangers: readonly { readonly key: string; readonly ips: readonly IP[] }[];
    },
    now: number,
  ) {
    for (const { name, spec } of world.pools) this.#pools.set(name, new Pool(name, spec));
    this.#sortPools();
    for (const { key, ips } of world.strangers) this.#setStranger(key, ips);
    const entries = world.demands.map((demand) => ({ demand }));
    for (const entry of entries) this.#entries.set(entry.demand.key, entry);
    this.#takeUp(entries, now);
    this.#settle(now);
  }

  get pools(): readonly Pool[] {
    return this.#order;
  }

  outcome(key: string): Outcome | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.held && isMet(entry.demand, entry.held)) return { state: "Assigned", assignment: entry.held };
    const need = needOf(entry.demand, entry.held);
    if (need === undefined) return entry.held ? { state: "Assigned", assignment: entry.held } : { state: "Leaving" };
    return { state: "Waiting", verdict: explain(need, this.#order), ...(entry.held && { keeps: entry.held }) };
  }

  /** Tells whether a pool has the address, be it free or taken. */
  contains(ip: IP): boolean {
    return this.#order.some((pool) => pool.contains(ip));
  }

  /** Counts the Services by what they have got: "Assigned", or the reason why they wait. */
  census(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const key of this.#entries.keys()) {
      const outcome = this.outcome(key);
      const reason = outcome?.state === "Waiting" ? outcome.verdict.reason : outcome?.state;
      if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    return counts;
  }

  /** Takes a Service as it is now. */
  put(demand: Demand, now: number): readonly string[] {
    this.#setStranger(demand.key, []);
    const known = this.#entries.get(demand.key);
    const entry = known ?? { demand };
    this.#leaveLine(entry);
    entry.demand = demand;
    if (known === undefined) {
      this.#entries.set(demand.key, entry);
      this.#takeUp([entry], now);
    } else {
      this.#dropUnwanted(entry);
      this.#wait(entry);
    }
    return this.#settle(now, [demand.key]);
  }

  /** Forgets a Service: it is gone, or asks no more. Its addresses go to who waits. */
  remove(key: string, now: number): readonly string[] {
    this.#forget(key);
    this.#setStranger(key, []);
    return this.#settle(now);
  }

  /** Notes the addresses of a Service of type LoadBalancer that somebody else serves. */
  putStranger(key: string, ips: readonly IP[], now: number): readonly string[] {
    this.#forget(key);
    this.#setStranger(key, ips);
    return this.#settle(now);
  }

  putPool(name: string, spec: IPPoolSpec, now: number): readonly string[] {
    const pool = new Pool(name, spec);
    this.#pools.set(name, pool);
    for (const { ip, holder } of this.#taken.values()) {
      pool.take(ip);
      if (holder !== undefined) pool.count(ip, 1);
    }
    this.#sortPools();
    return this.#settle(now, this.#recover(now));
  }

  /** Forgets a pool. Who holds its addresses keeps them. */
  removePool(name: string, now: number): readonly string[] {
    this.#pools.delete(name);
    this.#sortPools();
    return this.#settle(now);
  }

  #sortPools(): void {
    this.#order = [...this.#pools.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Lets Services have what they held before: holders first, then those whose addresses are noted only; the rest waits. */
  #takeUp(entries: readonly Entry[], now: number): void {
    const inOrder = [...entries].sort(byEarliestRecord);
    for (const entry of inOrder) this.#adopt(entry, now);
    for (const entry of inOrder) this.#restore(entry, now);
    for (const entry of inOrder) this.#wait(entry);
  }

  /** After a pool has come: who waits, and held an address of it before, has it again. Gives the keys of those. */
  #recover(now: number): readonly string[] {
    const waiting = [...this.#entries.values()].filter(
      ({ line, demand }) => line !== undefined && (demand.status.length > 0 || demand.record !== undefined),
    );
    const before = new Map(waiting.map((entry) => [entry, entry.held]));
    for (const entry of waiting) this.#leaveLine(entry);
    this.#takeUp(waiting, now);
    return waiting.filter((entry) => entry.held !== before.get(entry)).map(({ demand }) => demand.key);
  }

  /** Lets a Service hold what its status proves: what is noted too, or, where nothing is noted, what a pool contains. */
  #adopt(entry: Entry, now: number): void {
    const { status, record } = entry.demand;
    const wanted = wantedFamilies(entry.demand);
    for (const ip of status) {
      if (!wanted.includes(ip.family)) continue;
      if (record && !record.ips.some((noted) => sameIP(noted, ip))) continue;
      const pool = record?.pool ?? this.#order.find((pool) => pool.contains(ip))?.name;
      if (pool !== undefined) this.#hold(entry, pool, ip, record?.at ?? now);
    }
  }

  /** Gives a Service what is noted but not in its status, where it is free and a pool has it. */
  #restore(entry: Entry, now: number): void {
    const { record } = entry.demand;
    const wanted = wantedFamilies(entry.demand);
    for (const ip of record?.ips ?? []) {
      if (!wanted.includes(ip.family) || this.#taken.has(formatIP(ip))) continue;
      const having = this.#order.filter((pool) => pool.contains(ip)).map(({ name }) => name);
      const pool = having.find((name) => name === record?.pool) ?? having[0];
      if (pool !== undefined) this.#hold(entry, pool, ip, record?.at ?? now);
    }
  }

  /** Notes that a Service holds `ip`, unless another does, or it holds one of that family or of another pool. */
  #hold(entry: Entry, pool: string, ip: IP, at: number): void {
    const { held, demand } = entry;
    if (held && (held.pool !== pool || held.ips.some(({ family }) => family === ip.family))) return;
    const taken = this.#take(ip);
    if (taken.holder !== undefined) return;
    taken.holder = demand.key;
    for (const one of this.#order) one.count(ip, 1);
    entry.held = { pool, ips: [...(held?.ips ?? []), ip].sort(byFamily), at: held?.at ?? at };
  }

  #dropUnwanted(entry: Entry): void {
    const { held, demand } = entry;
    if (held === undefined) return;
    const wanted = wantedFamilies(demand);
    const kept = held.ips.filter((ip) => wanted.includes(ip.family));
    if (kept.length === held.ips.length) return;
    for (const ip of held.ips) if (!kept.includes(ip)) this.#letGo(ip);
    entry.held = kept.length > 0 ? { ...held, ips: kept } : undefined;
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#leaveLine(entry);
    for (const ip of entry.held?.ips ?? []) this.#letGo(ip);
    this.#entries.delete(key);
  }

  #letGo(ip: IP): void {
    const taken = this.#take(ip);
    taken.holder = undefined;
    for (const pool of this.#order) pool.count(ip, -1);
    this.#freeIfUnused(ip, taken);
  }

  #setStranger(key: string, ips: readonly IP[]): void {
    const before = this.#strangers.get(key) ?? [];
    for (const ip of ips) this.#take(ip).strangers.add(key);
    for (const ip of before) {
      if (ips.some((now) => sameIP(now, ip))) continue;
      const taken = this.#take(ip);
      taken.strangers.delete(key);
      this.#freeIfUnused(ip, taken);
    }
    if (ips.length > 0) this.#strangers.set(key, ips);
    else this.#strangers.delete(key);
  }

  #take(ip: IP): Taken {
    const text = formatIP(ip);
    let taken = this.#taken.get(text);
    if (taken === undefined) {
      taken = { ip, holder: undefined, strangers: new Set() };
      this.#taken.set(text, taken);
      for (const pool of this.#order) pool.take(ip);
    }
    return taken;
  }

  #freeIfUnused(ip: IP, { holder, strangers }: Taken): void {
    if (holder !== undefined || strangers.size > 0) return;
    this.#taken.delete(formatIP(ip));
    for (const pool of this.#order) pool.release(ip);
  }

  #wait(entry: Entry): void {
    const need = needOf(entry.demand, entry.held);
    if (need === undefined) return;
    const shape = `${need.pool ?? ""} ${need.options.map((option) => option.join("+")).join()}`;
    const line = this.#lines.get(shape) ?? { shape, need, waiting: new WaitingLine(), verdict: "" };
    this.#lines.set(shape, line);
    const { key, createdAt } = entry.demand;
    entry.place = { key, createdAt, holds: need.pool !== undefined };
    entry.line = line;
    line.waiting.add(entry.place);
  }

  #leaveLine(entry: Entry): void {
    if (entry.line === undefined || entry.place === undefined) return;
    entry.line.waiting.delete(entry.place);
    if (entry.line.waiting.length === 0) this.#lines.delete(entry.line.shape);
    entry.line = undefined;
    entry.place = undefined;
  }

  /** Serves who waits as far as the pools go; gives `also` and all whose outcome may have changed. */
  #settle(now: number, also: readonly string[] = []): readonly string[] {
    const changed = new Set(also);
    const stuck = new Set<Line>();
    for (;;) {
      const next = oldest([...this.#lines.values()].filter((line) => !stuck.has(line)));
      if (next === undefined) break;
      const got = choose(next.line.need, this.#order);
      const entry = this.#entries.get(next.key);
      if (got === undefined || entry === undefined) {
        stuck.add(next.line);
        continue;
      }
      this.#leaveLine(entry);
      for (const ip of got.ips) this.#hold(entry, got.pool, ip, now);
      this.#wait(entry);
      changed.add(next.key);
    }
    for (const line of this.#lines.values()) {
      const verdict = JSON.stringify(explain(line.need, this.#order));
      if (verdict !== line.verdict) for (const key of line.waiting.keys()) changed.add(key);
      line.verdict = verdict;
    }
    return [...changed];
  }
}

interface Entry {
  demand: Demand;
  held?: Assignment | undefined;
  /** Where it waits; both or neither. */
  line?: Line | undefined;
  place?: Place | undefined;
}

interface Line {
  readonly shape: string;
  readonly need: Need;
  readonly waiting: WaitingLine;
  /** Why they wait, as they were last told. */
  verdict: string;
}

interface Taken {
  readonly ip: IP;
  /** The Service of Herald that holds it. */
  holder: string | undefined;
  /** Services that somebody else serves and whose status has it. */
  readonly strangers: Set<string>;
}

function oldest(lines: readonly Line[]): { line: Line; key: string } | undefined {
  let found: { line: Line; place: Place } | undefined;
  for (const line of lines) {
    const place = line.waiting.first;
    if (place && (!found || comparePlaces(place, found.place) < 0)) found = { line, place };
  }
  return found && { line: found.line, key: found.place.key };
}

/** Of two Services that hold the same address, the one that was given it first keeps it. */
function byEarliestRecord({ demand: a }: Entry, { demand: b }: Entry): number {
  const [left, right] = [a.record?.at ?? Number.MAX_VALUE, b.record?.at ?? Number.MAX_VALUE];
  return left - right || a.createdAt - b.createdAt || compareKeys(a.key, b.key);
}

function sameIP(a: IP, b: IP): boolean {
  return a.family === b.family && a.value === b.value;
}

function byFamily(a: IP, b: IP): number {
  return a.family < b.family ? -1 : a.family > b.family ? 1 : 0;
}
