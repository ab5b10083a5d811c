import type { BGPAnnounce } from "../api/announce.ts";
import { WELL_KNOWN_COMMUNITIES } from "../api/communities.ts";
import type { RouteAttributes } from "./model.ts";

/** What a bgp entry of a pool says of its routes. Two that say the same have the same key. */
export interface Rule extends RouteAttributes {
  readonly key: string;
  /** Names of BGPPeers, sorted; undefined: all. */
  readonly peers: readonly string[] | undefined;
  readonly localPref: number;
}

/** What LOCAL_PREF is where nobody says it, as in every router. */
export const USUAL_LOCAL_PREF = 100;

/** GRACEFUL_SHUTDOWN (RFC 8326). */
const GRACEFUL_SHUTDOWN = 0xffff_0000;

/**
 * Reads an entry. `draining`: its routes are about to go, so whoever has others shall take those (RFC 8326 section 4.1);
 * inside the own AS the local preference says so too, to routers that don't know the community.
 */
export function readRule(entry: BGPAnnounce, draining: boolean): Rule {
  const texts = entry.communities ?? [];
  const standard = texts.filter((text) => !text.startsWith(LARGE)).flatMap((text) => communityNumber(text) ?? []);
  const large = texts.filter((text) => text.startsWith(LARGE)).map((text) => text.slice(LARGE.length));
  const rule = {
    peers: entry.peers && sortedOnce(entry.peers),
    communities: numbersOnce(draining ? [...standard, GRACEFUL_SHUTDOWN] : standard),
    largeCommunities: sortedOnce(large),
    localPref: draining ? 0 : (entry.localPref ?? USUAL_LOCAL_PREF),
    med: entry.med,
  };
  return { key: JSON.stringify(rule), ...rule };
}

/** Gives what a route says that follows several rules: all communities, the highest LOCAL_PREF and the lowest MED that any has. */
export function unite(rules: readonly RouteAttributes[]): RouteAttributes {
  return {
    communities: numbersOnce(rules.flatMap(({ communities }) => communities)),
    largeCommunities: sortedOnce(rules.flatMap(({ largeCommunities }) => largeCommunities)),
    localPref: best(rules, ({ localPref }) => localPref, Math.max),
    med: best(rules, ({ med }) => med, Math.min),
  };
}

const LARGE = "large:";

function communityNumber(text: string): number | undefined {
  const known = WELL_KNOWN_COMMUNITIES.get(text);
  if (known !== undefined) return known;
  const [high, low] = text.split(":").map(Number);
  return high === undefined || low === undefined ? undefined : high * 0x1_0000 + low;
}

function best(
  rules: readonly RouteAttributes[],
  of: (rule: RouteAttributes) => number | undefined,
  choose: (...values: number[]) => number,
): number | undefined {
  const values = rules.flatMap((rule) => of(rule) ?? []);
  return values.length === 0 ? undefined : choose(...values);
}

function numbersOnce(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}

function sortedOnce(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
