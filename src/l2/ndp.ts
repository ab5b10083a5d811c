import { encodeEthernet } from "./ethernet.ts";

/** The EtherType of IPv6. */
export const IPV6_ETHER_TYPE = 0x86dd;

/**
 * A neighbor solicitation or advertisement in IPv6 over Ethernet (RFC 4861 sections 4.3 and 4.4, RFC 2464). Offsets in
 * bytes, fields big-endian.
 *   0 version u4 = 6, rest ignored     40 type u8: 135 solicitation, 136 advertisement
 *   4 payload length u16               41 code u8 = 0
 *   6 next header u8 = 58              42 checksum u16 (RFC 4443 section 2.3)
 *   7 hop limit u8 = 255               44 flags u32: router, solicited, override are the upper three bits
 *   8 source IP, 16                    48 target IP, 16
 *  24 destination IP, 16               64 options, each: type u8, length u8 in units of 8, rest
 */
export type Ndp = NeighborSolicitation | NeighborAdvertisement;

interface Neighbor {
  readonly sourceIP: Uint8Array;
  readonly destinationIP: Uint8Array;
  readonly targetIP: Uint8Array;
  /** The link-layer address option: the source's in a solicitation, the target's in an advertisement. */
  readonly mac: Uint8Array | undefined;
}

/** Asks for the MAC of the target. From :: it is a probe of duplicate address detection (RFC 4862 section 5.4). */
export interface NeighborSolicitation extends Neighbor {
  readonly type: "solicitation";
}

/** Tells the MAC of the target. */
export interface NeighborAdvertisement extends Neighbor {
  readonly type: "advertisement";
  readonly router: boolean;
  /** Answers a solicitation. */
  readonly solicited: boolean;
  /** Stands above what a cache has. */
  readonly override: boolean;
}

/** Why a payload was not decoded: RFC 4861 sections 7.1.1 and 7.1.2. */
export type NdpDropReason =
  | "Short"
  | "NotNdp"
  | "BadHopLimit"
  | "BadChecksum"
  | "BadTarget"
  | "BadSource"
  | "BadDestination"
  | "BadOptions";

const IP_HEADER = 40;
const FIXED = 64;
const OPTION = 8;
const ICMPV6 = 58;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const UNSPECIFIED: Uint8Array = new Uint8Array(16);
const ALL_NODES: Uint8Array = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** Decodes an Ethernet payload. What comes out views it: copy it to keep it past the next receive. */
export function decodeNdp(payload: Uint8Array): Ndp | NdpDropReason {
  if (payload.length < IP_HEADER) return "Short";
  if (byte(payload, 0) >> 4 !== 6 || byte(payload, 6) !== ICMPV6) return "NotNdp";
  const end = IP_HEADER + ((byte(payload, 4) << 8) | byte(payload, 5));
  if (end < FIXED || payload.length < end) return "Short";
  const type = byte(payload, 40);
  if ((type !== SOLICITATION && type !== ADVERTISEMENT) || byte(payload, 41) !== 0) return "NotNdp";
  if (byte(payload, 7) !== 255) return "BadHopLimit";
  const packet = payload.subarray(0, end);
  if (checksum(packet) !== 0) return "BadChecksum";
  const neighbor = {
    sourceIP: packet.subarray(8, 24),
    destinationIP: packet.subarray(24, 40),
    targetIP: packet.subarray(48, 64),
  };
  if (isMulticast(neighbor.targetIP)) return "BadTarget";
  if (isMulticast(neighbor.sourceIP)) return "BadSource";
  const mac = findMac(packet, type === SOLICITATION ? 1 : 2);
  if (mac === "BadOptions") return mac;
  return type === SOLICITATION
    ? solicitation({ ...neighbor, mac })
    : advertisement({ ...neighbor, mac }, byte(packet, 44));
}

function solicitation(neighbor: Neighbor): Ndp | NdpDropReason {
  if (equal(neighbor.sourceIP, UNSPECIFIED)) {
    if (!equal(neighbor.destinationIP, solicitedNode(neighbor.targetIP))) return "BadDestination";
    if (neighbor.mac !== undefined) return "BadOptions";
  }
  return { type: "solicitation", ...neighbor };
}

function advertisement(neighbor: Neighbor, flags: number): Ndp | NdpDropReason {
  const solicited = (flags & SOLICITED) !== 0;
  if (solicited && isMulticast(neighbor.destinationIP)) return "BadDestination";
  const [router, override] = [(flags & ROUTER) !== 0, (flags & OVERRIDE) !== 0];
  return { type: "advertisement", ...neighbor, router, solicited, override };
}

/** Finds the first link-layer address option of a type. */
function findMac(packet: Uint8Array, type: number): Uint8Array | undefined | "BadOptions" {
  let mac: Uint8Array | undefined;
  for (let at = FIXED; at < packet.length; ) {
    const length = OPTION * byte(packet, at + 1); // past the end it reads 0
    if (length === 0 || at + length > packet.length) return "BadOptions";
    if (mac === undefined && byte(packet, at) === type && length === OPTION) mac = packet.subarray(at + 2, at + OPTION);
    at += length;
  }
  return mac;
}

/** Builds the Ethernet payload. */
export function encodeNdp(ndp: Ndp): Uint8Array {
  const payload = new Uint8Array(FIXED + (ndp.mac === undefined ? 0 : OPTION));
  payload[0] = 0x60;
  payload[5] = payload.length - IP_HEADER;
  payload[6] = ICMPV6;
  payload[7] = 255;
  payload.set(ndp.sourceIP, 8);
  payload.set(ndp.destinationIP, 24);
  payload[40] = ndp.type === "solicitation" ? SOLICITATION : ADVERTISEMENT;
  if (ndp.type === "advertisement") {
    payload[44] = (ndp.router ? ROUTER : 0) | (ndp.solicited ? SOLICITED : 0) | (ndp.override ? OVERRIDE : 0);
  }
  payload.set(ndp.targetIP, 48);
  if (ndp.mac !== undefined) {
    payload[FIXED] = ndp.type === "solicitation" ? 1 : 2;
    payload[FIXED + 1] = 1;
    payload.set(ndp.mac, FIXED + 2);
  }
  const sum = checksum(payload);
  payload[42] = sum >> 8;
  payload[43] = sum & 0xff;
  return payload;
}

/**
 * Builds the whole frame that tells a segment: `ip` is at `mac` now, whatever your caches say (RFC 4861 section 7.2.6).
 * It comes from `ip` itself, which is an address of the sender's by then, so no link-local address is needed.
 */
export function unsolicitedNA(mac: Uint8Array, ip: Uint8Array): Uint8Array {
  const payload = encodeNdp({
    type: "advertisement",
    sourceIP: ip,
    destinationIP: ALL_NODES,
    targetIP: ip,
    mac,
    router: false,
    solicited: false,
    override: true,
  });
  return encodeEthernet(multicastMac(ALL_NODES), mac, IPV6_ETHER_TYPE, payload);
}

/**
 * Builds the whole frame that asks for the MAC of `targetIP`, from this node's `mac` and `ip`. `to` is the MAC that is
 * thought to have it, to see whether it still answers (RFC 4861 section 7.3.1); left out, everyone who may have it is asked.
 */
export function neighborSolicitation(
  mac: Uint8Array,
  ip: Uint8Array,
  targetIP: Uint8Array,
  to?: Uint8Array,
): Uint8Array {
  const destinationIP = to === undefined ? solicitedNode(targetIP) : targetIP;
  const payload = encodeNdp({ type: "solicitation", sourceIP: ip, destinationIP, targetIP, mac });
  return encodeEthernet(to ?? multicastMac(destinationIP), mac, IPV6_ETHER_TYPE, payload);
}

/**
 * Builds the whole frame that asks whether anybody has `targetIP`, without saying that we want it: a probe of duplicate
 * address detection. An answer goes to all nodes. `to`: ask this MAC alone; for who has no IPv6 address of its own to ask from.
 */
export function neighborProbe(mac: Uint8Array, targetIP: Uint8Array, to?: Uint8Array): Uint8Array {
  const destinationIP = solicitedNode(targetIP);
  const payload = encodeNdp({
    type: "solicitation",
    sourceIP: UNSPECIFIED,
    destinationIP,
    targetIP,
    mac: undefined,
  });
  return encodeEthernet(to ?? multicastMac(destinationIP), mac, IPV6_ETHER_TYPE, payload);
}

/** The multicast group of those that may have `ip` (RFC 4291 section 2.7.1). */
function solicitedNode(ip: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(ip.subarray(13), 13);
  return group;
}

/** The MAC of a multicast group (RFC 2464 section 7). */
function multicastMac(group: Uint8Array): Uint8Array {
  return Uint8Array.of(0x33, 0x33, ...group.subarray(12));
}

/** Over pseudo-header and ICMPv6: 0 where the packet has the right one; the one to put in where it has zeros. */
function checksum(packet: Uint8Array): number {
  let sum = packet.length - IP_HEADER + ICMPV6;
  for (let at = 8; at < packet.length; at += 2) sum += (byte(packet, at) << 8) | byte(packet, at + 1);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function isMulticast(ip: Uint8Array): boolean {
  return ip[0] === 0xff;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((value, at) => value === b[at]);
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
