import type { BGPAnnounce } from "../api/announce.ts";
import type { IPPool } from "../api/ippool.ts";
import type { CandidateService } from "../election/candidates.ts";
import { bitsOf, formatIP, type IP, parseIP } from "../ipam/addresses.ts";
import { containsIP, parseRange, type Range } from "../ipam/ranges.ts";

/** An IP that Herald assigned, with the Services that hold it; more than one where it is shared. */
export interface HeldIP {
  readonly services: readonly CandidateService[];
  /** The pool that gave the IP, by the first holder's record. */
  readonly assignedPool: string | undefined;
}

/** What BGP looks at of an IPPool. */
export interface BGPPool {
  readonly name: string;
  readonly ranges: readonly Range[];
  readonly entries: readonly BGPAnnounce[];
}

/** Finds the pools of IPs. */
export class BGPPools {
  readonly all: readonly BGPPool[];
  readonly #byName: ReadonlyMap<string, BGPPool>;

  constructor(pools: readonly IPPool[]) {
    this.all = pools.map(compilePool).sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#byName = new Map(this.all.map((pool) => [pool.name, pool]));
  }

  /** Gives the pool that gave an IP out, also where it was narrowed since or is being deleted; where that one is gone, one that has it now. */
  of(text: string, { assignedPool }: HeldIP): BGPPool | undefined {
    const recorded = assignedPool === undefined ? undefined : this.#byName.get(assignedPool);
    if (recorded !== undefined) return recorded;
    const ip = parseIP(text);
    return ip && this.all.find(({ ranges }) => ranges.some((range) => containsIP(range, ip)));
  }
}

/**
 * Gives the prefix that stands for an IP in canonical text, of the length or as much longer as it takes to stay inside
 * the pool's entry that has the IP: a route never claims addresses that are not the pool's. An IP that is in none any
 * more stands for itself.
 */
export function prefixOf(text: string, length: number, { ranges }: BGPPool): string {
  const bits = text.includes(":") ? 128 : 32;
  const ip = length < bits ? parseIP(text) : undefined;
  const range = ip && ranges.find((one) => containsIP(one, ip));
  return ip && range ? within(range, ip, length) : `${text}/${bits}`;
}

function within({ first, last }: Range, { family, value }: IP, shortest: number): string {
  const bits = bitsOf(family);
  for (let length = shortest; length < bits; length++) {
    const hostBits = BigInt(bits - length);
    const start = (value >> hostBits) << hostBits;
    const end = start + (1n << hostBits) - 1n;
    if (first <= start && end <= last) return `${formatIP({ family, value: start })}/${length}`;
  }
  return `${formatIP({ family, value })}/${bits}`;
}

/** Reads a pool once: most stay as they are. */
function compilePool(pool: IPPool): BGPPool {
  const known = compiled.get(pool) ?? compile(pool);
  compiled.set(pool, known);
  return known;
}

const compiled = new WeakMap<IPPool, BGPPool>();

function compile({ meta, spec }: IPPool): BGPPool {
  const ranges = spec.addresses.map(parseRange).filter((range) => typeof range !== "string");
  const entries = spec.announce.flatMap(({ bgp }) => bgp ?? []);
  return { name: meta.name, ranges, entries };
}
