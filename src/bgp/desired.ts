import type { BGPPeer } from "../api/bgp-peer.ts";
import type { IPPool } from "../api/ippool.ts";
import type { Announcement, Decision } from "./announcing.ts";
import { Ground, type Nobody } from "./ground.ts";
import { type HeldIP, prefixOf } from "./held-ip.ts";
import type { BGPState, ExportPolicy, Peer, RouteAttributes } from "./model.ts";
import type { BGPNode } from "./node.ts";
import type { NodePeers, OpenedPeer, PeerOutcome, Secrets } from "./peers.ts";
import { type Audience, additionsFor, numberAudiences } from "./profiles.ts";
import { renewRoutes } from "./renew-routes.ts";
import { RouteTable } from "./routes.ts";

/** What is known from the API at one moment; the order of lists does not matter. */
export interface BGPView {
  readonly peers: readonly BGPPeer[];
  readonly secrets: Secrets;
  readonly pools: readonly IPPool[];
  /** By IP, in canonical text. An IP of which nothing changed has the same object as before. */
  readonly held: ReadonlyMap<string, HeldIP>;
}

export interface Desired {
  readonly state: BGPState;
  readonly asns: NodePeers["asns"];
  /** By name of the BGPPeer, sorted; those that select the node. */
  readonly peers: ReadonlyMap<string, PeerOutcome>;
  /** What is announced of an IP, or why nothing is: by this node (see Outcome), or by any. undefined: nobody holds it. */
  readonly outcomeOf: (ip: string) => Decision | Nobody | undefined;
  readonly madeOf: DesiredParts;
}

/** What a result was made of: of what is the same the next time, nothing is computed again. */
export interface DesiredParts {
  readonly ground: Ground;
  readonly held: BGPView["held"];
  /** Of the profiles, by the audiences' keys. */
  readonly numbers: ReadonlyMap<string, number>;
  /** What stands for the IPs of all pools. */
  readonly usual: ReadonlySet<Announcement>;
}

/**
 * Says what a node's gobgpd shall hold, and why it is that. With `before`, an earlier result, it is the same and found
 * faster: with 10 000 IPs of which one changed, that one is looked at.
 */
export function desired(self: BGPNode, view: BGPView, before?: Desired): Desired {
  const known = before?.madeOf.ground;
  if (before === undefined || !known?.isOf(self, view)) return onGround(new Ground(self, view), view.held);
  const routes = renewRoutes(before, view.held);
  if (routes === undefined) return onGround(known, view.held);
  return {
    ...before,
    // What nothing is new of stays the same object: whoever compares the two sees it at once.
    state: routes === before.state.routes ? before.state : { ...before.state, routes },
    outcomeOf: outcomesOn(known, view.held),
    madeOf: { ...before.madeOf, held: view.held },
  };
}

function onGround(ground: Ground, held: BGPView["held"]): Desired {
  const { asns, global, outcomes } = ground.peers;
  const outcomeOf = outcomesOn(ground, held);
  const usual = new Set(ground.usual());
  if (global === undefined) {
    const madeOf = { ground, held, numbers: new Map(), usual };
    return { state: NOTHING, asns, peers: outcomes, outcomeOf, madeOf };
  }
  const table = new RouteTable();
  for (const [ip, one] of held) {
    const { announcements } = ground.of(ip, one);
    for (const each of announcements) table.add(prefixOf(ip, each.length, each), each.group);
  }
  const opened = [...outcomes].filter((entry): entry is [string, OpenedPeer] => entry[1].opened);
  // Those of all pools, also where no Service has an IP of them yet: the first that has one is a route more, and no policy.
  const groups = [...Array.from(usual, ({ group }) => group), ...table.groups()];
  const audiences = new Map(groups.flatMap(({ audience }) => (audience ? [[audience.key, audience]] : [])));
  const numbers = numberAudiences(audiences.keys());
  const state: BGPState = {
    global,
    peers: new Map(opened.map(([, { neighbor, peer }]) => [neighbor, peer])),
    routes: table.routes(numbers),
    exports: exportsOf(opened, audiences, numbers),
    importsNothing: true,
  };
  return { state, asns, peers: withoutIdle(outcomes, ground), outcomeOf, madeOf: { ground, held, numbers, usual } };
}

function outcomesOn(ground: Ground, held: BGPView["held"]): Desired["outcomeOf"] {
  return (ip) => {
    const one = held.get(ip);
    return one && ground.of(ip, one);
  };
}

/** Leaves out the missing next hops of families that no pool has addresses of for the peer: nobody misses those. */
function withoutIdle(outcomes: NodePeers["outcomes"], ground: Ground): NodePeers["outcomes"] {
  return new Map(
    [...outcomes].map(([name, outcome]) => {
      if (!outcome.opened || outcome.missing.size === 0) return [name, outcome];
      const missing = new Map([...outcome.missing].filter(([family]) => ground.isUsed(family, name)));
      return [name, { ...outcome, missing }];
    }),
  );
}

const NOTHING: BGPState = {
  global: undefined,
  peers: new Map(),
  routes: new Map(),
  exports: { profiles: new Map(), nextHops: new Map(), foreign: false },
  importsNothing: true,
};

function exportsOf(
  opened: readonly (readonly [string, OpenedPeer])[],
  audiences: ReadonlyMap<string, Audience>,
  numbers: ReadonlyMap<string, number>,
): ExportPolicy {
  const profiles = new Map<number, ReadonlyMap<string, RouteAttributes>>();
  for (const [key, number] of numbers) {
    const audience = audiences.get(key);
    if (audience === undefined) continue;
    const seen = opened.flatMap(([name, { neighbor, peer }]): [string, RouteAttributes][] => {
      const additions = additionsFor(audience, name, isInternal(peer));
      return additions === undefined ? [] : [[neighbor, additions]];
    });
    profiles.set(number, new Map(seen));
  }
  const hops = opened.filter(([, { nextHops }]) => nextHops.size > 0);
  const nextHops = new Map(hops.map(([, { neighbor, nextHops }]) => [neighbor, Object.fromEntries(nextHops)]));
  return { profiles, nextHops, foreign: false };
}

/** Of the own AS: only such a peer sees LOCAL_PREF (RFC 4271 section 5.1.5). */
function isInternal({ peerASN, localASN }: Peer): boolean {
  return peerASN === localASN;
}
