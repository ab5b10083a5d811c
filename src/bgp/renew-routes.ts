import { bitsOf } from "../ipam/addresses.ts";
import { differences } from "../persistent-map.ts";
import type { Announcement } from "./announcing.ts";
import type { Desired, DesiredParts } from "./desired.ts";
import { type HeldIP, prefixOf } from "./held-ip.ts";
import type { Route } from "./model.ts";
import { routeOf } from "./routes.ts";

/**
 * Gives the routes where nothing is new but IPs: a copy with theirs put right, or the same map where that alters none.
 * Undefined where more than a host route comes or goes: an aggregate goes with the last of its members, which only all
 * IPs together tell.
 */
export function renewRoutes(
  { madeOf, state }: Desired,
  held: DesiredParts["held"],
): ReadonlyMap<string, Route> | undefined {
  const gone: string[] = [];
  const come: Route[] = [];
  for (const ip of differences(madeOf.held, held)) {
    const was = announcementsOf(ip, madeOf.held.get(ip), madeOf);
    const is = announcementsOf(ip, held.get(ip), madeOf);
    if (was === is) continue;
    if (![...was, ...is].every((one) => isAlone(ip, one, madeOf))) return undefined;
    for (const one of was) gone.push(prefixOf(ip, one.length, one));
    for (const one of is) come.push(routeOf(prefixOf(ip, one.length, one), one.group, madeOf.numbers));
  }
  if (gone.length + come.length === 0) return state.routes;
  const routes = new Map(state.routes);
  for (const prefix of gone) routes.delete(prefix);
  for (const route of come) routes.set(route.prefix, route);
  return routes;
}

function announcementsOf(ip: string, held: HeldIP | undefined, { ground }: DesiredParts): readonly Announcement[] {
  return held === undefined ? NONE : ground.of(ip, held).announcements;
}

const NONE: readonly Announcement[] = [];

/** Tells whether what stands for an IP stands for no other, and is of a kind that is there whether this IP is or not. */
function isAlone(ip: string, announcement: Announcement, { usual }: DesiredParts): boolean {
  return announcement.length === bitsOf(ip.includes(":") ? "IPv6" : "IPv4") && usual.has(announcement);
}
