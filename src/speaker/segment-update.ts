import type { Candidate } from "../election/candidates.ts";
import type { NodeRecord } from "../l2/segment.ts";
import type { SegmentInput } from "./segment-messages.ts";

/**
 * What is new for one interface. The segment thread is told changes alone: to take over 10 000 IPs as a whole costs it
 * 40 ms, in which it keeps no time. What is not mentioned is as it was.
 */
export interface SegmentUpdate extends Omit<SegmentInput, "snapshot"> {
  readonly versions: SegmentInput["snapshot"]["versions"];
  readonly ips: ReadonlyMap<string, readonly Candidate[]>;
  readonly goneIPs: readonly string[];
  readonly records: readonly NodeRecord[];
  /** All nodes that have a record now, in order. */
  readonly recordedNodes: readonly string[];
  /** Absent where it is as it was. */
  readonly ready?: ReadonlySet<string>;
}

/** Finds what is new in `after`; without `before` all of it is. */
export function updateOf(before: SegmentInput | undefined, after: SegmentInput): SegmentUpdate {
  const { snapshot, ...rest } = after;
  const known = new Map(before?.snapshot.records.map((record) => [record.node, record]));
  const ips = new Map<string, readonly Candidate[]>();
  const same = before?.snapshot.ips === snapshot.ips;
  const equal = new Map<readonly Candidate[], readonly Candidate[]>(); // most IPs share a list: it is compared once
  for (const [ip, candidates] of same ? [] : snapshot.ips) {
    const known = before?.snapshot.ips.get(ip);
    if (known !== undefined && (equal.get(known) === candidates || sameCandidates(known, candidates)))
      equal.set(known, candidates);
    else ips.set(ip, candidates);
  }
  return {
    ...rest,
    versions: snapshot.versions,
    ips,
    goneIPs: same ? [] : [...(before?.snapshot.ips.keys() ?? [])].filter((ip) => !snapshot.ips.has(ip)),
    records: snapshot.records.filter((record) => !sameRecord(known.get(record.node), record)),
    recordedNodes: snapshot.records.map(({ node }) => node),
    ...(snapshot.ready === undefined || sameSet(before?.snapshot.ready, snapshot.ready)
      ? {}
      : { ready: snapshot.ready }),
  };
}

/** Says whether there is nothing in it. */
export function isEmpty(before: SegmentInput | undefined, update: SegmentUpdate): boolean {
  if (before === undefined || update.ready !== undefined || !sameOwn(before, update)) return false;
  if (update.ips.size + update.goneIPs.length + update.records.length > 0) return false;
  return (
    update.recordedNodes.length === before.snapshot.records.length && sameMap(before.snapshot.versions, update.versions)
  );
}

/** Brings `before` up to date: gives what `updateOf` was given as `after`. What is not new stays the same object. */
export function applyUpdate(before: SegmentInput | undefined, update: SegmentUpdate): SegmentInput {
  const records = new Map(before?.snapshot.records.map((record) => [record.node, record]));
  for (const record of update.records) records.set(record.node, record);
  const ready = update.ready ?? before?.snapshot.ready;
  return {
    interface: update.interface,
    address: update.address,
    address6: update.address6,
    gateways: update.gateways,
    recordedMac: update.recordedMac,
    snapshot: {
      versions: update.versions,
      ips: applyIPs(before?.snapshot.ips, update),
      records: update.recordedNodes.flatMap((node) => records.get(node) ?? []),
      ...(ready === undefined ? {} : { ready }),
    },
  };
}

function applyIPs(before: SegmentUpdate["ips"] | undefined, update: SegmentUpdate): SegmentUpdate["ips"] {
  if (before !== undefined && update.ips.size + update.goneIPs.length === 0) return before;
  const ips = new Map(before);
  for (const ip of update.goneIPs) ips.delete(ip);
  for (const [ip, candidates] of update.ips) ips.set(ip, candidates);
  return ips;
}

/** Compares what this node says of itself; the recorded MAC is of use only when an interface is opened. */
function sameOwn(a: Omit<SegmentInput, "snapshot">, b: Omit<SegmentInput, "snapshot">): boolean {
  return a.address === b.address && a.address6 === b.address6 && a.gateways.join() === b.gateways.join();
}

function sameSet(a: ReadonlySet<string> | undefined, b: ReadonlySet<string>): boolean {
  return a === b || (a?.size === b.size && [...b].every((one) => a.has(one)));
}

function sameCandidates(a: readonly Candidate[], b: readonly Candidate[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every(({ node, score }, i) => node === b[i]?.node && score === b[i]?.score);
}

function sameRecord(a: NodeRecord | undefined, b: NodeRecord): boolean {
  if (a === b) return true;
  if (a?.incarnation !== b.incarnation || a.claims.length !== b.claims.length) return false;
  if (a.address !== b.address || a.address6 !== b.address6 || String(a.mac) !== String(b.mac)) return false;
  return a.claims.every(({ ip, epoch }, i) => ip === b.claims[i]?.ip && epoch === b.claims[i]?.epoch);
}

function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
