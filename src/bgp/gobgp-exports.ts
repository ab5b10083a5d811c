import { isDeepStrictEqual } from "node:util";
import type { IPFamily } from "../api/objects.ts";
import { wireFamily } from "./gobgp-peer.ts";
import type { WireAssignment, WireDefinedSet, WirePolicy, WireStatement } from "./gobgp-wire.ts";
import { ANY_MARKER, markerPattern } from "./marker.ts";
import type { ExportPolicy, RouteAttributes } from "./model.ts";

/**
 * The policies as gobgpd has them. One for exports, of statements that are tried in order for each route and neighbor:
 *   next hops      per neighbor and family: set it, or reject the route
 *   profiles       per profile: for each of its neighbors add what it sees, remove the marker and accept; reject for all others
 *   any profile    reject: a profile that has no statements
 *   own            accept what is the node's own
 * What is left, which is what came from peers, the assignment's default rejects. And one for imports, which what is added
 * over the API has to pass too: accept what is the node's own; the default rejects.
 */
export interface WireExports {
  readonly sets: readonly WireDefinedSet[];
  readonly policies: readonly WirePolicy[];
}

/** Gives the address that gobgpd knows a neighbor by; undefined for an unnumbered one that it does not know yet. */
export type AddressOf = (neighbor: string) => string | undefined;

const EXPORTS = "herald exports";
const IMPORTS = "herald imports";
const ANY = "any";
const FAMILIES: readonly IPFamily[] = ["IPv4", "IPv6"];

/**
 * Renders the policy. What is for a neighbor without an address is left out: it has no session.
 * Two unnumbered neighbors with the same link-local address are one to gobgpd's conditions: each gets what is for either.
 * Throws RangeError for a local preference of 0, which gobgpd's policies can't set.
 */
export function renderExports(exports: ExportPolicy, addressOf: AddressOf): WireExports {
  const sets = new Map<string, WireDefinedSet>();
  const statements: WireStatement[] = [];
  const forNeighbor = (neighbor: string) => {
    const name = `to ${neighbor}`;
    if (!sets.has(name)) sets.set(name, neighborSet(name, addressOf(neighbor) as string));
    return { neighbor_set: { type: "TYPE_ANY", name } } as const;
  };
  const forProfile = (profile: number | typeof ANY, pattern: string) => {
    const name = `profile ${profile}`;
    if (!sets.has(name)) sets.set(name, { defined_type: "DEFINED_TYPE_LARGE_COMMUNITY", name, list: [pattern] });
    return { large_community_set: { type: "TYPE_ANY", name } } as const;
  };
  const known = (neighbor: string) => addressOf(neighbor) !== undefined;

  for (const neighbor of [...exports.nextHops.keys()].filter(known).sort()) {
    for (const family of FAMILIES) {
      const address = exports.nextHops.get(neighbor)?.[family];
      if (address === undefined) continue;
      const conditions = { ...forNeighbor(neighbor), afi_safi_in: [wireFamily(family)] };
      statements.push(
        address === "none"
          ? statement(`next hop ${family} ${neighbor}`, conditions, { route_action: "ROUTE_ACTION_REJECT" })
          : statement(`next hop ${family} ${neighbor}`, conditions, { nexthop: { address } }),
      );
    }
  }
  for (const [profile, seen] of [...exports.profiles].sort(([a], [b]) => a - b)) {
    const marked = forProfile(profile, markerPattern(profile));
    for (const neighbor of [...seen.keys()].filter(known).sort()) {
      const attributes = seen.get(neighbor) as RouteAttributes;
      const conditions = { ...forNeighbor(neighbor), ...marked, ...OWN };
      const name = `profile ${profile} ${neighbor}`;
      const { largeCommunities } = attributes;
      // One statement does one thing to the large communities.
      if (largeCommunities.length > 0)
        statements.push(
          statement(`${name} large`, conditions, {
            large_community: { type: "TYPE_ADD", communities: largeCommunities },
          }),
        );
      statements.push(statement(name, conditions, { ...actionsFor(attributes), ...UNMARK, ...ACCEPT }));
    }
    statements.push(statement(`profile ${profile}`, marked, { route_action: "ROUTE_ACTION_REJECT" }));
  }
  statements.push(
    statement(`profile ${ANY}`, forProfile(ANY, ANY_MARKER), { route_action: "ROUTE_ACTION_REJECT" }),
    statement("own", OWN, ACCEPT),
  );
  const imports = statement("let own in", OWN, ACCEPT);
  return {
    sets: [...sets.values()],
    policies: [
      { name: EXPORTS, statements },
      { name: IMPORTS, statements: [imports] },
    ],
  };
}

/** Puts the policies to use: for all peers, as they have no policies of their own. */
export const ASSIGN_EXPORTS = assignmentOf("POLICY_DIRECTION_EXPORT", EXPORTS);
export const ASSIGN_IMPORTS = assignmentOf("POLICY_DIRECTION_IMPORT", IMPORTS);

function assignmentOf(direction: WireAssignment["direction"], policy: string): WireAssignment {
  return {
    name: "global",
    direction,
    policies: [{ name: policy, statements: [] }],
    default_action: "ROUTE_ACTION_REJECT",
  };
}

/** Tells whether an assignment does what `wanted` does; the policies that it names are not looked into. */
export function isAssigned(wanted: WireAssignment, assignments: readonly WireAssignment[]): boolean {
  return assignments.some(
    ({ name, direction, default_action, policies }) =>
      name === wanted.name &&
      direction === wanted.direction &&
      default_action === wanted.default_action &&
      policies.length === 1 &&
      policies[0]?.name === wanted.policies[0]?.name,
  );
}

const OWN = { route_type: "ROUTE_TYPE_LOCAL" } as const;
const ACCEPT = { route_action: "ROUTE_ACTION_ACCEPT" } as const;
const UNMARK = { large_community: { type: "TYPE_REMOVE", communities: [ANY_MARKER] } } as const;

function neighborSet(name: string, address: string): WireDefinedSet {
  const bare = address.replace(/%.*$/, "");
  return { defined_type: "DEFINED_TYPE_NEIGHBOR", name, list: [`${bare}/${bare.includes(":") ? 128 : 32}`] };
}

function statement(
  name: string,
  conditions: Partial<WireStatement["conditions"]>,
  actions: Partial<WireStatement["actions"]>,
): WireStatement {
  return {
    name,
    conditions: {
      neighbor_set: null,
      route_type: "ROUTE_TYPE_UNSPECIFIED",
      large_community_set: null,
      afi_safi_in: [],
      ...conditions,
    },
    actions: {
      route_action: "ROUTE_ACTION_UNSPECIFIED",
      community: null,
      med: null,
      nexthop: null,
      local_pref: null,
      large_community: null,
      ...actions,
    },
  };
}

function actionsFor({ communities, localPref, med }: RouteAttributes): Partial<WireStatement["actions"]> {
  if (localPref === 0) throw new RangeError("a local preference of 0 can't be set for some peers only");
  return {
    ...(communities.length > 0 && {
      community: { type: "TYPE_ADD" as const, communities: communities.map((one) => `${one >>> 16}:${one & 0xffff}`) },
    }),
    ...(med !== undefined && { med: { type: "TYPE_REPLACE" as const, value: med } }),
    ...(localPref !== undefined && { local_pref: { value: localPref } }),
  };
}

/** What gobgpd holds of policies. */
export interface HeldPolicies extends WireExports {
  readonly assignments: readonly WireAssignment[];
}

/** Gives the policy that gobgpd holds: foreign where it is not exactly what `renderExports` makes. */
export function exportsFrom({ sets, policies, assignments }: HeldPolicies, addressOf: AddressOf): ExportPolicy {
  const parsed = parse(policies.find(({ name }) => name === EXPORTS)?.statements ?? []);
  const made = renderExports(parsed, addressOf);
  const exact =
    isDeepStrictEqual(plain(byName(made.sets)), plain(byName(sets))) &&
    isDeepStrictEqual(plain(byName(made.policies)), plain(byName(policies))) &&
    isAssigned(ASSIGN_EXPORTS, assignments);
  return { ...parsed, foreign: !exact };
}

/** The names say whom a statement is for; nothing is checked here. */
function parse(statements: readonly WireStatement[]): ExportPolicy {
  const profiles = new Map<number, Map<string, RouteAttributes>>();
  const nextHops = new Map<string, Partial<Record<IPFamily, string>>>();
  let large: readonly string[] = [];
  for (const { name, actions } of statements) {
    const [, family, to] = /^next hop (IPv4|IPv6) (\S+)$/.exec(name) ?? [];
    if (family !== undefined && to !== undefined) {
      const address = actions.nexthop?.address ?? "none";
      nextHops.set(to, { ...nextHops.get(to), [family]: address });
    }
    const [, number, neighbor, first] = /^profile (\d+)(?: (\S+?)( large)?)?$/.exec(name) ?? [];
    if (number === undefined) continue;
    const profile = Number(number);
    if (!profiles.has(profile)) profiles.set(profile, new Map());
    if (neighbor === undefined) continue;
    if (first !== undefined) {
      large = actions.large_community?.communities ?? [];
    } else {
      profiles.get(profile)?.set(neighbor, attributesFrom(actions, large));
      large = [];
    }
  }
  return { profiles, nextHops, foreign: false };
}

function attributesFrom(actions: WireStatement["actions"], largeCommunities: readonly string[]): RouteAttributes {
  return {
    communities: (actions.community?.communities ?? []).map((text) => {
      const [high = 0, low = 0] = text.split(":").map(Number);
      return high * 0x1_0000 + low;
    }),
    largeCommunities,
    localPref: actions.local_pref?.value,
    med: actions.med?.value,
  };
}

function byName<T extends { readonly name: string }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** proto-loader's objects differ from literals in their prototype alone. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
