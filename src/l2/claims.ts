import { believedEpoch } from "../election/epoch.ts";
import { Reader, Writer } from "./bytes.ts";
import { bodyRoom } from "./frame.ts";
import { ipBytes, ipText } from "./ip-bytes.ts";

/** A node's word on one IP: that it owns it, or that it does no more. */
export type Entry =
  | {
      readonly ip: string;
      readonly epoch: bigint;
      readonly removed: false;
      readonly yielding: boolean;
      /** Not announced yet: see `Claim`. */
      readonly tentative?: boolean | undefined;
    }
  /** `successor`: nodeHash of the one whose claim was given way to and must announce itself again; 0 for nobody. */
  | { readonly ip: string; readonly epoch: bigint; readonly removed: true; readonly successor: number };

/**
 * The body of a claims frame: what changed from one version of a node's claims to the next.
 *   0 version before u64     8 version u64     16 entries: count u16, then each:
 *     kind u8: 1 IPv6, 2 removed, 4 yielding, 8 tentative; IP, 4 or 16; epoch u64; if removed: successor u32
 */
export interface ClaimsBody {
  readonly before: bigint;
  readonly version: bigint;
  readonly entries: readonly Entry[];
}

/**
 * The body of a full frame: one part of all claims of a node at one version, and of its removals of late.
 *   0 version u64     8 part u16     10 parts u16     12 entries, as in a claims frame
 */
export interface FullBody {
  readonly version: bigint;
  /** From 0. */
  readonly part: number;
  readonly parts: number;
  readonly entries: readonly Entry[];
}

const IPV6 = 1;
const REMOVED = 2;
const YIELDING = 4;
const TENTATIVE = 8;

const CLAIMS_HEADER = 18;
const FULL_HEADER = 14;

/** Splits entries so that each part fits in one claims or full frame of `node`; at least one part. */
export function splitEntries(node: string, entries: readonly Entry[]): Entry[][] {
  const room = bodyRoom(node) - CLAIMS_HEADER;
  const parts: Entry[][] = [[]];
  let left = room;
  for (const entry of entries) {
    const length = entryLength(entry);
    if (length > left) {
      parts.push([]);
      left = room;
    }
    left -= length;
    parts.at(-1)?.push(entry);
  }
  return parts;
}

/** Builds the body of a claims frame; the entries must fit: see splitEntries. */
export function encodeClaims({ before, version, entries }: ClaimsBody): Uint8Array {
  const writer = new Writer(CLAIMS_HEADER + lengthOf(entries)).u64(before).u64(version);
  return writeEntries(writer, entries).done();
}

/** Decodes the body of a claims frame; the result views nothing of `body`. */
export function decodeClaims(body: Uint8Array): ClaimsBody | "Malformed" {
  const reader = new Reader(body);
  const before = reader.u64();
  const version = reader.u64();
  const entries = readEntries(reader);
  return reader.overrun || version <= before ? "Malformed" : { before, version, entries };
}

/** Builds the body of a full frame; the entries must fit: see splitEntries. */
export function encodeFull({ version, part, parts, entries }: FullBody): Uint8Array {
  const writer = new Writer(FULL_HEADER + lengthOf(entries)).u64(version).u16(part).u16(parts);
  return writeEntries(writer, entries).done();
}

/** Decodes the body of a full frame; the result views nothing of `body`. */
export function decodeFull(body: Uint8Array): FullBody | "Malformed" {
  const reader = new Reader(body);
  const version = reader.u64();
  const part = reader.u16();
  const parts = reader.u16();
  const entries = readEntries(reader);
  return reader.overrun || part >= parts ? "Malformed" : { version, part, parts, entries };
}

/** Builds the body of a request: nodeHash, u32, of whose claims are asked for. */
export function encodeRequest(of: number): Uint8Array {
  return new Writer(4).u32(of).done();
}

/** Decodes the body of a request: nodeHash of whose claims are asked for. */
export function decodeRequest(body: Uint8Array): number | "Malformed" {
  const reader = new Reader(body);
  const of = reader.u32();
  return reader.overrun ? "Malformed" : of;
}

function writeEntries(writer: Writer, entries: readonly Entry[]): Writer {
  writer.u16(entries.length);
  for (const entry of entries) {
    const ip = ipBytes(entry.ip);
    const kind = (ip.length === 16 ? IPV6 : 0) | (entry.removed ? REMOVED : 0) | flags(entry);
    writer.u8(kind).bytes(ip).u64(entry.epoch);
    if (entry.removed) writer.u32(entry.successor);
  }
  return writer;
}

function readEntries(reader: Reader): Entry[] {
  const entries: Entry[] = [];
  for (let left = reader.u16(); left > 0 && !reader.overrun; left--) {
    const kind = reader.u8();
    const ip = ipText(reader.bytes(kind & IPV6 ? 16 : 4));
    const epoch = believedEpoch(reader.u64());
    if (kind & REMOVED) entries.push({ ip, epoch, removed: true, successor: reader.u32() });
    else {
      const claim = { ip, epoch, removed: false, yielding: (kind & YIELDING) !== 0 } as const;
      entries.push((kind & TENTATIVE) === 0 ? claim : { ...claim, tentative: true });
    }
  }
  return entries;
}

function flags(entry: Entry): number {
  if (entry.removed) return 0;
  return (entry.yielding ? YIELDING : 0) | (entry.tentative ? TENTATIVE : 0);
}

function lengthOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entryLength(entry), 0);
}

function entryLength(entry: Entry): number {
  return 1 + (entry.ip.includes(":") ? 16 : 4) + 8 + (entry.removed ? 4 : 0);
}
