import type { IPPoolSpec } from "../../src/api/ippool.ts";
import { AddressBook, type Outcome, type PoolReport, type World } from "../../src/ipam/address-book.ts";
import { formatIP, type IP, parseIP } from "../../src/ipam/addresses.ts";
import type { Assignment, Demand, Request, Sharing } from "../../src/ipam/demand.ts";
import type { PoolObject } from "../../src/ipam/pool.ts";
import type { Labels } from "../../src/ipam/pools.ts";
import type { Steps } from "../../src/ipam/steps.ts";

/** Clusters in a few words, for tests of the address book. */

export const NOW = 1_000_000;

export const DUAL = ["192.0.2.1-192.0.2.2", "2001:db8::1-2001:db8::2"];

export function ip(text: string): IP {
  const parsed = parseIP(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export interface PoolWords extends Partial<IPPoolSpec> {
  readonly createdAt?: number;
  readonly deleting?: boolean;
}

export function pool(name: string, words: PoolWords | readonly string[]): PoolObject {
  const { createdAt = 0, deleting = false, ...spec } = "length" in words ? { addresses: [...words] } : words;
  const defaults = { exclude: [], autoAssign: true, avoidBuggyIPs: false, disabled: false, priority: 0, announce: [] };
  return { name, createdAt, deleting, spec: { ...defaults, addresses: [], ...spec } };
}

export function demand(key: string, more: Partial<Demand> = {}): Demand {
  return {
    key,
    namespace: key.slice(0, key.indexOf("/")),
    labels: {},
    createdAt: 0,
    families: ["IPv4"],
    policy: "SingleStack",
    deleting: false,
    status: [],
    reassign: false,
    ...more,
  };
}

export function request(words: { pool?: string; ips?: readonly string[] }): { request: Request } {
  return { request: { ...(words.pool !== undefined && { pool: words.pool }), ips: (words.ips ?? []).map(ip) } };
}

export function sharing(key: string, more: Partial<Sharing> = {}): { sharing: Sharing } {
  return { sharing: { key, ports: [], policy: "Cluster", selector: "", namespaces: [], ...more } };
}

export function record(pool: string, ips: readonly string[], at = 0): Assignment {
  return { pool, ips: ips.map(ip), at };
}

/** What a Service has when it was served before: the record, and the status with it. */
export function held(pool: string, ips: readonly string[], at = 0): Pick<Demand, "status" | "record"> {
  return { status: ips.map(ip), record: record(pool, ips, at) };
}

export interface Words {
  readonly pools?: Readonly<Record<string, PoolWords | readonly string[]>>;
  readonly demands?: readonly Demand[];
  readonly strangers?: Readonly<Record<string, readonly string[]>>;
  /** Labels by name; the namespaces of all `demands` are known, without labels. */
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** An address book that takes each change to its end before the next. */
export class Book {
  readonly #book: AddressBook;

  constructor(world: World, now: number) {
    this.#book = exhaust(AddressBook.opening(world, now));
  }

  get pools(): AddressBook["pools"] {
    return this.#book.pools;
  }

  outcome(key: string): Outcome | undefined {
    return this.#book.outcome(key);
  }

  contains(ip: IP): boolean {
    return this.#book.contains(ip);
  }

  report(name: string): PoolReport | undefined {
    return this.#book.report(name);
  }

  census(): ReadonlyMap<string, number> {
    return this.#book.census();
  }

  put(demand: Demand, now: number): readonly string[] {
    return exhaust(this.#book.put(demand, now));
  }

  remove(key: string, now: number): readonly string[] {
    return exhaust(this.#book.remove(key, now));
  }

  putStranger(key: string, ips: readonly IP[], now: number): readonly string[] {
    return exhaust(this.#book.putStranger(key, ips, now));
  }

  putPool(object: PoolObject, now: number): readonly string[] {
    return exhaust(this.#book.putPool(object, now));
  }

  removePool(name: string, now: number): readonly string[] {
    return exhaust(this.#book.removePool(name, now));
  }

  putNamespace(name: string, labels: Labels, now: number): readonly string[] {
    return exhaust(this.#book.putNamespace(name, labels, now));
  }

  removeNamespace(name: string, now: number): readonly string[] {
    return exhaust(this.#book.removeNamespace(name, now));
  }
}

function exhaust<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

export function book({ pools = {}, demands = [], strangers = {}, namespaces = {} }: Words): Book {
  const known = Object.fromEntries(demands.map(({ namespace }) => [namespace, {}]));
  return new Book(
    {
      pools: Object.entries(pools).map(([name, words]) => pool(name, words)),
      namespaces: new Map(Object.entries({ ...known, ...namespaces })),
      demands,
      strangers: Object.entries(strangers).map(([key, ips]) => ({ key, ips: ips.map(ip) })),
    },
    NOW,
  );
}

/**
 * "a 192.0.2.1,2001:db8::1" for an assignment, "PoolExhausted" or "PoolExhausted keeps a 192.0.2.1" for a wait; both may
 * end with " stranded: Excluded".
 */
export function brief(outcome: Outcome | undefined): string {
  if (outcome === undefined) return "unknown";
  if (outcome.state === "Undecided" || outcome.state === "Leaving") return outcome.state;
  const of = ({ pool, ips }: Assignment) => `${pool} ${ips.map(formatIP).join()}`;
  const stranded = outcome.stranded ? ` stranded: ${outcome.stranded.why}` : "";
  if (outcome.state === "Assigned") return `${of(outcome.assignment)}${stranded}`;
  return `${outcome.verdict.reason}${outcome.keeps ? ` keeps ${of(outcome.keeps)}` : ""}${stranded}`;
}
