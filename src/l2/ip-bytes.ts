import { formatIP, parseIP, parseIPv4 } from "../ipam/addresses.ts";

/** Writes an IP in network byte order: 4 bytes or 16. `text` is an address: a caller's error throws. */
export function ipBytes(text: string): Uint8Array {
  const v4 = parseIPv4(text); // a table of 10 000 is packed at once: bigints would cost ten times as much
  if (v4 !== undefined) return Uint8Array.of(v4 >>> 24, v4 >>> 16, v4 >>> 8, v4);
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
