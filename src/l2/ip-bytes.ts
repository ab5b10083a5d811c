import { formatIP, parseIP } from "../ipam/addresses.ts";

/** Writes an IP in network byte order: 4 bytes or 16. `text` is an address: a caller's error throws. */
export function ipBytes(text: string): Uint8Array {
  const ip = parseIP(text);
  if (ip === undefined) throw new RangeError(`"${text}" is no IP address`);
  const bytes = new Uint8Array(ip.family === "IPv4" ? 4 : 16);
  let rest = ip.value;
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** Reads an IP in network byte order, 4 bytes or 16, into its canonical text. */
export function ipText(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return formatIP({ family: bytes.length === 4 ? "IPv4" : "IPv6", value });
}
