import { formatIP, type IP, sameIP } from "./addresses.ts";
import type { Pools } from "./pools.ts";
import type { Steps } from "./steps.ts";

/** An address that is not to be given out. */
export interface Entry {
  readonly ip: IP;
  /** Keys of the Services of Herald that hold it. */
  readonly holders: ReadonlySet<string>;
  /** Keys of the Services that somebody else serves and whose status has it. */
  readonly strangers: ReadonlySet<string>;
}

/** Who has which address. It keeps the pools in step: what is taken, and how much of it by Services of Herald. */
export class Ledger {
  readonly #pools: Pools;
  /** Hears of each address that others have now; with no holder and no stranger it is free. */
  readonly #changed: (entry: Entry) => void;
  readonly #entries = new Map<string, Mutable>();
  readonly #strangers = new Map<string, readonly IP[]>();

  constructor(pools: Pools, changed: (entry: Entry) => void) {
    this.#pools = pools;
    this.#changed = changed;
  }

  get(ip: IP): Entry | undefined {
    return this.#entries.get(formatIP(ip));
  }

  hold(ip: IP, key: string): void {
    const entry = this.#take(ip);
    if (entry.holders.size === 0) this.#pools.count(ip, 1);
    entry.holders.add(key);
    this.#changed(entry);
  }

  letGo(ip: IP, key: string): void {
    const entry = this.#entries.get(formatIP(ip));
    if (!entry?.holders.delete(key)) return;
    if (entry.holders.size === 0) this.#pools.count(ip, -1);
    this.#freeIfUnused(entry);
  }

  /** Sets the addresses that a Service of somebody else has. */
  setStranger(key: string, ips: readonly IP[]): void {
    const before = this.#strangers.get(key);
    if (before === undefined && ips.length === 0) return;
    for (const ip of ips) {
      const entry = this.#take(ip);
      if (entry.strangers.has(key)) continue;
      if (entry.strangers === NOBODY) entry.strangers = new Set();
      entry.strangers.add(key);
      this.#changed(entry);
    }
    for (const ip of before ?? []) {
      if (ips.some((now) => sameIP(now, ip))) continue;
      const entry = this.#take(ip);
      entry.strangers.delete(key);
      this.#freeIfUnused(entry);
    }
    if (ips.length > 0) this.#strangers.set(key, ips);
    else this.#strangers.delete(key);
  }

  /** Marks in the pools that are new what is taken of them. */
  *mark(pools: readonly { take(ip: IP): void; count(ip: IP, by: 1): void }[]): Steps<void> {
    for (const { ip, holders } of this.#entries.values()) {
      for (const pool of pools) {
        pool.take(ip);
        if (holders.size > 0) pool.count(ip, 1);
      }
      yield;
    }
  }

  #take(ip: IP): Mutable {
    const text = formatIP(ip);
    let entry = this.#entries.get(text);
    if (entry === undefined) {
      entry = { ip, holders: new Set(), strangers: NOBODY };
      this.#entries.set(text, entry);
      this.#pools.take(ip);
    }
    return entry;
  }

  #freeIfUnused(entry: Mutable): void {
    if (isFree(entry)) {
      this.#entries.delete(formatIP(entry.ip));
      this.#pools.release(entry.ip);
    }
    this.#changed(entry);
  }
}

interface Mutable {
  readonly ip: IP;
  readonly holders: Set<string>;
  strangers: Set<string>;
}

/** Stays empty. Most addresses have no stranger, and a set of its own takes more memory than all else of an entry. */
const NOBODY = new Set<string>();

/** Tells whether nobody has the address. */
export function isFree({ holders, strangers }: Entry): boolean {
  return holders.size === 0 && strangers.size === 0;
}
