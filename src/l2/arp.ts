import { BROADCAST, encodeEthernet } from "./ethernet.ts";

/** The EtherType of ARP. */
export const ARP_ETHER_TYPE = 0x0806;

/**
 * ARP for IPv4 over Ethernet (RFC 826). Offsets in bytes, fields big-endian.
 *   0 hardware type u16 = 1       8 sender MAC, 6
 *   2 protocol type u16 = 0x0800 14 sender IP, 4
 *   4 MAC length u8 = 6          18 target MAC, 6
 *   5 IP length u8 = 4           24 target IP, 4
 *   6 operation u16              28 end; Ethernet padding may follow
 */
export interface Arp {
  readonly operation: ArpOperation;
  readonly senderMac: Uint8Array;
  /** Unsigned, as all IPs here; 0 in a probe (RFC 5227 section 1.1). */
  readonly senderIP: number;
  /** Means nothing in a request. */
  readonly targetMac: Uint8Array;
  readonly targetIP: number;
}

export type ArpOperation = "request" | "reply";

/** Why a payload was not decoded. */
export type ArpDropReason = "Short" | "NotIPv4OverEthernet" | "UnknownOperation";

const LENGTH = 28;

/** Decodes the payload of an ARP frame. The MACs view `payload`: copy them to keep them past the next receive. */
export function decodeArp(payload: Uint8Array): Arp | ArpDropReason {
  if (payload.length < LENGTH) return "Short";
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (view.getUint32(0) !== 0x0001_0800 || view.getUint16(4) !== 0x0604) return "NotIPv4OverEthernet";
  const operation = view.getUint16(6);
  if (operation !== 1 && operation !== 2) return "UnknownOperation";
  return {
    operation: operation === 1 ? "request" : "reply",
    senderMac: payload.subarray(8, 14),
    senderIP: view.getUint32(14),
    targetMac: payload.subarray(18, 24),
    targetIP: view.getUint32(24),
  };
}

/** Builds the payload of an ARP frame. */
export function encodeArp(arp: Arp): Uint8Array {
  const payload = new Uint8Array(LENGTH);
  const view = new DataView(payload.buffer);
  view.setUint32(0, 0x0001_0800);
  view.setUint16(4, 0x0604);
  view.setUint16(6, arp.operation === "request" ? 1 : 2);
  payload.set(arp.senderMac, 8);
  view.setUint32(14, arp.senderIP);
  payload.set(arp.targetMac, 18);
  view.setUint32(24, arp.targetIP);
  return payload;
}

/**
 * Builds the whole broadcast frame that tells a segment: `ip` is at `mac` now. Some hosts update their entry at the
 * request (an ARP announcement, RFC 5227 section 2.3), some only at the reply (RFC 5944 section 4.6), which names its
 * MAC as the target too: send both.
 */
export function gratuitousArp(operation: ArpOperation, mac: Uint8Array, ip: number): Uint8Array {
  const targetMac = operation === "request" ? new Uint8Array(6) : mac;
  const payload = encodeArp({ operation, senderMac: mac, senderIP: ip, targetMac, targetIP: ip });
  return encodeEthernet(BROADCAST, mac, ARP_ETHER_TYPE, payload);
}

/**
 * Builds the whole frame that asks for the MAC of `targetIP`, from this node's `mac` and `ip`. `to` is the MAC that is
 * thought to have it, to see whether it still answers (RFC 1122 section 2.3.2.1); left out, everyone is asked.
 */
export function arpRequest(mac: Uint8Array, ip: number, targetIP: number, to: Uint8Array = BROADCAST): Uint8Array {
  const payload = encodeArp({
    operation: "request",
    senderMac: mac,
    senderIP: ip,
    targetMac: new Uint8Array(6),
    targetIP,
  });
  return encodeEthernet(to, mac, ARP_ETHER_TYPE, payload);
}

/** Builds the whole frame that asks whether anybody has `targetIP`, and touches no cache (RFC 5227 section 2.1.1). */
export function arpProbe(mac: Uint8Array, targetIP: number): Uint8Array {
  return arpRequest(mac, 0, targetIP);
}
