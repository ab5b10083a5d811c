import { formatIP, parseIP, parseIPv4 } from "../ipam/addresses.ts";

/** Writes an IP in network byte order: 4 bytes or 16. `text` is an address: a caller's error throws. */
export function ipBytes(text: string): Uint8Array {
  // A table of 10 000 is packed at once: with bigints it would take ten times as long.
  const v4 = parseIPv4(text);
  if (v4 !== undefined) return Uint8Array.of(v4 >>> 24, v4 >>> 16, v4 >>> 8, v4);
  const v6 = groupBytes(text);
  if (v6 !== undefined) return v6;
  const ip = parseIP(text);
  if (ip === undefined) throw new RangeError(`"${text}" is no IP address`);
  const bytes = new Uint8Array(16);
  let rest = ip.value;
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** Reads an IP in network byte order, 4 bytes or 16, into its canonical text. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return formatIP({ family: "IPv6", value });
}

const COLON = 0x3a;

/** Reads an IPv6 address that is written in groups alone; undefined for any other text, and for what may be IPv4-mapped. */
function groupBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  let at = 0; // of the group that is being read
  let gap = -1; // where "::" stands
  let digits = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const digit = hexDigit(code);
    if (digit >= 0) {
      if (at === 16 || ++digits > 4) return undefined;
      value = value * 16 + digit;
      bytes[at] = value >> 8;
      bytes[at + 1] = value & 0xff;
      continue;
    }
    const double = text.charCodeAt(i + 1) === COLON;
    if (code !== COLON || (!double && (digits === 0 || i === text.length - 1))) return undefined;
    if (digits > 0) at += 2;
    if (double) {
      if (gap >= 0) return undefined;
      gap = at;
      i++;
    }
    digits = value = 0;
  }
  if (digits > 0) at += 2;
  if (gap < 0 ? at !== 16 : at > 14) return undefined;
  if (gap >= 0) bytes.copyWithin(16 - (at - gap), gap, at).fill(0, gap, 16 - (at - gap));
  return bytes[10] === 0xff && bytes[11] === 0xff ? undefined : bytes;
}

/** Gives -1 for what is none. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
