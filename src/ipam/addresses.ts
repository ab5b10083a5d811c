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
  const value = parseIPv6(text);
  return value === undefined || value >> 32n === MAPPED ? undefined : { family: "IPv6", value };
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
  const mapped = text.includes(":") ? parseIPv6(text) : undefined;
  if (mapped !== undefined)
    return `is an IPv4-mapped IPv6 address; write ${formatIPv4(Number(mapped & 0xffff_ffffn))} instead`;
  const zeros = /^\d+(\.\d+){3}$/.test(text) ? text.replace(/\b0+(?=\d)/g, "") : text;
  if (zeros !== text && parseIPv4(zeros) !== undefined) return `has leading zeros; write ${zeros} instead`;
  return "is not an IPv4 or IPv6 address";
}

/** Characters of the longest IPv6 text, eight full groups with an IPv4 tail. */
const LONGEST = 45;

/** The upper 96 bits of ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffffn;

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

function parseIPv6(text: string): bigint | undefined {
  const gap = text.indexOf("::");
  const head = groups(gap < 0 ? text : text.slice(0, gap), gap < 0);
  const tail = gap < 0 ? [] : groups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of head) value = (value << 16n) | BigInt(group);
  value <<= BigInt(16 * missing);
  for (const group of tail) value = (value << 16n) | BigInt(group);
  return value;
}

/** Reads colon-separated groups of 16 bits; where they end the address, the last two may be written as IPv4. */
function groups(text: string, atEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const out: number[] = [];
  for (const [at, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) out.push(Number.parseInt(part, 16));
    else {
      const ipv4 = atEnd && at === parts.length - 1 ? parseIPv4(part) : undefined;
      if (ipv4 === undefined) return undefined;
      out.push(ipv4 >>> 16, ipv4 & 0xffff);
    }
  }
  return out;
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
