/**
 * The OPEN message of BGP (RFC 4271, section 4.2), as far as it says who the peer is. Offsets in bytes, fields big-endian.
 *   0 marker, 16 of 0xff          20 AS number u16 (RFC 6793: 23456 where it needs 32 bits)
 *  16 length u16                  22 hold time u16, seconds
 *  18 type u8 = 1                 24 BGP identifier u32
 *  19 version u8 = 4              28 length of the parameters u8, then these
 */
export interface OpenMessage {
  readonly asn: number;
  /** In seconds. */
  readonly holdTime: number;
}

const HEADER = 19;
const SHORTEST = 29;
const OPEN = 1;
/** Type of a parameter that holds capabilities (RFC 5492), and the capability with an AS number of 32 bits (RFC 6793). */
const CAPABILITIES = 2;
const FOUR_OCTET_AS = 65;
/** Parameters in the extended encoding of RFC 9072. */
const EXTENDED = 255;

/** Says how long the first message in `bytes` is; undefined: its header is not whole yet, or it is none of BGP. */
export function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER || bytes.subarray(0, 16).some((byte) => byte !== 0xff)) return undefined;
  return view(bytes).getUint16(16);
}

/** Decodes an OPEN at the beginning of `bytes`; undefined where there is another message, or not all of it. */
export function decodeOpen(bytes: Uint8Array): OpenMessage | undefined {
  const length = messageLength(bytes);
  if (length === undefined || length < SHORTEST || bytes.length < length || bytes[18] !== OPEN) return undefined;
  const message = view(bytes.subarray(0, length));
  return { asn: fourOctetAS(message) ?? message.getUint16(20), holdTime: message.getUint16(22) };
}

/** Looks for the capability in all parameters; what is cut off ends the search. */
function fourOctetAS(message: DataView): number | undefined {
  const extended = message.getUint8(28) === EXTENDED && message.byteLength > 29 && message.getUint8(29) === EXTENDED;
  const [begin, head] = extended ? [32, 3] : [SHORTEST, 2];
  for (let at = begin; at + head <= message.byteLength; ) {
    const length = extended ? message.getUint16(at + 1) : message.getUint8(at + 1);
    const end = at + head + length;
    if (end > message.byteLength) return undefined;
    const found = message.getUint8(at) === CAPABILITIES ? asOfCapabilities(message, at + head, end) : undefined;
    if (found !== undefined) return found;
    at = end;
  }
  return undefined;
}

function asOfCapabilities(message: DataView, begin: number, end: number): number | undefined {
  for (let at = begin; at + 2 <= end; at += 2 + message.getUint8(at + 1)) {
    const isWhole = message.getUint8(at + 1) === 4 && at + 6 <= end;
    if (message.getUint8(at) === FOUR_OCTET_AS && isWhole) return message.getUint32(at + 2);
  }
  return undefined;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
