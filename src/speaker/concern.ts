import { isDeepStrictEqual } from "node:util";
import { changedClaims } from "../api/claims.ts";
import type { IPPool } from "../api/ippool.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import { speakers } from "../kube/herald-resources.ts";
import type { Kept, Resource } from "../kube/resource.ts";
import type { LeanService } from "./lean-services.ts";

/** What of an object what is announced goes by: a change of the rest is none. */

/** A Service's condition is written by the speakers themselves. */
export function withoutCondition(service: LeanService): Kept {
  return { ...service, announced: undefined } as Kept;
}

/** What a pool says of itself. The controller writes what it counts, and holds on to it while a Service has an address of it. */
export function specOf({ meta, spec }: IPPool): Kept {
  const { namespace, name, uid, resourceVersion } = meta;
  return { meta: { namespace, name, uid, resourceVersion }, spec } as Kept;
}

/** Of what a Speaker shows, what other speakers go by on layer 2. */
export function layer2Of({ meta, status }: Speaker): Speaker {
  const { incarnation, interfaces, layer2 } = status;
  return {
    meta,
    status: {
      ...(incarnation !== undefined && { incarnation }),
      ...(interfaces !== undefined && { interfaces }),
      ...(layer2 !== undefined && {
        layer2: { claims: layer2.claims, ...(layer2.conflicts !== undefined && { conflicts: layer2.conflicts }) },
      }),
    },
  };
}

/** Gives the IPs of which a Speaker says something else than before, as far as who has them goes. */
export function changedRecords(before: Speaker | undefined, after: Speaker | undefined): readonly string[] | "All" {
  if (before === undefined || after === undefined) return "All";
  const [was, is] = [before.status, after.status];
  const others = ({ interfaces, layer2 }: SpeakerStatus) => [interfaces, layer2?.conflicts];
  if (!isDeepStrictEqual(others(was), others(is))) return "All";
  return changedClaims(was.layer2?.claims ?? [], is.layer2?.claims ?? []);
}

/** Of what a Speaker shows of BGP, what others tell of it on Services. */
export function sessionsOf(bgp: SpeakerStatus["bgp"]): SpeakerStatus["bgp"] {
  if (bgp === undefined) return undefined;
  const { gobgpd, sessions, withdrawn, peers } = bgp;
  return {
    gobgpd,
    sessions,
    routes: 0,
    ...(withdrawn !== undefined && { withdrawn }),
    peers: peers.map(({ name, address, asn, state }) => ({ name, address, asn, state })),
  };
}

/** Keeps the own object whole and of the others what is gone by: of 1 000 nodes each shows more than a hundred others. */
export function leanSpeakers(self: string): Resource<Speaker> {
  const keep = (raw: unknown) => {
    const speaker = speakers.keep(raw);
    if (speaker.meta.name === self) return speaker;
    const { meta, status } = layer2Of(speaker);
    const bgp = sessionsOf(speaker.status.bgp);
    return { meta, status: { ...status, ...(bgp !== undefined && { bgp }) } };
  };
  return { ...speakers, keep };
}

/** Says whether an object changed in nothing that is kept but its version: a kubelet's heartbeats, another's conditions. */
export function sameButVersion(before: Kept | undefined, after: Kept | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  const version = after.meta.resourceVersion;
  return isDeepStrictEqual({ ...before, meta: { ...before.meta, resourceVersion: version } }, after);
}
