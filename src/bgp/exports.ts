import { sameAttributes } from "./equal.ts";
import type { ExportPolicy, Route, RouteAttributes } from "./model.ts";

/** The policy that serves routes of both, for the peers of `over`: that one has the last word. */
export function overlaid(under: ExportPolicy, over: ExportPolicy): ExportPolicy {
  return {
    profiles: new Map([...under.profiles, ...over.profiles]),
    nextHops: over.nextHops,
    foreign: over.foreign,
  };
}

export function sameExports(a: ExportPolicy, b: ExportPolicy): boolean {
  if (a === b) return true;
  return (
    a.foreign === b.foreign && sameMap(a.profiles, b.profiles, sameProfile) && sameMap(a.nextHops, b.nextHops, sameHops)
  );
}

/** Whether a route leaves to a peer in the same way under both policies. */
export function sameTo(neighbor: string, { profile, prefix }: Route, a: ExportPolicy, b: ExportPolicy): boolean {
  const family = prefix.includes(":") ? "IPv6" : "IPv4";
  if (a.nextHops.get(neighbor)?.[family] !== b.nextHops.get(neighbor)?.[family]) return false;
  if (profile === undefined) return true;
  return sameAttributes(a.profiles.get(profile)?.get(neighbor), b.profiles.get(profile)?.get(neighbor));
}

type Profile = ReadonlyMap<string, RouteAttributes>;
type Hops = NonNullable<ReturnType<ExportPolicy["nextHops"]["get"]>>;

function sameProfile(a: Profile, b: Profile): boolean {
  return sameMap(a, b, sameAttributes);
}

function sameHops(a: Hops, b: Hops): boolean {
  return a.IPv4 === b.IPv4 && a.IPv6 === b.IPv6;
}

function sameMap<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>, same: (a: V, b: V) => boolean): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    if (other === undefined || !same(value, other)) return false;
  }
  return true;
}
