import type { IPPoolSpec } from "../api/ippool.ts";
import type { IPFamily } from "../api/objects.ts";
import type { IP } from "./addresses.ts";
import { FreeList } from "./free-list.ts";
import { compareRanges, containsIP, parseRange, type Range, sizeOf } from "./ranges.ts";
import { checkAddresses } from "./validate-ippool.ts";

/** The addresses of one family in a pool. Counts saturate at 2^53 - 1. */
export interface Usage {
  readonly total: number;
  /** Held by Services of Herald. */
  readonly assigned: number;
  /** Could be given to a Service now. */
  readonly available: number;
}

/**
 * One pool's addresses and which of them are taken. A pool whose spec is bad has no addresses; `problem` then says why.
 */
export class Pool {
  readonly name: string;
  readonly autoAssign: boolean;
  /** Completes the sentence "pool <name>: ..."; absent where the spec is good. */
  readonly problem?: string;
  /** As declared: the order in which addresses are given out. */
  readonly #slots: readonly Slots[];
  /** Sorted and disjoint: checkAddresses refuses overlaps. */
  readonly #sorted: readonly Slots[];
  readonly #assigned = { IPv4: 0, IPv6: 0 };

  constructor(name: string, spec: IPPoolSpec) {
    const [first] = checkAddresses(spec);
    this.name = name;
    this.autoAssign = spec.autoAssign;
    if (first) this.problem = `${first.path} ${first.message}`;
    const ranges = first ? [] : spec.addresses.map(parseRange).filter((range) => typeof range !== "string");
    this.#slots = ranges.map(slotsOf);
    this.#sorted = [...this.#slots].sort((a, b) => compareRanges(a.range, b.range));
  }

  has(family: IPFamily): boolean {
    return this.#slots.some(({ range }) => range.family === family);
  }

  contains(ip: IP): boolean {
    return this.#find(ip) !== undefined;
  }

  /** Gives the lowest free address of the first entry that has one. */
  lowestFree(family: IPFamily): IP | undefined {
    for (const { range, free } of this.#slots) {
      const place = range.family === family ? free.lowest() : undefined;
      if (place !== undefined) return { family, value: range.first + BigInt(place) };
    }
    return undefined;
  }

  /** Keeps an address of this pool from being given out. */
  take(ip: IP): void {
    this.#mark(ip, (free, place) => free.take(place));
  }

  release(ip: IP): void {
    this.#mark(ip, (free, place) => free.release(place));
  }

  /** Counts an address of this pool as held (1) or no longer held (-1) by a Service of Herald. */
  count(ip: IP, by: 1 | -1): void {
    if (this.contains(ip)) this.#assigned[ip.family] += by;
  }

  usage(family: IPFamily): Usage {
    const slots = this.#slots.filter(({ range }) => range.family === family);
    const total = slots.reduce((sum, { range }) => sum + sizeOf(range), 0n);
    const available = slots.reduce((sum, { free }) => sum + free.free, 0);
    return { total: saturate(total), assigned: this.#assigned[family], available: Math.min(available, MAX) };
  }

  #mark(ip: IP, change: (free: FreeList, place: number) => void): void {
    const slots = this.#find(ip);
    if (slots === undefined) return;
    const place = ip.value - slots.range.first;
    // Places past the list's end are never given out unasked, so nothing has to be noted for them.
    if (place < BigInt(MAX)) change(slots.free, Number(place));
  }

  #find(ip: IP): Slots | undefined {
    let low = 0;
    let high = this.#sorted.length;
    const wanted: Range = { family: ip.family, first: ip.value, last: ip.value };
    while (low < high) {
      const middle = (low + high) >>> 1;
      const slots = this.#sorted[middle];
      if (slots && compareRanges(slots.range, wanted) <= 0) low = middle + 1;
      else high = middle;
    }
    const slots = this.#sorted[low - 1];
    return slots && containsIP(slots.range, ip) ? slots : undefined;
  }
}

interface Slots {
  readonly range: Range;
  readonly free: FreeList;
}

const MAX = Number.MAX_SAFE_INTEGER;

function slotsOf(range: Range): Slots {
  return { range, free: new FreeList(saturate(sizeOf(range))) };
}

function saturate(count: bigint): number {
  return count > BigInt(MAX) ? MAX : Number(count);
}
