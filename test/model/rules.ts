import { matchesSelector } from "../../src/api/label-selector.ts";
import type { IPFamily } from "../../src/api/objects.ts";
import type { Demand, Request, Sharing } from "../../src/ipam/demand.ts";
import type { Clash } from "../../src/ipam/verdict.ts";
import type { Held, ModelPool, Moment } from "./cluster.ts";
import { textOf } from "./small-world.ts";

/** The address contract, slow and obvious: every question is answered by trying all pools and all addresses. */

export function familyOf(ip: string): IPFamily {
  return ip.includes(":") ? "IPv6" : "IPv4";
}

export function wanted({ families, policy }: Demand): readonly IPFamily[] {
  return policy === "SingleStack" ? families.slice(0, 1) : families;
}

/** The request as far as it can be read. */
export function askedFor(demand: Demand): { readonly pool?: string; readonly ips: readonly string[] } | undefined {
  const request: Request | undefined = demand.request;
  if (request === undefined || "problem" in request) return undefined;
  return { ...(request.pool !== undefined && { pool: request.pool }), ips: request.ips.map(textOf) };
}

export function isUnreadable(demand: Demand): boolean {
  return demand.request !== undefined && "problem" in demand.request;
}

/** Pools in the order in which they are tried. */
export function inOrder(moment: Moment): readonly ModelPool[] {
  return [...moment.pools.values()].sort((a, b) => b.spec.priority - a.spec.priority || (a.name < b.name ? -1 : 1));
}

/** By age, then namespace, then name. */
export function isOlder(a: Demand, b: Demand): boolean {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt;
  return isBeforeByName(a.key, b.key);
}

export function isBeforeByName(a: string, b: string): boolean {
  const [nsA, nameA] = a.split("/") as [string, string];
  const [nsB, nameB] = b.split("/") as [string, string];
  return nsA !== nsB ? nsA < nsB : nameA < nameB;
}

/** Of two pools that overlap the younger loses, and is no reason for others to lose; pools that go or are bad block nobody. */
export function overlapping(moment: Moment): ReadonlySet<string> {
  const byAge = [...moment.pools.values()].sort((a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1));
  const accepted: ModelPool[] = [];
  const losers = new Set<string>();
  for (const pool of byAge) {
    if (pool.deleting || pool.contents.invalid) continue;
    if (accepted.some((other) => remaining(other).some((ip) => remaining(pool).includes(ip)))) losers.add(pool.name);
    else accepted.push(pool);
  }
  return losers;
}

/** The addresses of a pool, without those that it excludes. */
function remaining({ contents }: ModelPool): readonly string[] {
  return contents.all.filter((ip) => !contents.excluded.has(ip));
}

export function isReady(moment: Moment, { name }: ModelPool): boolean {
  return moment.book.report(name)?.state.state === "Valid";
}

/** The selectors of a pool that leave a Service out. */
export function selectorsAgainst(
  moment: Moment,
  { spec }: ModelPool,
  { namespace, labels }: Demand,
): readonly ("NamespaceSelector" | "ServiceSelector")[] {
  return [
    ...(matchesSelector(spec.namespaceSelector, moment.namespaces.get(namespace) ?? {})
      ? []
      : (["NamespaceSelector"] as const)),
    ...(matchesSelector(spec.serviceSelector, labels) ? [] : (["ServiceSelector"] as const)),
  ];
}

/** Why a pool could no longer give an address to a Service that has it; empty where it could. */
export function strandedBy(moment: Moment, pool: ModelPool | undefined, ip: string, demand: Demand): readonly string[] {
  if (pool === undefined) return ["PoolGone"];
  const { all, excluded, avoided } = pool.contents;
  return [
    ...(all.includes(ip) ? [] : ["OutsidePool"]),
    ...(excluded.has(ip) ? ["Excluded"] : []),
    ...(avoided.has(ip) ? ["Avoided"] : []),
    ...selectorsAgainst(moment, pool, demand),
  ];
}

/** Tells whether a pool gives an address to a Service, were it free. `asked`: for the pool or the address by name. */
export function gives(moment: Moment, pool: ModelPool, ip: string, demand: Demand, asked: boolean): boolean {
  return isReady(moment, pool) && (asked || pool.spec.autoAssign) && strandedBy(moment, pool, ip, demand).length === 0;
}

/** Says all that keeps two Services from having the same address. */
export function clashes(a: Demand, b: Demand): readonly Clash["what"][] {
  const [one, two] = [a.sharing, b.sharing];
  if (one === undefined || two === undefined || one.key !== two.key) return ["Key"];
  const consents = ({ namespaces }: Sharing, to: string) => namespaces === "*" || namespaces.includes(to);
  const isLocal = one.policy === "Local" && two.policy === "Local";
  const isApart = a.namespace !== b.namespace;
  const found: Clash["what"][] = [];
  if (one.ports.some((port) => two.ports.includes(port))) found.push("Port");
  if (one.policy !== two.policy) found.push("Policy");
  if (isApart && (isLocal || !consents(one, b.namespace) || !consents(two, a.namespace))) found.push("Namespace");
  if (isLocal && (one.selector === "" || one.selector !== two.selector)) found.push("Selector");
  return found;
}

/** Says what keeps two Services from having the same address; undefined where nothing does. */
export function clash(a: Demand, b: Demand): Clash["what"] | undefined {
  return clashes(a, b)[0];
}

/** Services of Herald that hold an address, but for `key` and those of `gone`. */
export function holdersOf(
  moment: Moment,
  ip: string,
  key: string,
  gone: ReadonlySet<string> = NOBODY,
): readonly string[] {
  const found: string[] = [];
  for (const [other, { ips }] of moment.held)
    if (other !== key && !gone.has(other) && ips.includes(ip)) found.push(other);
  return found;
}

/** Services that Herald doesn't serve, or decides nothing about yet, which have an address and don't share it. */
export function othersWith(moment: Moment, ip: string, key: string): readonly string[] {
  const demand = moment.demands.get(key);
  const undecided = [...moment.reserved].filter(([other]) => {
    const theirs = moment.demands.get(other);
    return demand === undefined || theirs === undefined || clash(theirs, demand) !== undefined;
  });
  const all = [...moment.strangers, ...undecided];
  return all.filter(([other, ips]) => other !== key && ips.includes(ip)).map(([other]) => other);
}

/** Tells whether a Service could have an address as far as others are concerned; where they could share it, it joins them. */
export function isTakeable(moment: Moment, ip: string, demand: Demand, gone: ReadonlySet<string> = NOBODY): boolean {
  return (
    othersWith(moment, ip, demand.key).length === 0 &&
    holdersOf(moment, ip, demand.key, gone).every((other) => {
      const theirs = moment.demands.get(other);
      return theirs !== undefined && clash(theirs, demand) === undefined;
    })
  );
}

/** The sets of families that would do, the most wanted first. */
export function options(demand: Demand): readonly (readonly IPFamily[])[] {
  const families = wanted(demand);
  const asked = askedFor(demand)?.ips.map(familyOf) ?? [];
  const alone = demand.policy === "PreferDualStack" && families.length > 1 ? families.map((family) => [family]) : [];
  return [families, ...alone].filter((option) => asked.every((family) => option.includes(family)));
}

/** Labels of a namespace that nobody has seen yet leave it open which pools may serve it. */
export function isKnown(moment: Moment, { namespace }: Demand): boolean {
  return (
    moment.namespaces.has(namespace) ||
    ![...moment.pools.values()].some(({ spec }) => spec.namespaceSelector !== undefined)
  );
}

export interface Choice {
  readonly pool: string;
  readonly ips: readonly string[];
}

/** All that a Service without any address could be given at this moment, the most wanted set of families first. */
export function choices(moment: Moment, demand: Demand, gone: ReadonlySet<string> = NOBODY): readonly Choice[] {
  if (demand.deleting || isUnreadable(demand) || !isKnown(moment, demand)) return [];
  const request = askedFor(demand);
  const found: Choice[] = [];
  for (const option of options(demand)) {
    for (const pool of inOrder(moment)) {
      if (request?.pool !== undefined && request.pool !== pool.name) continue;
      const perFamily = option.map((family) => {
        const named = request?.ips.find((ip) => familyOf(ip) === family);
        const candidates = named === undefined ? pool.contents.givable : [named];
        return candidates.filter(
          (ip) =>
            familyOf(ip) === family &&
            gives(moment, pool, ip, demand, request !== undefined) &&
            isTakeable(moment, ip, demand, gone),
        );
      });
      for (const ips of product(perFamily)) found.push({ pool: pool.name, ips: [...ips].sort(byFamily) });
    }
    if (found.length > 0) return found;
  }
  return found;
}

/** What a Service without any address gets: where its sharing key is held, one of those, else the first free. */
export function firstChoices(moment: Moment, demand: Demand, gone: ReadonlySet<string> = NOBODY): readonly Choice[] {
  const all = choices(moment, demand, gone);
  const joined = ({ ips }: Choice) => ips.filter((ip) => holdersOf(moment, ip, demand.key, gone).length > 0).length;
  const most = Math.max(0, ...all.map(joined));
  return most > 0 ? all.filter((choice) => joined(choice) === most) : all.slice(0, 1);
}

/** Tells whether what is held is of the pool that is asked for, and has the addresses that are. */
export function isRequestMet(demand: Demand, held: Held): boolean {
  if (isUnreadable(demand)) return false;
  const request = askedFor(demand);
  if (request?.pool !== undefined && request.pool !== held.pool) return false;
  return !request?.ips.some((ip) => !held.ips.includes(ip));
}

/** Tells whether what is held is all that is asked for. */
export function isMet(demand: Demand, held: Held | undefined): boolean {
  if (held === undefined || !isRequestMet(demand, held)) return false;
  const families = held.ips.map(familyOf);
  return options(demand).some(
    (option) => option.length === families.length && option.every((one) => families.includes(one)),
  );
}

/** Tells whether some of what is held is of a family that is asked for. */
export function hasSome(demand: Demand, held: Held | undefined): held is Held {
  return held?.ips.some((ip) => wanted(demand).includes(familyOf(ip))) ?? false;
}

/** Addresses that would complete what a Service holds, from the pool that it holds already. */
export function completions(moment: Moment, demand: Demand, held: Held): readonly string[] {
  const pool = moment.pools.get(held.pool);
  if (pool === undefined || demand.deleting || isUnreadable(demand)) return [];
  const request = askedFor(demand);
  const missing = wanted(demand).filter((family) => !held.ips.some((ip) => familyOf(ip) === family));
  return pool.contents.givable.filter((ip) => {
    if (!missing.includes(familyOf(ip))) return false;
    const named = request?.ips.find((one) => familyOf(one) === familyOf(ip));
    return (named ?? ip) === ip && gives(moment, pool, ip, demand, true) && isTakeable(moment, ip, demand);
  });
}

const NOBODY: ReadonlySet<string> = new Set();

function product(lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return lists.reduce<readonly (readonly string[])[]>(
    (sofar, list) => sofar.flatMap((one) => list.map((ip) => [...one, ip])),
    [[]],
  );
}

function byFamily(a: string, b: string): number {
  return familyOf(a) < familyOf(b) ? -1 : familyOf(a) > familyOf(b) ? 1 : 0;
}
