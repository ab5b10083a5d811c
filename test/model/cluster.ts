import type { Outcome } from "../../src/ipam/address-book.ts";
import type { IP } from "../../src/ipam/addresses.ts";
import type { Assignment, Demand } from "../../src/ipam/demand.ts";
import type { PoolObject } from "../../src/ipam/pool.ts";
import { Book } from "../unit/address-world.ts";
import { wanted } from "./rules.ts";
import { type Contents, contentsOf, ipOf, KEYS, NAMESPACES, RANGES, specOf, textOf } from "./small-world.ts";
import type { Deed, Labels, Step } from "./steps.ts";

/** A pool as its object says it, and what that means written out. */
export interface ModelPool extends PoolObject {
  readonly ranges: number;
  readonly contents: Contents;
}

export interface Held {
  readonly pool: string;
  readonly ips: readonly string[];
  readonly at: number;
}

/** All that is known at one moment. */
export interface Moment {
  readonly now: number;
  readonly demands: ReadonlyMap<string, Demand>;
  /** Services that Herald does not serve, and their addresses. */
  readonly strangers: ReadonlyMap<string, readonly string[]>;
  readonly pools: ReadonlyMap<string, ModelPool>;
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly book: Book;
  readonly outcomes: ReadonlyMap<string, Outcome>;
  /** Of `outcomes`: equal texts for equal outcomes. */
  readonly texts: ReadonlyMap<string, string>;
  readonly held: ReadonlyMap<string, Held>;
  /** Addresses of Services that nothing is decided about. */
  readonly reserved: ReadonlyMap<string, readonly string[]>;
}

/** Something that the address book was told, and the moments before and after. */
export interface Happening {
  readonly what: string;
  /** The Service that it was told of. */
  readonly subject?: string;
  /** `subject` was not known before. */
  readonly isNew: boolean;
  /** A new address book; what is held before is then what the objects prove. */
  readonly isStart: boolean;
  readonly before: Moment;
  readonly after: Moment;
  /** Keys that the book gave back. */
  readonly told: ReadonlySet<string>;
}

interface ServiceObject {
  readonly kind: "ours" | "stranger" | "away";
  readonly demand: Demand;
}

/** A cluster's objects, the address book that a controller keeps of them, and the controller's writes. */
export class Cluster {
  readonly #check: (happening: Happening) => void;
  readonly #services = new Map<string, ServiceObject>();
  readonly #pools = new Map<string, ModelPool>();
  readonly #namespaces = new Map<string, Labels>(NAMESPACES.map((name) => [name, {}]));
  #book: Book;
  #now = 1_000_000;
  #moment: Moment;
  /** Whose writes don't come through. */
  #unwritten: ReadonlySet<string> = new Set();

  /** `check` sees all that happens, and throws at what must not be. */
  constructor(check: (happening: Happening) => void) {
    this.#check = check;
    this.#book = this.#start(0);
    this.#moment = this.#look(undefined);
  }

  do(step: Step): void {
    this.#now += 1000;
    if (step.do === "restart") this.#restart(step.order);
    else if (step.do === "crash") {
      this.#unwritten = new Set(chosen(step.unwritten));
      this.#deed(step.after);
      this.#unwritten = new Set();
      for (const key of chosen(step.emptied)) {
        const object = this.#services.get(key);
        if (object?.kind === "ours") this.#set(key, { ...object.demand, status: [] });
      }
      this.#now += 1000;
      this.#restart(step.order);
    } else this.#deed(step);
    this.#tidy();
  }

  #deed(deed: Deed): void {
    switch (deed.do) {
      case "nothing":
        return;
      case "create": {
        const { key, had, createdAt, labels, stack, request, sharing } = deed;
        if (this.#services.has(key)) this.#deed({ do: "delete", key });
        const record = had.record && { ...had.record, ips: had.record.ips.map(ipOf) };
        this.#put(deed.do, {
          key,
          namespace: key.split("/")[0] as string,
          createdAt,
          labels,
          ...stack,
          deleting: false,
          status: had.status.map(ipOf),
          ...(record && { record }),
          ...(request && { request }),
          ...(sharing && { sharing }),
          reassign: false,
        });
        return;
      }
      case "stack":
        this.#edit(deed, (demand) => {
          // The API server does not let the first family change.
          const [first] = demand.families;
          const others = deed.stack.families.filter((family) => family !== first);
          const families = [first as Demand["families"][number], ...others];
          const policy =
            families.length === 1 && deed.stack.policy === "RequireDualStack" ? "SingleStack" : deed.stack.policy;
          return { ...demand, families, policy };
        });
        return;
      case "request":
        this.#edit(deed, ({ request: _, ...demand }) => ({
          ...demand,
          ...(deed.request && { request: deed.request }),
        }));
        return;
      case "sharing":
        this.#edit(deed, ({ sharing: _, ...demand }) => ({
          ...demand,
          ...(deed.sharing && { sharing: deed.sharing }),
        }));
        return;
      case "labels":
        this.#edit(deed, (demand) => ({ ...demand, labels: deed.labels }));
        return;
      case "reassign":
        this.#edit(deed, (demand) => ({ ...demand, reassign: true }));
        return;
      case "terminate":
        this.#edit(deed, (demand) => ({ ...demand, deleting: true }));
        return;
      case "loseRecord":
        this.#edit(deed, ({ record: _, ...demand }) => demand);
        return;
      case "status":
        this.#edit(deed, (demand) => ({ ...demand, status: deed.ips.map(ipOf) }));
        return;
      case "delete":
        if (!this.#services.delete(deed.key)) return;
        this.#tell(deed.do, (book) => book.remove(deed.key, this.#now), { subject: deed.key });
        return;
      case "away": {
        const object = this.#services.get(deed.key);
        if (object?.kind !== "ours") return;
        const { record: _, ...rest } = object.demand;
        this.#services.set(deed.key, {
          kind: "away",
          demand: deed.written ? { ...rest, status: [] } : object.demand,
        });
        this.#tell(deed.do, (book) => book.remove(deed.key, this.#now), { subject: deed.key });
        return;
      }
      case "back": {
        const object = this.#services.get(deed.key);
        if (object !== undefined && object.kind !== "ours") this.#put(deed.do, object.demand);
        return;
      }
      case "stranger": {
        const { key, ips } = deed;
        const demand = this.#services.get(key)?.demand;
        const { record: _, ...rest } = demand ?? newcomer(key);
        this.#services.set(key, { kind: "stranger", demand: { ...rest, status: ips.map(ipOf) } });
        this.#tell(deed.do, (book) => book.putStranger(key, ips.map(ipOf), this.#now), { subject: key });
        return;
      }
      case "pool": {
        const { name, createdAt, ranges, settings } = deed;
        const known = this.#pools.get(name);
        this.#putPool(deed.do, {
          name,
          createdAt: known?.createdAt ?? createdAt,
          deleting: known?.deleting ?? false,
          ranges,
          spec: specOf(RANGES[ranges] as (typeof RANGES)[number], settings),
        });
        return;
      }
      case "poolRanges": {
        const known = this.#pools.get(deed.name);
        if (known === undefined) return;
        const spec = specOf(RANGES[deed.ranges] as (typeof RANGES)[number], known.spec);
        const { announce: _, ...settings } = known.spec;
        this.#putPool(deed.do, {
          ...known,
          ranges: deed.ranges,
          spec: { ...settings, addresses: spec.addresses, exclude: spec.exclude, announce: [] },
        });
        return;
      }
      case "poolSettings": {
        const known = this.#pools.get(deed.name);
        if (known === undefined) return;
        this.#putPool(deed.do, {
          ...known,
          spec: specOf(RANGES[known.ranges] as (typeof RANGES)[number], deed.settings),
        });
        return;
      }
      case "deletePool": {
        const known = this.#pools.get(deed.name);
        if (known === undefined) return;
        if (deed.force) {
          this.#removePool(deed.name);
          return;
        }
        this.#putPool(deed.do, { ...known, deleting: true });
        return;
      }
      case "namespace":
        this.#namespaces.set(deed.name, deed.labels);
        this.#tell(deed.do, (book) => book.putNamespace(deed.name, deed.labels, this.#now));
        return;
      case "forgetNamespace":
        this.#namespaces.delete(deed.name);
        this.#tell(deed.do, (book) => book.removeNamespace(deed.name, this.#now));
        return;
      case "reapply":
        this.#reapply();
        return;
    }
  }

  /** Tells the book what it knows, five times over: nothing comes of it. */
  #reapply(): void {
    for (let round = 0; round < 5; round++) {
      for (const { kind, demand } of this.#services.values()) {
        if (kind === "ours") this.#book.put(demand, this.#now);
        if (kind === "stranger") this.#book.putStranger(demand.key, demand.status, this.#now);
      }
      for (const pool of this.#pools.values()) this.#book.putPool(pool, this.#now);
      for (const [name, labels] of this.#namespaces) this.#book.putNamespace(name, { ...labels }, this.#now);
      this.#expectUnchanged("told again what it knows");
    }
  }

  #restart(order: number): void {
    const other = look(this.#start(order + 7), this.#objects(), undefined, this.#now);
    this.#book = this.#start(order);
    const proven = { ...this.#moment, ...this.#objects(), held: this.#proven(), reserved: new Map() };
    const before: Moment = { ...proven, texts: new Map(), outcomes: new Map() };
    this.#moment = this.#look(undefined);
    for (const key of KEYS) {
      if (this.#moment.texts.get(key) === other.texts.get(key)) continue;
      const texts = [this.#moment.texts.get(key), other.texts.get(key)];
      throw new Error(`a restart's result depends on the order of the objects: ${key}: ${texts.join(" or ")}`);
    }
    const after = this.#moment;
    this.#check({ what: "restart", isNew: false, isStart: true, before, after, told: new Set(KEYS) });
    this.#write(KEYS);
  }

  /** Checks that a restart at this moment, with all written, would change nothing. */
  expectRestartChangesNothing(order: number): void {
    // What nothing is decided about is not written either.
    if (this.#moment.reserved.size > 0) return;
    const texts = look(this.#start(order), this.#objects(), this.#moment, this.#now).texts;
    for (const key of KEYS) {
      if (texts.get(key) === this.#moment.texts.get(key)) continue;
      throw new Error(`a restart would change ${key}: from ${this.#moment.texts.get(key)} to ${texts.get(key)}`);
    }
  }

  get moment(): Moment {
    return this.#moment;
  }

  #start(order: number): Book {
    const { demands, strangers, pools, namespaces } = this.#objects();
    return new Book(
      {
        pools: shuffled(pools.values(), order).map(poolObject),
        namespaces,
        demands: shuffled(demands.values(), order),
        strangers: shuffled(strangers, order).map(([key, ips]) => ({ key, ips: ips.map(ipOf) })),
      },
      this.#now,
    );
  }

  /** What the objects prove: addresses in the status that are recorded too, or, without a record, that one pool has. */
  #proven(): Map<string, Held> {
    const held = new Map<string, Held>();
    for (const [key, { kind, demand }] of this.#services) {
      const proof = kind === "ours" ? provenBy(demand, this.#pools.values(), this.#now) : undefined;
      if (proof !== undefined) held.set(key, proof);
    }
    return held;
  }

  #edit(deed: { readonly do: string; readonly key: string }, change: (demand: Demand) => Demand): void {
    const object = this.#services.get(deed.key);
    if (object?.kind === "ours") this.#put(deed.do, change(object.demand));
  }

  #put(what: string, demand: Demand): void {
    const isNew = this.#services.get(demand.key)?.kind !== "ours";
    this.#set(demand.key, demand);
    this.#tell(what, (book) => book.put(demand, this.#now), { subject: demand.key, isNew });
  }

  #set(key: string, demand: Demand): void {
    this.#services.set(key, { kind: "ours", demand });
  }

  #putPool(what: string, object: Omit<ModelPool, "contents">): void {
    const contents = contentsOf(RANGES[object.ranges] as (typeof RANGES)[number], object.spec.avoidBuggyIPs);
    const pool = { ...object, contents };
    this.#pools.set(object.name, pool);
    this.#tell(what, (book) => book.putPool(poolObject(pool), this.#now));
  }

  #removePool(name: string): void {
    this.#pools.delete(name);
    this.#tell("removePool", (book) => book.removePool(name, this.#now));
  }

  /** The API server drops deleted pools whose finalizer is gone: the controller removes it with the last holder. */
  #tidy(): void {
    for (const { name, deleting } of [...this.#pools.values()])
      if (deleting && this.#book.report(name)?.holders === 0) this.#removePool(name);
  }

  /** Tells the book one thing, checks what it makes of it, and does the writes. */
  #tell(
    what: string,
    call: (book: Book) => readonly string[],
    { subject, isNew = false }: { subject?: string; isNew?: boolean } = {},
  ): void {
    const before = this.#moment;
    const told = new Set(call(this.#book));
    this.#moment = this.#look(before);
    this.#check({ what, ...(subject && { subject }), isNew, isStart: false, before, after: this.#moment, told });
    this.#write(subject === undefined ? told : new Set([...told, subject]));
  }

  /** Writes what the book has decided on Services, which comes back as their new state and changes nothing more. */
  #write(keys: Iterable<string>): void {
    let written = false;
    for (const key of keys) {
      const object = this.#services.get(key);
      if (object?.kind !== "ours" || this.#unwritten.has(key)) continue;
      const demand = this.#asWritten(object.demand);
      if (demand === undefined) continue;
      written = true;
      this.#set(key, demand);
      this.#book.put(demand, this.#now);
    }
    if (written) this.#expectUnchanged("heard of its own writes");
  }

  #expectUnchanged(what: string): void {
    const { texts } = this.#moment;
    this.#moment = this.#look(this.#moment);
    for (const key of KEYS) {
      const [was, is] = [texts.get(key), this.#moment.texts.get(key)];
      if (was === is || was?.replace('"reassigned":true', '"reassigned":false') === is) continue;
      throw new Error(`the book was ${what}, and changed ${key} from ${was} to ${is}`);
    }
  }

  /** The Service as the controller leaves it; undefined where nothing has to be written. */
  #asWritten(demand: Demand): Demand | undefined {
    const outcome = this.#book.outcome(demand.key);
    if (outcome === undefined || outcome.state === "Undecided") return undefined;
    const held = heldIn(outcome);
    const { record, ...rest } = demand;
    if (held) {
      const done = outcome.state !== "Leaving" && outcome.reassigned;
      const same = sameIPs(held.ips, demand.status) && record && sameRecord(record, held);
      if (same && !(done && demand.reassign)) return undefined;
      return { ...rest, status: held.ips, record: held, reassign: demand.reassign && !done };
    }
    const noted = record?.ips.map(textOf) ?? [];
    // A record that the status does not show was not held lately: it asks for its old address until it has one.
    const isAsking = !demand.status.some((ip) => noted.includes(textOf(ip)));
    const kept = isAsking ? record : undefined;
    const status = demand.status.filter((ip) => !this.#book.contains(ip) && !noted.includes(textOf(ip)));
    if (sameIPs(status, demand.status) && kept === record) return undefined;
    return { ...rest, status, ...(kept && { record: kept }) };
  }

  #objects(): Pick<Moment, "demands" | "strangers" | "pools" | "namespaces"> {
    const demands = new Map<string, Demand>();
    const strangers = new Map<string, readonly string[]>();
    for (const [key, { kind, demand }] of this.#services) {
      if (kind === "ours") demands.set(key, demand);
      if (kind === "stranger") strangers.set(key, demand.status.map(textOf));
    }
    return { demands, strangers, pools: new Map(this.#pools), namespaces: new Map(this.#namespaces) };
  }

  #look(before: Moment | undefined): Moment {
    return look(this.#book, this.#objects(), before, this.#now);
  }
}

/** What a Service that was not known before proves to hold. */
export function provenBy(demand: Demand, pools: Iterable<ModelPool>, now: number): Held | undefined {
  const { record } = demand;
  if (record !== undefined) {
    const noted = record.ips.map(textOf);
    const proven = demand.status.filter((ip) => noted.includes(textOf(ip)));
    const asked = proven.filter(({ family }) => wanted(demand).includes(family));
    const ips = (asked.length > 0 ? asked : proven).map(textOf);
    return ips.length > 0 ? { pool: record.pool, ips, at: record.at } : undefined;
  }
  const status = demand.status.filter(({ family }) => wanted(demand).includes(family)).map(textOf);
  if (status.length === 0) return undefined;
  const pool = [...pools].find(({ contents }) => status.every((ip) => contents.givable.includes(ip)));
  return pool && { pool: pool.name, ips: status, at: now };
}

function look(
  book: Book,
  objects: Pick<Moment, "demands" | "strangers" | "pools" | "namespaces">,
  before: Moment | undefined,
  now: number,
): Moment {
  const outcomes = new Map<string, Outcome>();
  const texts = new Map<string, string>();
  const held = new Map<string, Held>();
  const reserved = new Map<string, readonly string[]>();
  for (const key of KEYS) {
    const outcome = book.outcome(key);
    if (outcome === undefined) continue;
    outcomes.set(key, outcome);
    texts.set(key, JSON.stringify(outcome, plain));
    const has = heldIn(outcome);
    if (has) held.set(key, { pool: has.pool, ips: has.ips.map(textOf), at: has.at });
    if (outcome.state !== "Undecided") continue;
    // More than it has, perhaps: what is not told is nobody's to wait for.
    const demand = objects.demands.get(key);
    const had = before?.held.get(key)?.ips ?? before?.reserved.get(key) ?? [];
    const claimed = [...(demand?.status ?? []), ...(demand?.record?.ips ?? [])].map(textOf);
    reserved.set(key, [...new Set([...had, ...claimed])]);
  }
  return { now, ...objects, book, outcomes, texts, held, reserved };
}

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

export function heldIn(outcome: Outcome | undefined): Assignment | undefined {
  if (outcome?.state === "Assigned") return outcome.assignment;
  return outcome?.state === "Waiting" ? outcome.keeps : undefined;
}

function poolObject({ name, createdAt, deleting, spec }: ModelPool): PoolObject {
  return { name, createdAt, deleting, spec };
}

function newcomer(key: string): Demand {
  const namespace = key.split("/")[0] as string;
  const alike = { families: ["IPv4"], policy: "SingleStack", labels: {}, status: [] } as const;
  return { key, namespace, createdAt: 0, deleting: false, reassign: false, ...alike };
}

function sameRecord(a: Assignment, b: Assignment): boolean {
  return a.pool === b.pool && a.at === b.at && sameIPs(a.ips, b.ips);
}

function sameIPs(a: readonly IP[], b: readonly IP[]): boolean {
  return a.length === b.length && a.every(({ value }, at) => value === b[at]?.value);
}

function chosen(bits: number): readonly string[] {
  return KEYS.filter((_, at) => (bits >> at) & 1);
}

function shuffled<T>(all: Iterable<T>, order: number): T[] {
  return [...all]
    .map((one, at) => ({ one, rank: ((at + 1) * 7919 + order * 31) % 101 }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ one }) => one);
}
