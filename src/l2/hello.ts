import { Reader, Writer } from "./bytes.ts";
import { bodyRoom } from "./frame.ts";

/** What a node says of itself. */
export interface HelloFlags {
  /** Claims nothing and answers for nothing yet. */
  readonly starting: boolean;
  /** Wants to give its IPs away. */
  readonly leaving: boolean;
  /** Is about to be away for a short while; its kernel goes on forwarding. */
  readonly restarting: boolean;
  /** Its node proxy says that it does not forward. */
  readonly notForwarding: boolean;
  /** Hears nothing at all. */
  readonly isolated: boolean;
}

/**
 * The body of a hello. Offsets in bytes, fields big-endian; docs/wire.md has the why.
 *   0 flags u16: 1 starting, 2 leaving,          18 IPv4 address, 4, or zeros
 *     4 restarting, 8 notForwarding,             22 IPv6 address, 16, or zeros
 *     16 isolated                                38 heard: count u8 = h, then h times u32
 *   2 hello interval u16, ms                  39+4h versions: count u8, then each:
 *   4 claims version u64                            kind length u8, kind, version u64
 *  12 MAC, 6                                    then multiplier u8, hears u16, restart grace u32, ms;
 *                                               later fields may follow */
export interface Hello {
  readonly flags: HelloFlags;
  readonly helloIntervalMs: number;
  /** Lost hellos after which the sender wants to be taken for silent. */
  readonly multiplier: number;
  /** How long the sender wants to keep its IPs while its speaker is away. */
  readonly restartGraceMs: number;
  /** The version of its claims that the sender has now. */
  readonly claimsVersion: bigint;
  readonly mac: Uint8Array;
  /** Own addresses on the segment, in network byte order; zeros where there is none. */
  readonly ipv4: Uint8Array;
  readonly ipv6: Uint8Array;
  /** nodeHash of those that the sender hears; of many, a part. */
  readonly heard: readonly number[];
  /** How many the sender hears. */
  readonly hears: number;
  /** Per watched kind the newest resourceVersion seen. */
  readonly versions: ReadonlyMap<string, bigint>;
}

const FLAGS = ["starting", "leaving", "restarting", "notForwarding", "isolated"] as const;

/** Bounds of an interval that a node may ask others to believe in, in ms. */
const SHORTEST_INTERVAL = 10;
const LONGEST_INTERVAL = 10_000;
const SMALLEST_MULTIPLIER = 2;
const LARGEST_MULTIPLIER = 50;

const SHORTEST_GRACE = 1000;
const LONGEST_GRACE = 3_600_000;

/** Of longer lists a part is sent. */
const MOST_HEARD = 250;
const MOST_KINDS = 16;
const LONGEST_KIND = 63;
const FIXED = 47;

/** Builds the body of a hello of `node`. Of the heard nodes as many as fit, starting at `turn` modulo their number. */
export function encodeHello(node: string, hello: Omit<Hello, "hears">, turn: number): Uint8Array {
  const room = bodyRoom(node);
  const kinds = [...hello.versions].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, MOST_KINDS);
  const kindBytes = kinds.reduce((sum, [kind]) => sum + 9 + kind.length, 0);
  const heard = inRotation(hello.heard, Math.min(MOST_HEARD, Math.floor((room - FIXED - kindBytes) / 4)), turn);
  const writer = new Writer(room)
    .u16(FLAGS.reduce((bits, flag, i) => bits | (Number(hello.flags[flag]) << i), 0))
    .u16(hello.helloIntervalMs)
    .u64(hello.claimsVersion)
    .bytes(hello.mac)
    .bytes(hello.ipv4)
    .bytes(hello.ipv6)
    .u8(heard.length);
  for (const hash of heard) writer.u32(hash);
  writer.u8(kinds.length);
  for (const [kind, version] of kinds) writer.u8(kind.length).text(kind).u64(version);
  return writer.u8(hello.multiplier).u16(Math.min(0xffff, hello.heard.length)).u32(hello.restartGraceMs).done();
}

/** Decodes the body of a hello; the result views nothing of `body`. */
export function decodeHello(body: Uint8Array): Hello | "Malformed" {
  const reader = new Reader(body);
  const bits = reader.u16();
  const helloIntervalMs = reader.u16();
  const claimsVersion = reader.u64();
  const mac = reader.bytes(6).slice();
  const ipv4 = reader.bytes(4).slice();
  const ipv6 = reader.bytes(16).slice();
  const heard = reader.u32s(reader.u8());
  const versions = new Map<string, bigint>();
  for (let left = reader.u8(); left > 0; left--) versions.set(reader.text(reader.u8()), reader.u64());
  const multiplier = reader.u8();
  const hears = reader.u16();
  const restartGraceMs = reader.u32();
  if (reader.overrun || helloIntervalMs < SHORTEST_INTERVAL || helloIntervalMs > LONGEST_INTERVAL) return "Malformed";
  if (multiplier < SMALLEST_MULTIPLIER || multiplier > LARGEST_MULTIPLIER) return "Malformed";
  if (restartGraceMs < SHORTEST_GRACE || restartGraceMs > LONGEST_GRACE) return "Malformed";
  const flag = (name: (typeof FLAGS)[number]) => (bits & (1 << FLAGS.indexOf(name))) !== 0;
  const flags: HelloFlags = {
    starting: flag("starting"),
    leaving: flag("leaving"),
    restarting: flag("restarting"),
    notForwarding: flag("notForwarding"),
    isolated: flag("isolated"),
  };
  return {
    flags,
    helloIntervalMs,
    multiplier,
    restartGraceMs,
    claimsVersion,
    mac,
    ipv4,
    ipv6,
    heard,
    hears,
    versions,
  };
}

/** Reads resourceVersions as integers; Kubernetes orders them so. What is no integer is left out. */
export function helloVersions(versions: ReadonlyMap<string, string>): Map<string, bigint> {
  const read = new Map<string, bigint>();
  for (const [kind, text] of versions)
    if (/^\d{1,19}$/.test(text) && kind.length <= LONGEST_KIND) read.set(kind, BigInt(text));
  return read;
}

function inRotation(all: readonly number[], most: number, turn: number): readonly number[] {
  if (all.length <= most) return all;
  const start = (turn * most) % all.length;
  return [...all.slice(start), ...all.slice(0, start)].slice(0, most);
}
