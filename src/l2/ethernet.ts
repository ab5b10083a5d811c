/** The all-ones MAC: every host of the segment. */
export const BROADCAST: Uint8Array = new Uint8Array(6).fill(0xff);

/** An Ethernet II frame (RFC 894): destination MAC, source MAC, EtherType u16, payload. Without its check sequence. */
export interface Ethernet {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly etherType: number;
  /** May end with padding, up to 46 bytes. */
  readonly payload: Uint8Array;
}

const HEADER_LENGTH = 14;

/** Decodes a frame. What comes out views `frame`. */
export function decodeEthernet(frame: Uint8Array): Ethernet | "Short" {
  if (frame.length < HEADER_LENGTH) return "Short";
  return {
    destination: frame.subarray(0, 6),
    source: frame.subarray(6, 12),
    etherType: ((frame[12] ?? 0) << 8) | (frame[13] ?? 0),
    payload: frame.subarray(HEADER_LENGTH),
  };
}

/** Builds a frame, unpadded: the interface pads what it sends. */
export function encodeEthernet(
  destination: Uint8Array,
  source: Uint8Array,
  etherType: number,
  payload: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(HEADER_LENGTH + payload.length);
  frame.set(destination, 0);
  frame.set(source, 6);
  frame[12] = etherType >> 8;
  frame[13] = etherType & 0xff;
  frame.set(payload, HEADER_LENGTH);
  return frame;
}
