import type { RouteAttributes } from "./model.ts";
import { type Rule, USUAL_LOCAL_PREF, unite } from "./rules.ts";

/** What the routes say that follow the same rules, and to whom. */
export interface Group {
  /** The same for groups of the same rules. */
  readonly key: string;
  readonly rules: readonly Rule[];
  /** What all of its peers see. */
  readonly attributes: RouteAttributes;
  /** Undefined: every peer gets the routes, just as they are. */
  readonly audience: Audience | undefined;
}

/**
 * Who gets routes, and what each sees besides. It names BGPPeers, not the sessions of one node: so it stays the same when
 * sessions come and go, and groups that differ only in what all see have the same one.
 */
export interface Audience {
  readonly key: string;
  readonly parts: readonly Part[];
}

interface Part extends RouteAttributes {
  /** Names of BGPPeers; undefined: all. */
  readonly peers: readonly string[] | undefined;
}

/** Makes the group of routes that follow all of these rules. Their order does not matter, nor does one that comes twice. */
export function groupOf(all: readonly Rule[]): Group {
  const rules = [...new Map(all.map((rule) => [rule.key, rule])).values()].sort(byKey);
  const attributes = seenByAll(rules);
  return { key: rules.map(({ key }) => key).join(), rules, attributes, audience: audienceOf(rules, attributes) };
}

/** Gives what a peer sees of routes besides what all see; undefined: it does not get them. `internal`: it is of the own AS (iBGP). */
export function additionsFor(audience: Audience, peer: string, internal: boolean): RouteAttributes | undefined {
  const parts = audience.parts.filter(({ peers }) => peers === undefined || peers.includes(peer));
  if (parts.length === 0) return undefined;
  const additions = unite(parts);
  return internal ? additions : { ...additions, localPref: undefined };
}

/**
 * Gives each audience, by key, a number of 32 bits that is not 0. It is made of the key alone, so an audience that comes
 * later renumbers none; only where two would have the same does the later in order take the next one.
 */
export function numberAudiences(keys: Iterable<string>): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  const taken = new Set<number>();
  for (const key of [...new Set(keys)].sort()) {
    let number = hash(key) || 1;
    while (taken.has(number)) number = (number + 1) >>> 0 || 1;
    taken.add(number);
    numbers.set(key, number);
  }
  return numbers;
}

/**
 * Every peer gets a route by some rule: so it sees what the rules for all peers say, and what all rules agree on. Of
 * LOCAL_PREF that is the least of what any rule says: so additions only raise it, and never to 0, which gobgpd can't.
 */
function seenByAll(rules: readonly Rule[]): RouteAttributes {
  const forAll = rules.filter(({ peers }) => peers === undefined);
  const { communities, largeCommunities, localPref, med } = unite([...forAll, agreement(rules)]);
  const least = forAll.length > 0 ? localPref : Math.min(...rules.map((rule) => rule.localPref));
  return { communities, largeCommunities, med, localPref: least === USUAL_LOCAL_PREF ? undefined : least };
}

/** What is in all rules. */
function agreement(rules: readonly Rule[]): RouteAttributes {
  const [first, ...rest] = rules;
  if (first === undefined) return NOTHING;
  return {
    communities: first.communities.filter((one) => rest.every(({ communities }) => communities.includes(one))),
    largeCommunities: first.largeCommunities.filter((one) =>
      rest.every(({ largeCommunities }) => largeCommunities.includes(one)),
    ),
    localPref: undefined,
    med: rest.every(({ med }) => med === first.med) ? first.med : undefined,
  };
}

function audienceOf(rules: readonly Rule[], seen: RouteAttributes): Audience | undefined {
  const all = rules.map((rule): Part => ({ peers: rule.peers, ...additions(rule, seen) }));
  const forAll = all.some(({ peers }) => peers === undefined);
  const adding = all.filter((part) => !forAll || (part.peers !== undefined && !isNothing(part)));
  if (adding.length === 0) return undefined;
  const parts = forAll ? [{ peers: undefined, ...NOTHING }, ...adding] : adding;
  const byText = new Map(parts.map((part) => [JSON.stringify(part), part]));
  const sorted = [...byText].sort(([a], [b]) => (a < b ? -1 : 1));
  return { key: sorted.map(([text]) => text).join(), parts: sorted.map(([, part]) => part) };
}

/** What a rule says that not all see. */
function additions(rule: Rule, seen: RouteAttributes): RouteAttributes {
  const { med } = unite([rule, seen]);
  return {
    communities: rule.communities.filter((one) => !seen.communities.includes(one)),
    largeCommunities: rule.largeCommunities.filter((one) => !seen.largeCommunities.includes(one)),
    localPref: rule.localPref > (seen.localPref ?? USUAL_LOCAL_PREF) ? rule.localPref : undefined,
    med: med === seen.med ? undefined : med,
  };
}

const NOTHING: RouteAttributes = { communities: [], largeCommunities: [], localPref: undefined, med: undefined };

function isNothing({ communities, largeCommunities, localPref, med }: RouteAttributes): boolean {
  return communities.length + largeCommunities.length === 0 && localPref === undefined && med === undefined;
}

function byKey(a: Rule, b: Rule): number {
  return a.key < b.key ? -1 : 1;
}

/** FNV-1a of 32 bits, over the UTF-16 code units. */
function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x0100_0193);
  return value >>> 0;
}
