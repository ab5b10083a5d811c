import type { IPFamily } from "../api/objects.ts";
import { wireFamily } from "./gobgp-peer.ts";
import type { WireAttribute, WireDestination, WireLargeCommunity, WireNlri, WirePath } from "./gobgp-wire.ts";
import { markerOf, profileOf } from "./marker.ts";
import type { Route } from "./model.ts";

/** RFC 4271, section 4.3: the route is the node's own. */
const IGP = { origin: { origin: 0 } };
/** On the way out gobgpd puts the session's own address in their place. */
const SELF: Readonly<Record<IPFamily, string>> = { IPv4: "0.0.0.0", IPv6: "::" };
/** What follows no profile that can be wanted: a number that is none of 32 bits. */
const STRANGE = -1;

/** Gives the route as gobgpd takes it. */
export function wirePath(route: Route): WirePath {
  const { communities, largeCommunities, localPref, med, profile } = route;
  const large = largeCommunities.map(wireLargeCommunity);
  if (profile !== undefined) large.push(markerOf(profile));
  const to = destinationOf(route.prefix);
  const pattrs: WireAttribute[] = [IGP, ...to.pattrs];
  if (med !== undefined) pattrs.push({ multi_exit_disc: { med } });
  if (localPref !== undefined) pattrs.push({ local_pref: { local_pref: localPref } });
  if (communities.length > 0) pattrs.push({ communities: { communities } });
  if (large.length > 0) pattrs.push({ large_communities: { communities: large } });
  return { ...to, pattrs };
}

/** Gives what takes the route of a prefix away. */
export function wireWithdrawal(prefix: string): WirePath {
  return { ...destinationOf(prefix), is_withdraw: true };
}

function destinationOf(prefix: string): WirePath {
  const slash = prefix.indexOf("/");
  const nlri: WireNlri = { prefix: { prefix: prefix.slice(0, slash), prefix_len: Number(prefix.slice(slash + 1)) } };
  if (!prefix.includes(":"))
    return { nlri, family: wireFamily("IPv4"), pattrs: [{ next_hop: { next_hop: SELF.IPv4 } }] };
  const family = wireFamily("IPv6");
  return { nlri, family, pattrs: [{ mp_reach: { family, next_hops: [SELF.IPv6], nlris: [nlri] } }] };
}

/**
 * Gives the node's own route to a destination; undefined: there is none. One that `wirePath` could not have made follows
 * profile -1, so that it differs from whatever is wanted.
 */
export function routeFrom({ prefix, paths }: WireDestination): Route | undefined {
  const path = paths.find(isOwn);
  if (path === undefined) return undefined;
  let strange = false;
  let profile: number | undefined;
  let large: string[] = [];
  let communities: readonly number[] = [];
  let localPref: number | undefined;
  let med: number | undefined;
  for (const attribute of path.pattrs) {
    if (attribute.communities) communities = attribute.communities.communities;
    else if (attribute.local_pref) localPref = attribute.local_pref.local_pref;
    else if (attribute.multi_exit_disc) med = attribute.multi_exit_disc.med;
    else if (attribute.large_communities) {
      const all = attribute.large_communities.communities;
      profile = all.map(profileOf).find((one) => one !== undefined);
      large = all.filter((one) => profileOf(one) === undefined).map(largeCommunityText);
    } else if (!isExpected(attribute)) strange = true;
  }
  return { prefix, communities, largeCommunities: large, localPref, med, profile: strange ? STRANGE : profile };
}

/** Tells whether the path was added over the API, and did not come from a peer. */
export function isOwn({ neighbor_ip }: WirePath): boolean {
  return neighbor_ip === undefined || neighbor_ip === "";
}

function isExpected({ origin, next_hop, mp_reach }: WireAttribute): boolean {
  if (origin) return origin.origin === IGP.origin.origin;
  if (next_hop) return next_hop.next_hop === SELF.IPv4;
  if (mp_reach) return mp_reach.next_hops[0] === SELF.IPv6;
  return false;
}

function wireLargeCommunity(text: string): WireLargeCommunity {
  const [global_admin = 0, local_data1 = 0, local_data2 = 0] = text.split(":").map(Number);
  return { global_admin, local_data1, local_data2 };
}

function largeCommunityText({ global_admin, local_data1, local_data2 }: WireLargeCommunity): string {
  return `${global_admin}:${local_data1}:${local_data2}`;
}
