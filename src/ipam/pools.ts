import { matchesSelector } from "../api/label-selector.ts";
import { firstNotBefore } from "../binary-search.ts";
import { formatIP, type IP } from "./addresses.ts";
import type { Demand } from "./demand.ts";
import { Pool, type PoolObject } from "./pool.ts";
import { findOverlap } from "./range-sets.ts";
import { compareRanges, type Range } from "./ranges.ts";
import type { Refusal } from "./verdict.ts";

/** Whether a pool gives addresses, and why not. */
export type PoolState =
  | { readonly state: "Valid" | "Disabled" | "Terminating" }
  /** `problem` completes the sentence "pool <name>: ...". */
  | { readonly state: "Invalid"; readonly problem: string }
  /** `ips`: addresses that both have, as a range. */
  | { readonly state: "Overlapping"; readonly with: string; readonly ips: string };

export type Labels = Readonly<Record<string, string>>;

/** All pools: in which order they are tried, and which of them may give addresses. */
export class Pools {
  readonly #pools = new Map<string, Pool>();
  readonly #states = new Map<string, PoolState>();
  #order: readonly Pool[] = [];
  /** The ranges of the pools that are accepted: good, staying, and overlapping none that was accepted before. */
  #accepted: readonly Part[] = [];
  #others: readonly Pool[] = [];
  #selectNamespaces = false;

  /** In the order in which they are tried: by priority, then name. */
  get order(): readonly Pool[] {
    return this.#order;
  }

  /** Whether the labels of namespaces matter. */
  get selectNamespaces(): boolean {
    return this.#selectNamespaces;
  }

  get(name: string): Pool | undefined {
    return this.#pools.get(name);
  }

  state(name: string): PoolState | undefined {
    return this.#states.get(name);
  }

  /** Takes many at once; the pools of these names are new ones afterwards, with nothing taken. */
  put(objects: readonly PoolObject[]): readonly Pool[] {
    const pools = objects.map((object) => new Pool(object));
    for (const pool of pools) this.#pools.set(pool.name, pool);
    this.#arrange();
    return pools;
  }

  remove(name: string): void {
    this.#pools.delete(name);
    this.#arrange();
  }

  /** The accepted pool that an address is of; there is no more than one. */
  owner(ip: IP): Pool | undefined {
    const pool = this.#partOf(ip)?.pool;
    return pool?.contains(ip) ? pool : undefined;
  }

  /** All pools whose ranges have the address, those that are not accepted too. */
  having(ip: IP): readonly Pool[] {
    const pool = this.owner(ip);
    return [...(pool ? [pool] : []), ...this.#others.filter((other) => other.contains(ip))];
  }

  /** Keeps an address from being given out by any pool. */
  take(ip: IP): void {
    this.#partOf(ip)?.pool.take(ip);
    for (const pool of this.#others) pool.take(ip);
  }

  release(ip: IP): void {
    this.#partOf(ip)?.pool.release(ip);
    for (const pool of this.#others) pool.release(ip);
  }

  count(ip: IP, by: 1 | -1): void {
    this.#partOf(ip)?.pool.count(ip, by);
    for (const pool of this.#others) pool.count(ip, by);
  }

  /**
   * Says why a pool gives a Service nothing, however much it has. `asked`: the Service asks for the pool, or for an address
   * of it.
   */
  refusal(pool: Pool, demand: Demand, namespaceLabels: Labels | undefined, asked: boolean): Refusal | undefined {
    const { state } = this.#states.get(pool.name) ?? { state: "Terminating" };
    if (state !== "Valid") return { pool: pool.name, why: state };
    if (!asked && !pool.object.spec.autoAssign) return { pool: pool.name, why: "NotAutoAssigned" };
    const why = selectorAgainst(pool, demand, namespaceLabels);
    return why && { pool: pool.name, why };
  }

  #partOf({ family, value }: IP): Part | undefined {
    return findOverlap(this.#accepted, { family, first: value, last: value });
  }

  #arrange(): void {
    const pools = [...this.#pools.values()];
    this.#order = [...pools].sort((a, b) => priority(b) - priority(a) || byName(a, b));
    this.#states.clear();
    const accepted: Part[] = [];
    const others: Pool[] = [];
    for (const pool of pools.sort((a, b) => a.object.createdAt - b.object.createdAt || byName(a, b))) {
      const state = stateOf(pool, accepted);
      this.#states.set(pool.name, state);
      if (state.state === "Valid" || state.state === "Disabled")
        for (const range of pool.ranges) insert(accepted, { range, pool });
      else others.push(pool);
    }
    this.#accepted = accepted;
    this.#others = others;
    this.#selectNamespaces = pools.some(({ object }) => object.spec.namespaceSelector !== undefined);
  }
}

/** Says which selector of a pool keeps a Service out. Labels of a namespace that nobody has seen yet keep nobody out. */
export function selectorAgainst(
  { object: { spec } }: Pool,
  { labels }: Demand,
  namespaceLabels: Labels | undefined,
): "NamespaceSelector" | "ServiceSelector" | undefined {
  if (namespaceLabels !== undefined && !matchesSelector(spec.namespaceSelector, namespaceLabels))
    return "NamespaceSelector";
  return matchesSelector(spec.serviceSelector, labels) ? undefined : "ServiceSelector";
}

interface Part {
  readonly range: Range;
  readonly pool: Pool;
}

function stateOf(pool: Pool, accepted: readonly Part[]): PoolState {
  if (pool.object.deleting) return { state: "Terminating" };
  if (pool.problem !== undefined) return { state: "Invalid", problem: pool.problem };
  for (const range of pool.ranges) {
    const other = findOverlap(accepted, range);
    if (other) return { state: "Overlapping", with: other.pool.name, ips: common(range, other.range) };
  }
  return { state: pool.object.spec.disabled ? "Disabled" : "Valid" };
}

/** Keeps the parts sorted. */
function insert(parts: Part[], part: Part): void {
  const at = firstNotBefore(parts, (other) => compareRanges(other.range, part.range) < 0);
  parts.splice(at, 0, part);
}

/** Writes what two ranges that overlap have in common: what lies between the middle two of their four ends. */
function common(a: Range, b: Range): string {
  const ends = [a.first, a.last, b.first, b.last].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0));
  const [first, last] = ends.slice(1, 3).map((value) => formatIP({ family: a.family, value }));
  return first === last ? `${first}` : `${first}-${last}`;
}

function priority({ object: { spec } }: Pool): number {
  return spec.priority;
}

function byName(a: Pool, b: Pool): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
