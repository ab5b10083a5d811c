import { ARP_ETHER_TYPE, arpProbe, arpRequest, decodeArp, gratuitousArp } from "./arp.ts";
import { decodeEthernet } from "./ethernet.ts";
import { ipBytes, ipText } from "./ip-bytes.ts";
import { decodeNdp, IPV6_ETHER_TYPE, neighborProbe, neighborSolicitation, unsolicitedNA } from "./ndp.ts";

/** What a frame of ARP or NDP tells of its sender: `ip` is at `mac`. */
export interface Mapping {
  readonly ip: string;
  readonly mac: Uint8Array;
  /** It asks for something else, rather than to tell this: answers to this node, and what is sent to all, are no questions. */
  readonly asks: boolean;
}

/** Reads the mapping in a whole Ethernet frame; undefined: there is none, as in a probe. */
export function mappingIn(whole: Uint8Array): Mapping | undefined {
  const ethernet = decodeEthernet(whole);
  if (typeof ethernet === "string") return undefined;
  if (ethernet.etherType === ARP_ETHER_TYPE) {
    const arp = decodeArp(ethernet.payload);
    if (typeof arp === "string" || arp.senderIP === 0) return undefined;
    const asks = arp.operation === "request" && arp.senderIP !== arp.targetIP;
    return { ip: ipText(ipv4Bytes(arp.senderIP)), mac: arp.senderMac.slice(), asks };
  }
  if (ethernet.etherType !== IPV6_ETHER_TYPE) return undefined;
  const ndp = decodeNdp(ethernet.payload);
  if (typeof ndp === "string") return undefined;
  // The answer to a solicitation need not name its MAC (RFC 4861 section 4.4).
  const mac = (ndp.mac ?? ethernet.source).slice();
  if (ndp.type === "advertisement") return { ip: ipText(ndp.targetIP), mac, asks: false };
  return ndp.mac === undefined ? undefined : { ip: ipText(ndp.sourceIP), mac, asks: true };
}

/** Who asks whether anybody has an IP, to take it if not. */
export type Probe = Pick<Mapping, "ip" | "mac">;

/** Reads another's question whether anybody has an IP that it is about to take (RFC 5227, RFC 4862); undefined: it is none. */
export function probeIn(whole: Uint8Array): Probe | undefined {
  const ethernet = decodeEthernet(whole);
  if (typeof ethernet === "string") return undefined;
  if (ethernet.etherType === ARP_ETHER_TYPE) {
    const arp = decodeArp(ethernet.payload);
    if (typeof arp === "string" || arp.operation !== "request" || arp.senderIP !== 0) return undefined;
    return { ip: ipText(ipv4Bytes(arp.targetIP)), mac: arp.senderMac.slice() };
  }
  if (ethernet.etherType !== IPV6_ETHER_TYPE) return undefined;
  const ndp = decodeNdp(ethernet.payload);
  if (typeof ndp === "string" || ndp.type !== "solicitation" || ndp.sourceIP.some((byte) => byte !== 0))
    return undefined;
  return { ip: ipText(ndp.targetIP), mac: ethernet.source.slice() };
}

/** Builds the question for the MAC of `ip`; `from`: this node's addresses, "" where it has none of that family. */
export function question(mac: Uint8Array, from: OwnAddresses, ip: string, to?: Uint8Array): Uint8Array {
  const target = ipBytes(ip);
  if (target.length === 4) return arpRequest(mac, from.ipv4 === "" ? 0 : u32(ipBytes(from.ipv4)), u32(target), to);
  if (from.ipv6 === "") return neighborProbe(mac, target, to);
  return neighborSolicitation(mac, ipBytes(from.ipv6), target, to);
}

/** Builds the question whether anybody has `ip`, which no cache takes notice of (RFC 5227, RFC 4862). */
export function probe(mac: Uint8Array, ip: string): Uint8Array {
  const target = ipBytes(ip);
  return target.length === 4 ? arpProbe(mac, u32(target)) : neighborProbe(mac, target);
}

/** Builds the frames that tell a segment: `ip` is at `mac` now. */
export function announcement(mac: Uint8Array, ip: string): Uint8Array[] {
  const target = ipBytes(ip);
  if (target.length === 16) return [unsolicitedNA(mac, target)];
  return (["request", "reply"] as const).map((operation) => gratuitousArp(operation, mac, u32(target)));
}

/** A node's own addresses on a segment; "" where there is none. */
export interface OwnAddresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

function u32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

function ipv4Bytes(ip: number): Uint8Array {
  return Uint8Array.of(ip >>> 24, ip >>> 16, ip >>> 8, ip);
}
