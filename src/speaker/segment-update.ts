import type { Candidate } from "../election/candidates.ts";
import type { NodeRecord } from "../l2/segment.ts";
import { differences, PersistentMap } from "../persistent-map.ts";
import type { SegmentInput } from "./segment-messages.ts";

/**
 * What is new for one interface. The segment thread is told changes alone: to take over 10 000 IPs as a whole costs it
 * 40 ms, in which it keeps no time. What is not mentioned is as it was.
 */
export interface SegmentUpdate extends Omit<SegmentInput, "snapshot"> {
  readonly versions: SegmentInput["snapshot"]["versions"];
  readonly ips: ReadonlyMap<string, readonly Candidate[]>;
  readonly goneIPs: readonly string[];
  readonly records: readonly RecordUpdate[];
  /** All nodes that have a record now, in order. */
  readonly recordedNodes: readonly string[];
  /** Absent where it is as it was. */
  readonly ready?: ReadonlySet<string>;
}

/** A record that is new, or in which something is. */
export interface RecordUpdate extends NodeRecord {
  /** Those that are new or have another epoch than before. */
  readonly claims: NodeRecord["claims"];
  readonly goneClaims: readonly string[];
}

/** Finds what is new in `after`; without `before` all of it is. */
export function updateOf(before: SegmentInput | undefined, after: SegmentInput): SegmentUpdate {
  const { snapshot, ...rest } = after;
  const known = new Map(before?.snapshot.records.map((record) => [record.node, record]));
  const equal = new Map<readonly Candidate[], readonly Candidate[]>(); // most IPs share a list: it is compared once
  const { set: ips, gone: goneIPs } = newsIn(before?.snapshot.ips ?? NO_IPS, snapshot.ips, (was, is) => {
    if (equal.get(was) !== is && !sameCandidates(was, is)) return false;
    equal.set(was, is);
    return true;
  });
  return {
    ...rest,
    versions: snapshot.versions,
    ips,
    goneIPs,
    records: snapshot.records.flatMap((record) => recordUpdate(known.get(record.node), record)),
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
  for (const { goneClaims, ...record } of update.records) {
    const claims = renewed(records.get(record.node)?.claims, record.claims, goneClaims);
    records.set(record.node, { ...record, claims });
  }
  const ready = update.ready ?? before?.snapshot.ready;
  return {
    interface: update.interface,
    address: update.address,
    address6: update.address6,
    gateways: update.gateways,
    recordedMac: update.recordedMac,
    snapshot: {
      versions: update.versions,
      ips: renewed(before?.snapshot.ips, update.ips, update.goneIPs),
      records: update.recordedNodes.flatMap((node) => records.get(node) ?? []),
      ...(ready === undefined ? {} : { ready }),
    },
  };
}

function recordUpdate(before: NodeRecord | undefined, record: NodeRecord): readonly RecordUpdate[] {
  if (before === record) return [];
  const { set: claims, gone: goneClaims } = newsIn(before?.claims ?? NO_CLAIMS, record.claims);
  if (claims.size + goneClaims.length === 0 && sameNode(before, record)) return [];
  return [{ ...record, claims, goneClaims }];
}

/** Finds the entries of `after` that are new or say something else than before, and the keys that are gone. */
function newsIn<V>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
  same: (was: V, is: V) => boolean = () => false,
): { set: ReadonlyMap<string, V>; gone: readonly string[] } {
  const set = new Map<string, V>();
  const gone: string[] = [];
  for (const key of differences(before, after)) {
    const [was, is] = [before.get(key), after.get(key)];
    if (is === undefined) gone.push(key);
    else if (was === undefined || !same(was, is)) set.set(key, is);
  }
  return { set, gone };
}

function renewed<V>(
  before: ReadonlyMap<string, V> = new Map(),
  news: ReadonlyMap<string, V>,
  gone: readonly string[],
): PersistentMap<V> {
  const known = before instanceof PersistentMap ? before : PersistentMap.from(before);
  return known.with([...gone.map((ip) => [ip, undefined] as const), ...news]);
}

const NO_IPS: SegmentUpdate["ips"] = PersistentMap.from<readonly Candidate[]>([]);
const NO_CLAIMS: NodeRecord["claims"] = PersistentMap.from<bigint>([]);

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

/** Compares all but the claims. */
function sameNode(a: NodeRecord | undefined, b: NodeRecord): boolean {
  if (a?.incarnation !== b.incarnation || a.address !== b.address) return false;
  return a.address6 === b.address6 && String(a.mac) === String(b.mac);
}

function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
