import type { KeyObject } from "node:crypto";
import { CLUSTER_ID_LENGTH, isSigned, TAG_LENGTH, tag } from "./auth.ts";
import { Reader, Writer } from "./bytes.ts";
import { decodeEthernet, encodeEthernet } from "./ethernet.ts";

/** IEEE 802 local experimental EtherType 1. */
export const HERALD_ETHER_TYPE = 0x88b5;

/** The group that speakers send to: locally administered, "\x03HERLD". */
export const HERALD_GROUP: Uint8Array = Uint8Array.of(0x03, 0x48, 0x45, 0x52, 0x4c, 0x44);

/** The layout that this code speaks; a receiver drops every other. */
export const WIRE_VERSION = 1;

const MAGIC = 0x484c; // "HL"
const FIXED_LENGTH = 32;
const MTU = 1500;
const ETHERNET_HEADER = 14;
const LONGEST_NAME = 253;

const TYPES = ["hello", "claims", "full", "request"] as const;
export type FrameType = (typeof TYPES)[number];

/**
 * What every frame begins with, after the Ethernet header. Offsets in bytes, fields big-endian; docs/wire.md has the why.
 *   0 magic u16 = "HL"               8 cluster id, 8
 *   2 version u8 = 1                16 incarnation u64
 *   3 type u8, 1 to 4               24 sequence number u64
 *   4 length u16, header and body   32 node name, n
 *   6 node name length u8 = n    32+n body
 *   7 zero u8                  length tag, 16; Ethernet padding may follow
 */
export interface Frame {
  readonly type: FrameType;
  readonly node: string;
  /** Which run of the node's speaker sent it. */
  readonly incarnation: bigint;
  /** Rises with every frame of an incarnation, whatever its type. */
  readonly sequence: bigint;
  /** Views the frame that was decoded. */
  readonly body: Uint8Array;
}

/** Why a frame was not taken: `reason` of herald_l2_hellos_dropped_total. */
export type DropReason =
  | "Short"
  | "Oversize"
  | "ForeignProtocol"
  | "ForeignVersion"
  | "ForeignCluster"
  | "BadTag"
  | "Malformed"
  | "OwnNode"
  | "OlderIncarnation"
  | "NoHello"
  | "Replay";

/** Who speaks on a segment, and the secret that says so. */
export interface Identity {
  readonly node: string;
  readonly cluster: Uint8Array;
  readonly key: KeyObject;
  readonly mac: Uint8Array;
}

/** Gives the bytes of body that fit in a node's frames. */
export function bodyRoom(node: string): number {
  return MTU - FIXED_LENGTH - node.length - TAG_LENGTH;
}

/** Builds a whole signed Ethernet frame. */
export function encodeFrame(identity: Identity, frame: Omit<Frame, "node">): Uint8Array {
  const { node, cluster, key, mac } = identity;
  const length = FIXED_LENGTH + node.length + frame.body.length;
  const message = new Writer(length)
    .u16(MAGIC)
    .u8(WIRE_VERSION)
    .u8(TYPES.indexOf(frame.type) + 1)
    .u16(length)
    .u8(node.length)
    .u8(0)
    .bytes(cluster)
    .u64(frame.incarnation)
    .u64(frame.sequence)
    .text(node)
    .bytes(frame.body)
    .done();
  const payload = new Writer(length + TAG_LENGTH).bytes(message).bytes(tag(key, message)).done();
  return encodeEthernet(HERALD_GROUP, mac, HERALD_ETHER_TYPE, payload);
}

/** Decodes a whole Ethernet frame and checks its signature; what comes out was sent by a holder of the key, at some time. */
export function decodeFrame(whole: Uint8Array, cluster: Uint8Array, key: KeyObject): Frame | DropReason {
  if (whole.length > ETHERNET_HEADER + MTU) return "Oversize";
  const ethernet = decodeEthernet(whole);
  if (typeof ethernet === "string") return "Short";
  if (ethernet.etherType !== HERALD_ETHER_TYPE) return "ForeignProtocol";
  const { payload } = ethernet;
  if (payload.length < FIXED_LENGTH + TAG_LENGTH) return "Short";
  const reader = new Reader(payload);
  if (reader.u16() !== MAGIC) return "ForeignProtocol";
  if (reader.u8() !== WIRE_VERSION) return "ForeignVersion";
  const type = TYPES[reader.u8() - 1];
  const length = reader.u16();
  const nameLength = reader.u8();
  reader.u8();
  if (!sameBytes(reader.bytes(CLUSTER_ID_LENGTH), cluster)) return "ForeignCluster";
  if (length + TAG_LENGTH > payload.length) return "Short";
  if (length < FIXED_LENGTH + nameLength) return "Malformed";
  if (!isSigned(key, payload.subarray(0, length), payload.subarray(length, length + TAG_LENGTH))) return "BadTag";
  const incarnation = reader.u64();
  const sequence = reader.u64();
  const node = reader.text(nameLength);
  if (type === undefined || !isNodeName(node)) return "Malformed";
  return { type, node, incarnation, sequence, body: payload.subarray(FIXED_LENGTH + nameLength, length) };
}

/** Compares byte by byte. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A DNS subdomain (RFC 1123), as Kubernetes names nodes. */
function isNodeName(name: string): boolean {
  return name.length <= LONGEST_NAME && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name);
}
