import { formatIP, parseIPv4, parseIPv6 } from "../ipam/addresses.ts";

/** Writes an IP in network byte order: 4 bytes or 16. `text` is an address: a caller's error throws. */
export function ipBytes(text: string): Uint8Array {
  const v4 = parseIPv4(text);
  if (v4 !== undefined) return Uint8Array.of(v4 >>> 24, v4 >>> 16, v4 >>> 8, v4);
  const v6 = parseIPv6(text);
  if (v6 === undefined) throw new RangeError(`"${text}" is no IP address`);
  return v6;
}

/** Reads an IP in network byte order, 4 bytes or 16, into its canonical text. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return formatIP({ family: "IPv6", value });
}
