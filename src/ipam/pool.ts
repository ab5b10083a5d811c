import { isDeepStrictEqual } from "node:util";
import type { IPPoolSpec } from "../api/ippool.ts";
import type { IPFamily } from "../api/objects.ts";
import type { IP } from "./addresses.ts";
import { checkPool } from "./check-pool.ts";
import { FreeList } from "./free-list.ts";
import { findOverlap, subtract } from "./range-sets.ts";
import { compareRanges, containsIP, parseRange, type Range, sizeOf } from "./ranges.ts";

/** What the address book knows of an IPPool. */
export interface PoolObject {
  readonly name: string;
  /** Milliseconds since 1970: of two pools that overlap the younger gives nothing. */
  readonly createdAt: number;
  readonly deleting: boolean;
  readonly spec: IPPoolSpec;
}

/** The addresses of one family in a pool. Counts saturate at 2^53 - 1. */
export interface Usage {
  readonly total: number;
  /** Of these, held by Services of Herald. */
  readonly assigned: number;
  /** Of these, could be given to a Service now. */
  readonly available: number;
}

/**
 * One pool's addresses and which of them are taken. Of a pool whose spec is bad `problem` says why; it has those of its
 * entries that can be read, so that it is known whose they are.
 */
export class Pool {
  readonly object: PoolObject;
  readonly name: string;
  /** Completes the sentence "pool <name>: ..."; absent where the spec is good. */
  readonly problem?: string;
  /** As declared: the order in which addresses are given out. */
  readonly #slots: readonly Slots[];
  /** Sorted and disjoint. */
  readonly #sorted: readonly Slots[];
  readonly #declared: readonly Range[];
  readonly #avoidsBuggyIPs: boolean;
  readonly #total = { IPv4: 0n, IPv6: 0n };
  /** Taken ones of `#total`. */
  readonly #taken = { IPv4: 0, IPv6: 0 };
  readonly #assigned = { IPv4: 0, IPv6: 0 };

  constructor(object: PoolObject) {
    const { spec } = object;
    const [first] = checkPool(spec);
    this.object = object;
    this.name = object.name;
    if (first) this.problem = `${first.path} ${first.message}`;
    this.#avoidsBuggyIPs = spec.avoidBuggyIPs;
    this.#declared = readable(spec.addresses);
    const holes = [...readable(spec.exclude)];
    const slots: Slots[] = [];
    for (const range of this.#declared) {
      for (const piece of subtract(range, holes)) slots.push(new Slots(piece, spec.avoidBuggyIPs));
      if (this.problem !== undefined) holes.push(range); // what overlaps an earlier entry counts once
    }
    this.#slots = slots;
    for (const { range, total } of slots) this.#total[range.family] += total;
    this.#sorted = [...slots].sort((a, b) => compareRanges(a.range, b.range));
  }

  /** Tells whether a good pool was edited in nothing but how its addresses are announced: who has them is untouched by that. */
  isLike(object: PoolObject): boolean {
    const unannounced = (one: PoolObject) => ({ ...one, spec: { ...one.spec, announce: [] } });
    if (!isDeepStrictEqual(unannounced(this.object), unannounced(object))) return false;
    return this.problem === undefined && checkPool(object.spec).length === 0;
  }

  /** What it has after excludes; sorted and disjoint. */
  get ranges(): readonly Range[] {
    return this.#sorted.map(({ range }) => range);
  }

  has(family: IPFamily): boolean {
    return this.#total[family] > 0n;
  }

  contains(ip: IP): boolean {
    return this.whyNot(ip) === undefined;
  }

  /** Says why an address is none of this pool's; undefined where it is one. */
  whyNot(ip: IP): "OutsidePool" | "Excluded" | "Avoided" | undefined {
    if (this.#find(ip)) return this.#avoidsBuggyIPs && isBuggy(ip) ? "Avoided" : undefined;
    return this.#declared.some((range) => containsIP(range, ip)) ? "Excluded" : "OutsidePool";
  }

  /** Gives the lowest free address of the first entry that has one. */
  lowestFree(family: IPFamily): IP | undefined {
    for (const slots of this.#slots) {
      const place = slots.range.family === family ? slots.lowest() : undefined;
      if (place !== undefined) return { family, value: slots.range.first + BigInt(place) };
    }
    return undefined;
  }

  /** Keeps an address of this pool from being given out. */
  take(ip: IP): void {
    if (this.#find(ip)?.take(ip)) this.#taken[ip.family]++;
  }

  release(ip: IP): void {
    if (this.#find(ip)?.release(ip)) this.#taken[ip.family]--;
  }

  /** Counts an address of this pool as held (1) or no longer held (-1) by Services of Herald. */
  count(ip: IP, by: 1 | -1): void {
    if (this.contains(ip)) this.#assigned[ip.family] += by;
  }

  /** `isGiving`: whether the pool gives addresses at all now. */
  usage(family: IPFamily, isGiving: boolean): Usage {
    const total = this.#total[family];
    return {
      total: saturate(total),
      assigned: this.#assigned[family],
      available: isGiving ? saturate(total - BigInt(this.#taken[family])) : 0,
    };
  }

  #find(ip: IP): Slots | undefined {
    return findOverlap(this.#sorted, { family: ip.family, first: ip.value, last: ip.value });
  }
}

/** Consecutive addresses of a pool and which of them are free. */
class Slots {
  readonly range: Range;
  /** Addresses that can be given out at all. */
  readonly total: bigint;
  readonly #avoidsBuggyIPs: boolean;
  /** Has those that are avoided marked as taken, each when it is come upon. */
  readonly #free: FreeList;

  constructor(range: Range, avoidBuggyIPs: boolean) {
    this.range = range;
    this.#avoidsBuggyIPs = avoidBuggyIPs && range.family === "IPv4";
    this.total = sizeOf(range) - (this.#avoidsBuggyIPs ? countBuggy(range) : 0n);
    this.#free = new FreeList(saturate(sizeOf(range)));
  }

  lowest(): number | undefined {
    for (;;) {
      const place = this.#free.lowest();
      if (place === undefined || !this.#isAvoided(this.range.first + BigInt(place))) return place;
      this.#free.take(place);
    }
  }

  /** Tells whether one less can be given out. */
  take(ip: IP): boolean {
    const place = this.#place(ip);
    if (place === undefined || this.#free.has(place)) return false;
    this.#free.take(place);
    return !this.#isAvoided(ip.value);
  }

  /** Tells whether one more can be given out. */
  release(ip: IP): boolean {
    const place = this.#place(ip);
    if (place === undefined || !this.#free.has(place)) return false;
    this.#free.release(place);
    return !this.#isAvoided(ip.value);
  }

  /** Places past the list's end are never given out unasked, so nothing has to be noted for them. */
  #place({ value }: IP): number | undefined {
    const place = value - this.range.first;
    return place < BigInt(MAX) ? Number(place) : undefined;
  }

  #isAvoided(value: bigint): boolean {
    return this.#avoidsBuggyIPs && isBuggy({ family: this.range.family, value });
  }
}

const MAX = Number.MAX_SAFE_INTEGER;

/** Tells whether old routers and hosts take an address for that of a network, or for a broadcast: IPv4 .0 and .255. */
function isBuggy({ family, value }: IP): boolean {
  return family === "IPv4" && ((value & 255n) === 0n || (value & 255n) === 255n);
}

function countBuggy({ first, last }: Range): bigint {
  const zeros = last / 256n - (first + 255n) / 256n + 1n;
  const ones = (last + 1n) / 256n - (first + 256n) / 256n + 1n;
  return zeros + ones;
}

function readable(entries: readonly string[]): readonly Range[] {
  return entries.map(parseRange).filter((range) => typeof range !== "string");
}

function saturate(count: bigint): number {
  return count > BigInt(MAX) ? MAX : Number(count);
}
