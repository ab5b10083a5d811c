import type { BFD, Global, Peer, Route, RouteAttributes } from "./model.ts";

/** What is the same to gobgpd. Written out, since 10 000 routes are compared at every change. */

export function sameGlobal(a: Global | undefined, b: Global | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.asn === b.asn && a.routerID === b.routerID && a.listens === b.listens;
}

export function sameAttributes(a: RouteAttributes | undefined, b: RouteAttributes | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return a === b;
  return (
    a.localPref === b.localPref &&
    a.med === b.med &&
    sameList(a.communities, b.communities) &&
    sameList(a.largeCommunities, b.largeCommunities)
  );
}

export function sameRoute(a: Route, b: Route): boolean {
  return a === b || (a.prefix === b.prefix && a.profile === b.profile && sameAttributes(a, b));
}

/** Whether all is the same that a session is opened with. */
export function sameSession(a: Peer, b: Peer): boolean {
  return (
    a.neighbor === b.neighbor &&
    a.unnumbered === b.unnumbered &&
    a.peerASN === b.peerASN &&
    a.localASN === b.localASN &&
    a.port === b.port &&
    a.localAddress === b.localAddress &&
    a.bindInterface === b.bindInterface &&
    a.passive === b.passive &&
    a.multihopTTL === b.multihopTTL &&
    a.password === b.password &&
    a.gracefulRestart === b.gracefulRestart &&
    sameList(a.families, b.families)
  );
}

/** Whether the rest is the same too, which changes beside an open session. */
export function samePace(a: Peer, b: Peer): boolean {
  return (
    a.holdTime === b.holdTime &&
    a.keepaliveTime === b.keepaliveTime &&
    a.connectRetryTime === b.connectRetryTime &&
    sameBFD(a.bfd, b.bfd)
  );
}

function sameBFD(a: BFD | undefined, b: BFD | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.transmitMs === b.transmitMs && a.receiveMs === b.receiveMs && a.detectMultiplier === b.detectMultiplier;
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
