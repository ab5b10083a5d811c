import type { Call } from "./calls.ts";
import { sameGlobal, samePace, sameRoute, sameSession } from "./equal.ts";
import { overlaid, sameExports, sameTo } from "./exports.ts";
import type { BGPState, Route } from "./model.ts";

/**
 * Gives the calls that turn `actual` into `desired`; none where they are the same. Their order is part of the promise:
 * - A route that both have, unchanged, is not touched, nor is such a peer; a route that changed is replaced.
 * - No peer sees a route that neither state shows it: one that goes is closed before routes change, and what leaves to
 *   whom is settled before the routes and peers that depend on it are added.
 * - What is added comes before what is withdrawn.
 * - Routes come before new peers, so that the first word to a router is the whole one and no more, also after a graceful
 *   restart (RFC 4724 section 4.1: End-of-RIB).
 */
export function diff(desired: BGPState, actual: BGPState): readonly Call[] {
  const { global } = desired;
  if (global === undefined) return actual.global === undefined ? [] : [{ do: "StopGlobal" }];
  if (sameGlobal(global, actual.global)) return diffRunning(desired, actual);
  const stop: readonly Call[] = actual.global === undefined ? [] : [{ do: "StopGlobal" }];
  return [...stop, { do: "StartGlobal", global }, ...diffRunning(desired, { ...FRESH, global })];
}

/** What may be expected of a daemon that has just started to speak BGP: nothing good. */
const FRESH: Omit<BGPState, "global"> = {
  peers: new Map(),
  routes: new Map(),
  exports: { profiles: new Map(), nextHops: new Map(), foreign: true },
  importsNothing: false,
};

function diffRunning(desired: BGPState, actual: BGPState): readonly Call[] {
  const calls: Call[] = [];
  for (const neighbor of gone(desired.peers, actual.peers)) calls.push({ do: "DeletePeer", neighbor });
  if (!actual.importsNothing) calls.push({ do: "RejectImports" });

  // Old profiles stay for as long as there are routes that follow them.
  const both = overlaid(actual.exports, desired.exports);
  if (!sameExports(both, actual.exports)) calls.push({ do: "SetExports", exports: both });
  const resend = sameExports(desired.exports, actual.exports) ? [] : seeAnew(desired, actual);
  if (resend.length > 0) calls.push({ do: "ResendTo", neighbors: resend });
  const changed = changedRoutes(desired, actual);
  if (changed.length > 0) calls.push({ do: "AddRoutes", routes: changed });

  const prefixes = gone(desired.routes, actual.routes);
  if (prefixes.length > 0) calls.push({ do: "DeleteRoutes", prefixes });
  if (!sameExports(desired.exports, both)) calls.push({ do: "SetExports", exports: desired.exports });

  const peers = [...desired.peers.values()].sort((a, b) => compare(a.neighbor, b.neighbor));
  for (const peer of peers) {
    const there = actual.peers.get(peer.neighbor);
    if (there === undefined) calls.push({ do: "AddPeer", peer });
    else if (!sameSession(peer, there)) calls.push({ do: "ReplacePeer", peer });
    else if (!samePace(peer, there)) calls.push({ do: "UpdatePeer", peer });
  }
  return calls;
}

function changedRoutes({ routes }: BGPState, actual: BGPState): readonly Route[] {
  if (routes === actual.routes) return [];
  const changed: Route[] = [];
  for (const route of routes.values()) if (!has(actual, route)) changed.push(route);
  return changed.sort((a, b) => compare(a.prefix, b.prefix));
}

function has({ routes }: BGPState, route: Route): boolean {
  const there = routes.get(route.prefix);
  return there !== undefined && sameRoute(route, there);
}

/**
 * The peers with a session that goes on, to which some route that stays as it is leaves otherwise than before. Where a
 * foreign policy was, nobody knows what it let out.
 */
function seeAnew(desired: BGPState, actual: BGPState): readonly string[] {
  const kinds = { IPv4: new Map<number | undefined, Route>(), IPv6: new Map<number | undefined, Route>() };
  for (const route of desired.routes.values()) {
    if (!has(actual, route)) continue;
    const seen = route.prefix.includes(":") ? kinds.IPv6 : kinds.IPv4;
    if (!seen.has(route.profile)) seen.set(route.profile, route);
  }
  const examples = [...kinds.IPv4.values(), ...kinds.IPv6.values()];
  const sees = (neighbor: string) =>
    examples.some((route) => !sameTo(neighbor, route, desired.exports, actual.exports));
  const going = [...desired.peers.values()].filter((peer) => {
    const there = actual.peers.get(peer.neighbor);
    return there !== undefined && sameSession(peer, there);
  });
  const neighbors = going.map(({ neighbor }) => neighbor).sort();
  return actual.exports.foreign ? neighbors : neighbors.filter(sees);
}

function gone(desired: ReadonlyMap<string, unknown>, actual: ReadonlyMap<string, unknown>): readonly string[] {
  return desired === actual ? [] : [...actual.keys()].filter((key) => !desired.has(key)).sort();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
