import type { IPFamily } from "../api/objects.ts";

/** An IP address as an integer: 32 bits in IPv4, 128 in IPv6. IPv4-mapped IPv6 addresses don't occur: see parseIP. */
export interface IP {
  readonly family: IPFamily;
  readonly value: bigint;
}

/**
 * Reads an IPv4 address in dotted decimal, or an IPv6 address in any form of RFC 4291 section 2.2. Gives undefined for
 * what is no address, and for spellings that mean different things to different readers: leading zeros (octal to some),
 * zone ids, and IPv4-mapped IPv6 addresses. `whyNotIP` says which of them it was.
 */
export function parseIP(text: string): IP | undefined {
  if (text.length > LONGEST) return undefined;
  if (!text.includes(":")) {
    const value = parseIPv4(text);
    return value === undefined ? undefined : { family: "IPv4", value: BigInt(value) };
  }
  const bytes = parseIPv6(text);
  return bytes && { family: "IPv6", value: toBigInt(bytes) };
}

/** Writes the canonical text: for IPv6 that of RFC 5952. */
export function formatIP(ip: IP): string {
  return ip.family === "IPv4" ? formatIPv4(Number(ip.value)) : formatIPv6(ip.value);
}

/** Gives an address its canonical text, so that equal addresses have equal texts; undefined where parseIP is. */
export function canonicalIP(text: string): string | undefined {
  const ip = parseIP(text);
  return ip && formatIP(ip);
}

export function sameIP(a: IP, b: IP): boolean {
  return a.value === b.value && a.family === b.family;
}

/** Bits of an address. */
export function bitsOf(family: IPFamily): 32 | 128 {
  return family === "IPv4" ? 32 : 128;
}

/** Says in a person's words why `text` is no address, and what to write instead. */
export function whyNotIP(text: string): string {
  if (text.includes("%")) return `has a zone id; write ${text.slice(0, text.indexOf("%")) || "the address"} without it`;
  const mapped = readIPv6(text);
  if (mapped !== undefined) return `is an IPv4-mapped IPv6 address; write ${mapped.subarray(12).join(".")} instead`;
  const zeros = /^\d+(\.\d+){3}$/.test(text) ? text.replace(/\b0+(?=\d)/g, "") : text;
  if (zeros !== text && parseIPv4(zeros) !== undefined) return `has leading zeros; write ${zeros} instead`;
  return "is not an IPv4 or IPv6 address";
}

/** Characters of the longest IPv6 text, eight full groups with an IPv4 tail. */
const LONGEST = 45;

/** Reads an IPv4 address in dotted decimal, as parseIP does, without the cost of a bigint. */
export function parseIPv4(text: string): number | undefined {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2e) {
      if (octet < 0 || ++dots > 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
    } else if (code >= 0x30 && code <= 0x39 && octet !== 0) {
      octet = Math.max(octet, 0) * 10 + code - 0x30;
      if (octet > 255) return undefined;
    } else return undefined; // no digit, or a digit after a leading zero
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : undefined;
}

/** Reads an IPv6 address into its 16 bytes, as parseIP does, without the cost of a bigint. */
export function parseIPv6(text: string): Uint8Array | undefined {
  if (text.length > LONGEST) return undefined;
  const bytes = readIPv6(text);
  return bytes === undefined || isMapped(bytes) ? undefined : bytes;
}

/** Reads any IPv6 address, also an IPv4-mapped one. */
function readIPv6(text: string): Uint8Array | undefined {
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
    if (code === DOT) {
      // What is left is the last two groups, written as IPv4.
      const tail = at > 12 ? undefined : parseIPv4(text.slice(i - digits));
      if (tail === undefined) return undefined;
      bytes.set([tail >>> 24, tail >>> 16, tail >>> 8, tail], at);
      at += 4;
      digits = 0;
      break;
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
  return bytes;
}

const COLON = 0x3a;
const DOT = 0x2e;

/** Gives -1 for what is none. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** Tells whether an address is of ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
}

function toBigInt(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

function formatIPv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function formatIPv6(value: bigint): string {
  const words: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) words.push(Number((value >> shift) & 0xffffn));
  const { start, length } = longestZeros(words);
  const hex = words.map((word) => word.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** Finds the first of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [at, word] of words.entries()) {
    length = word === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: at - length + 1, length };
  }
  return best;
}
