import type { IPFamily } from "../api/objects.ts";
import { type IP, sameIP } from "./addresses.ts";
import { type Assignment, type Demand, wantedFamilies } from "./demand.ts";
import type { Ledger } from "./ledger.ts";
import type { Pool } from "./pool.ts";
import type { Labels, Pools } from "./pools.ts";
import { clashOf } from "./sharing.ts";
import type { Refusal, Unshared, Verdict } from "./verdict.ts";

/** A Service that looks for addresses. */
export interface Seeker {
  readonly demand: Demand;
  readonly held?: Assignment | undefined;
  readonly namespaceLabels: Labels | undefined;
}

/** What there is to choose from. */
export interface Supply {
  readonly pools: Pools;
  readonly ledger: Ledger;
  /** Gives a Service of Herald by its key. */
  demandOf(key: string): Demand | undefined;
  /** What the Services with a sharing key hold, each address once. */
  sharedUnder(sharingKey: string): readonly IP[];
}

/** All that the Service holds from now on. */
export interface Choice {
  readonly pool: string;
  /** IPv4 before IPv6. */
  readonly ips: readonly IP[];
}

/** What would do: one of the `options`, of one of the `pools`. */
interface Target {
  /** In the order in which they are tried. */
  readonly pools: readonly Pool[];
  /** Sets of families, the most wanted first; a pool must give a whole set. */
  readonly options: readonly (readonly IPFamily[])[];
  /** The Service asks for the pool, or for an address of it, or holds one. */
  readonly asked: boolean;
  readonly requested: readonly IP[];
}

/** Tells whether what is held is all that the Service insists on. */
export function isMet(demand: Demand, held: Assignment | undefined): held is Assignment {
  if (held === undefined || !isRequestMet(demand, held)) return false;
  const missing = missingFamilies(demand, held).length;
  return demand.policy === "PreferDualStack" ? missing < wantedFamilies(demand).length : missing === 0;
}

/** Tells whether there is nothing more that the Service would take. */
export function isComplete(demand: Demand, held: Assignment | undefined): boolean {
  return held !== undefined && isRequestMet(demand, held) && missingFamilies(demand, held).length === 0;
}

/** Finds the addresses that a Service gets: the first option that a pool can give wholly, the first pool that can. */
export function choose(seeker: Seeker, supply: Supply): Choice | undefined {
  const target = aim(seeker, supply);
  if ("reason" in target) return undefined;
  const { pools, options, asked } = target;
  const shares = seeker.demand.sharing && supply.sharedUnder(seeker.demand.sharing.key);
  const joinable = shares?.filter((ip) => !holds(seeker.held, ip) && whyTaken(ip, seeker, supply) === undefined) ?? [];
  for (const option of options) {
    for (const joins of joinable.length > 0 ? [true, false] : [false]) {
      for (const pool of pools) {
        if (joins && !joinable.some((ip) => option.includes(ip.family) && pool.contains(ip))) continue;
        if (supply.pools.refusal(pool, seeker.demand, seeker.namespaceLabels, asked)) continue;
        const ips = pick(option, pool, { seeker, supply, target, joinable: joins ? joinable : [] });
        if (ips) return { pool: pool.name, ips };
      }
    }
  }
  return undefined;
}

/** Says why `choose` finds nothing. */
export function explain(seeker: Seeker, supply: Supply): Verdict {
  const target = aim(seeker, supply);
  if ("reason" in target) return target;
  const { pools, asked, requested } = target;
  const tried = pools.map(
    (pool) => supply.pools.refusal(pool, seeker.demand, seeker.namespaceLabels, asked) ?? lacks(pool, seeker, target),
  );
  const [first] = tried;
  if (isNamed(seeker.demand) && first && first.why !== "Lacks") return { reason: "PoolNotUsable", refusal: first };
  for (const ip of requested) {
    const obstacle = whyTaken(ip, seeker, supply);
    if (obstacle) return obstacle;
  }
  if (tried.length === 0) return { reason: "NoPool", tried };
  const full = tried.filter((one) => one.why === "Lacks" && one.without.length === 0);
  if (full.length === 0) return { reason: "NoFittingPool", tried };
  const unshared = whyUnshared(full, seeker, supply);
  return { reason: "PoolExhausted", tried, ...(unshared && { unshared }) };
}

/** Where a Service waits: for what becomes free in the pools that may serve it, and for addresses that it asks for. */
export interface WaitsFor {
  readonly pools: readonly string[];
  /** What a pool must have free: all of these families, or any of them; "exact": it depends on more than that. */
  readonly shape: Shape;
  readonly ips: readonly IP[];
}

export type Shape = "IPv4" | "IPv6" | "both" | "any" | "exact";

export const SHAPES: readonly Shape[] = ["IPv4", "IPv6", "both", "any", "exact"];

/** Says what can help a Service that `choose` finds nothing for, while the pools stay as they are. */
export function waitsFor(seeker: Seeker, supply: Supply): WaitsFor {
  const target = aim(seeker, supply);
  if ("reason" in target) return { pools: [], shape: "any", ips: [] };
  const { pools, options, asked, requested } = target;
  const usable = pools.filter((pool) => !supply.pools.refusal(pool, seeker.demand, seeker.namespaceLabels, asked));
  const [families = []] = options;
  const needed = families.filter((family) => !seeker.held?.ips.some((ip) => ip.family === family));
  const pair: Shape = options.length > 1 ? "any" : "both";
  const shape = needed.length > 1 ? pair : (needed[0] ?? "any");
  // A mover may keep addresses in one pool and need both in another.
  const isMove = seeker.held !== undefined && pools.some(({ name }) => name !== seeker.held?.pool);
  // A sharer may join with one address and need the other alone.
  const mayJoin = seeker.demand.sharing !== undefined && needed.length > 1;
  const isOpen = requested.length > 0 || isMove || mayJoin;
  // What is free in a pool does not matter to who wants no other address than those that it asks for.
  const isPinned = requested.length > 0 && families.every((family) => requested.some((ip) => ip.family === family));
  const waited = isPinned ? [] : usable;
  return { pools: waited.map(({ name }) => name), shape: isOpen ? "exact" : shape, ips: requested };
}

/** Tells whether a pool has free what those of a shape wait for. */
export function canGive(pool: Pool, shape: Exclude<Shape, "exact">): boolean {
  const has = (family: IPFamily) => pool.lowestFree(family) !== undefined;
  if (shape === "both") return has("IPv4") && has("IPv6");
  return shape === "any" ? has("IPv4") || has("IPv6") : has(shape);
}

function isNamed({ request }: Demand): boolean {
  return request !== undefined && !("problem" in request);
}

function isRequestMet({ request }: Demand, held: Assignment): boolean {
  if (request === undefined) return true;
  if ("problem" in request) return false;
  if (request.pool !== undefined && request.pool !== held.pool) return false;
  return request.ips.every((ip) => holds(held, ip));
}

function missingFamilies(demand: Demand, held: Assignment): readonly IPFamily[] {
  return wantedFamilies(demand).filter((family) => !held.ips.some((ip) => ip.family === family));
}

function holds(held: Assignment | undefined, ip: IP): boolean {
  return held?.ips.some((one) => sameIP(one, ip)) ?? false;
}

/** Says from which pools a Service may be served, and with what; or why it can't be, whatever is free. */
function aim({ demand, held }: Seeker, { pools }: Supply): Target | Verdict {
  const wanted = wantedFamilies(demand);
  const request = demand.request ?? { ips: [] };
  if ("problem" in request) return request.problem;
  const foreign = request.ips.find((ip) => !wanted.includes(ip.family));
  if (foreign) return { reason: "WrongFamily", ip: foreign, families: wanted };
  const requested = request.ips.filter((ip) => !holds(held, ip));
  const singles = demand.policy === "PreferDualStack" && wanted.length > 1 ? wanted.map((family) => [family]) : [];
  const options = [wanted, ...singles.filter((option) => request.ips.every((ip) => option.includes(ip.family)))];
  if (held && isRequestMet(demand, held) && held.ips.some((ip) => wanted.includes(ip.family))) {
    const pool = pools.get(held.pool);
    if (pool === undefined) return { reason: "UnknownPool", pool: held.pool };
    return { pools: [pool], options: [wanted], asked: true, requested: [] };
  }
  if (request.pool === undefined && request.ips.length === 0)
    return { pools: pools.order, options, asked: false, requested };
  const pool = poolAskedFor(request, requested, pools, held);
  return pool && "reason" in pool ? pool : { pools: [pool], options, asked: true, requested };
}

/** Finds the pool of a request; one that can't be met, whatever is free, comes back as the reason. */
function poolAskedFor(
  { pool: name, ips }: { readonly pool?: string; readonly ips: readonly IP[] },
  requested: readonly IP[],
  pools: Pools,
  held: Assignment | undefined,
): Pool | Verdict {
  const named = name === undefined ? undefined : pools.get(name);
  if (name !== undefined && named === undefined) return { reason: "UnknownPool", pool: name };
  const [first] = ips;
  const ofAll = first && pools.having(first).find((pool) => ips.every((ip) => pool.contains(ip)));
  if (named === undefined && ofAll) return ofAll;
  const owners: Pool[] = [];
  for (const ip of ips) {
    // An address that it holds already is its own, also where the pool has it no more.
    const own = requested.includes(ip) ? undefined : pools.get(held?.pool ?? "");
    const owner = named?.contains(ip) ? named : (own ?? pools.having(ip)[0]);
    if (owner === undefined || (named && owner !== named)) return whyNotOf(ip, { named, owner, pools });
    owners.push(owner);
  }
  const [one = named, other] = owners;
  if (one && other && one !== other) return { reason: "IPsInDifferentPools", ips, pools: [one.name, other.name] };
  return one ?? { reason: "NoPool", tried: [] };
}

function whyNotOf(
  ip: IP,
  {
    named,
    owner,
    pools,
  }: { readonly named: Pool | undefined; readonly owner: Pool | undefined; readonly pools: Pools },
): Verdict {
  for (const pool of named ? [named] : pools.order) {
    const why = pool.whyNot(ip);
    if (why === "Excluded") return { reason: "IPExcluded", ip, pool: pool.name };
    if (why === "Avoided") return { reason: "IPAvoided", ip, pool: pool.name };
  }
  if (named) return { reason: "IPNotInPool", ip, pool: named.name, ...(owner?.contains(ip) && { actual: owner.name }) };
  return { reason: "IPOutsidePools", ip };
}

interface Fitting {
  readonly seeker: Seeker;
  readonly supply: Supply;
  readonly target: Target;
  /** Addresses of others that it may join. */
  readonly joinable: readonly IP[];
}

/** Gives one address of each family of `option`: as asked for, else as held, else shared, else the lowest that is free. */
function pick(option: readonly IPFamily[], pool: Pool, fitting: Fitting): readonly IP[] | undefined {
  const { seeker, supply, target, joinable } = fitting;
  const ips: IP[] = [];
  for (const family of option) {
    const requested = target.requested.find((ip) => ip.family === family);
    if (requested && whyTaken(requested, seeker, supply)) return undefined;
    const ip =
      requested ??
      keptIn(pool, seeker)?.find((one) => one.family === family) ??
      lowest(joinable.filter((one) => one.family === family && pool.contains(one))) ??
      pool.lowestFree(family);
    if (ip === undefined) return undefined;
    ips.push(ip);
  }
  return ips.sort(byFamily);
}

function keptIn(pool: Pool, { held }: Seeker): readonly IP[] | undefined {
  return held?.pool === pool.name ? held.ips : held?.ips.filter((ip) => pool.contains(ip));
}

/** Says what keeps a Service from an address that it asks for; undefined where it is free, its own, or may be shared. */
function whyTaken(ip: IP, { demand }: Seeker, { ledger, demandOf }: Supply): Verdict | undefined {
  const { strangers = [], holders = [] } = ledger.get(ip) ?? {};
  const stranger = firstOf(strangers, () => true);
  if (stranger !== undefined) return { reason: "IPInUse", ip, holder: stranger, stranger: true };
  const clashWith = (key: string) => {
    const other = key === demand.key ? undefined : demandOf(key);
    return other && clashOf(demand, other);
  };
  const holder = firstOf(holders, (key) => clashWith(key) !== undefined);
  const clash = holder === undefined ? undefined : clashWith(holder);
  if (holder === undefined || clash === undefined) return undefined;
  return demand.sharing === undefined
    ? { reason: "IPInUse", ip, holder, stranger: false }
    : { reason: "SharingRefused", ip, clash };
}

/** Gives the first, in the order of the texts, that `is` true of. */
function firstOf(texts: Iterable<string>, is: (text: string) => boolean): string | undefined {
  let found: string | undefined;
  for (const text of texts) if ((found === undefined || text < found) && is(text)) found = text;
  return found;
}

/** Says what a pool that would do has not got. */
function lacks(pool: Pool, { held }: Seeker, { options, requested }: Target): Refusal {
  const settled = [...requested, ...(held?.pool === pool.name ? held.ips : [])];
  const families = (options[0] ?? []).filter((family) => !settled.some((ip) => ip.family === family));
  const without = families.filter((family) => !pool.has(family));
  const exhausted = families.filter((family) => pool.has(family) && pool.lowestFree(family) === undefined);
  // Of a pool that could give one family alone, that family's being full is what keeps it from doing so.
  const alone = options.length > 1 && exhausted.length > 0;
  return { pool: pool.name, why: "Lacks", without: alone ? [] : without, exhausted };
}

/** Says what keeps a Service from the lowest address of full pools that is held under its own sharing key. */
function whyUnshared(full: readonly Refusal[], seeker: Seeker, supply: Supply): Unshared | undefined {
  const { sharing } = seeker.demand;
  if (sharing === undefined) return undefined;
  const wouldHelp = (ip: IP) =>
    full.some(
      (one) => one.why === "Lacks" && one.exhausted.includes(ip.family) && supply.pools.get(one.pool)?.contains(ip),
    );
  const ips = supply.sharedUnder(sharing.key).filter((ip) => !holds(seeker.held, ip) && wouldHelp(ip));
  for (const ip of [...ips].sort(byValue)) {
    const why = whyTaken(ip, seeker, supply);
    if (why?.reason === "SharingRefused") return { ip, clash: why.clash };
  }
  return undefined;
}

function byValue(a: IP, b: IP): number {
  return byFamily(a, b) || (a.value < b.value ? -1 : a.value > b.value ? 1 : 0);
}

function lowest(ips: readonly IP[]): IP | undefined {
  let found: IP | undefined;
  for (const ip of ips) if (found === undefined || ip.value < found.value) found = ip;
  return found;
}

export function byFamily(a: IP, b: IP): number {
  return a.family < b.family ? -1 : a.family > b.family ? 1 : 0;
}
