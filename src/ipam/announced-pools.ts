import type { BGPAnnounce, Layer2Announce } from "../api/announce.ts";
import type { IPPool } from "../api/ippool.ts";
import { parseIP } from "./addresses.ts";
import { containsIP, parseRange, type Range } from "./ranges.ts";

/** What those who announce look at of an IPPool. */
export interface AnnouncedPool {
  readonly name: string;
  readonly ranges: readonly Range[];
  readonly layer2: readonly Layer2Announce[];
  readonly bgp: readonly BGPAnnounce[];
}

/** Finds the pools of IPs that were given out. */
export class AnnouncedPools {
  /** Sorted by name. */
  readonly all: readonly AnnouncedPool[];
  readonly #byName: ReadonlyMap<string, AnnouncedPool>;

  constructor(pools: readonly IPPool[]) {
    this.all = pools.map(compilePool).sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#byName = new Map(this.all.map((pool) => [pool.name, pool]));
  }

  /** Gives the pool that gave an IP out, also where it was narrowed since or is being deleted; where that one is gone, one that has it now. */
  of(text: string, assignedPool: string | undefined): AnnouncedPool | undefined {
    const recorded = assignedPool === undefined ? undefined : this.#byName.get(assignedPool);
    if (recorded !== undefined) return recorded;
    const ip = parseIP(text);
    return ip && this.all.find(({ ranges }) => ranges.some((range) => containsIP(range, ip)));
  }
}

/** Reads the entries of a pool once: of 256 IPv6 CIDRs that takes milliseconds, and most pools stay as they are. */
function compilePool(pool: IPPool): AnnouncedPool {
  const known = compiled.get(pool) ?? compile(pool);
  compiled.set(pool, known);
  return known;
}

const compiled = new WeakMap<IPPool, AnnouncedPool>();

function compile({ meta, spec }: IPPool): AnnouncedPool {
  return {
    name: meta.name,
    ranges: spec.addresses.map(parseRange).filter((range) => typeof range !== "string"),
    layer2: spec.announce.flatMap(({ layer2 }) => layer2 ?? []),
    bgp: spec.announce.flatMap(({ bgp }) => bgp ?? []),
  };
}
