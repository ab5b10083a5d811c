import { HERALD_ETHER_TYPE } from "../l2/frame.ts";

/** What a frame is that was sent for the protocol: a label of herald_l2_frames_sent_total. */
export type SentKind = "speaker" | "gratuitousArp" | "unsolicitedNa" | "arpRequest" | "ns" | "other";

const ARP = 0x0806;
const IPV6 = 0x86dd;
const NS = 135;
const NA = 136;

/**
 * Tells the kind of a whole Ethernet frame that this speaker made (so it is well-formed). Offsets: EtherType at 12; of
 * ARP the sender's IP at 28 and the target's at 38; of ICMPv6 without IPv6 extension headers its type at 54.
 */
export function kindOfSent(frame: Uint8Array): SentKind {
  const etherType = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
  if (etherType === HERALD_ETHER_TYPE) return "speaker";
  if (etherType === ARP) {
    for (let i = 0; i < 4; i++) if (frame[28 + i] !== frame[38 + i]) return "arpRequest";
    return "gratuitousArp";
  }
  if (etherType !== IPV6) return "other";
  if (frame[54] === NS) return "ns";
  return frame[54] === NA ? "unsolicitedNa" : "other";
}
