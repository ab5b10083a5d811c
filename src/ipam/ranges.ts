import { Address4, Address6 } from "ip-address";
import type { IPFamily } from "../api/objects.ts";
import { bitsOf, formatIP, type IP, parseIP, whyNotIP } from "./addresses.ts";

/** Consecutive addresses of one family, both ends included. */
export interface Range {
  readonly family: IPFamily;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Reads an entry of a pool: a CIDR without host bits, `first-last` (blanks allowed), or a single address. What it is
 * not comes back as a string that completes the sentence `"<entry>" ...` and names the remedy.
 */
export function parseRange(entry: string): Range | string {
  const text = trim(entry);
  if (text.includes("/")) return parseCIDR(text);
  const dash = text.indexOf("-");
  if (dash >= 0) return parseSpan(trim(text.slice(0, dash)), trim(text.slice(dash + 1)));
  const ip = parseIP(text);
  return ip ? { family: ip.family, first: ip.value, last: ip.value } : whyNotEntry(text);
}

/**
 * Reads a CIDR whose host bits may be set, as an interface's address has them, and gives its network; undefined for
 * what is no CIDR.
 */
export function parseSubnet(cidr: string): Range | undefined {
  const parts = splitCIDR(cidr);
  return parts && network(parts.ip, parts.prefix);
}

export function containsIP(range: Range, ip: IP): boolean {
  return ip.family === range.family && range.first <= ip.value && ip.value <= range.last;
}

/** Number of addresses. */
export function sizeOf(range: Range): bigint {
  return range.last - range.first + 1n;
}

export function overlap(a: Range, b: Range): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Orders by family, then by first address. */
export function compareRanges(a: Range, b: Range): number {
  if (a.family !== b.family) return a.family === "IPv4" ? -1 : 1;
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}

function parseCIDR(text: string): Range | string {
  const slash = text.indexOf("/");
  const address = text.slice(0, slash);
  const ip = parseIP(address);
  if (ip === undefined) return whyNotCIDR(address);
  const block = PREFIX_LENGTH.test(text.slice(slash + 1)) ? readBlock(text) : undefined;
  if (block === undefined)
    return `has a bad prefix length; write a number from 0 to ${bitsOf(ip.family)} after the slash, without leading zeros`;
  const first = block.startAddress().bigInt();
  if (first === ip.value) return { family: ip.family, first, last: block.endAddress().bigInt() };
  const start = formatIP({ family: ip.family, value: first });
  return `has host bits set; write ${start}/${block.subnetMask}, or ${address} for that address alone`;
}

const PREFIX_LENGTH = /^(0|[1-9]\d{0,2})$/;

function readBlock(text: string): Address4 | Address6 | undefined {
  try {
    return text.includes(":") ? new Address6(text) : new Address4(text);
  } catch {
    return undefined;
  }
}

function parseSpan(firstText: string, lastText: string): Range | string {
  const first = parseIP(firstText);
  const last = parseIP(lastText);
  if (first === undefined) return whyNotEnd("start", firstText);
  if (last === undefined) return whyNotEnd("end", lastText);
  if (first.family !== last.family) return "mixes IPv4 and IPv6; make it two ranges of one family each";
  if (first.value > last.value) return "starts after its end; swap the two addresses";
  return { family: first.family, first: first.value, last: last.value };
}

function splitCIDR(text: string): { ip: IP; prefix: number } | undefined {
  const slash = text.indexOf("/");
  const ip = parseIP(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (slash < 0 || ip === undefined || !PREFIX_LENGTH.test(digits)) return undefined;
  const prefix = Number(digits);
  return prefix > bitsOf(ip.family) ? undefined : { ip, prefix };
}

function network(ip: IP, prefix: number): Range {
  const hostBits = BigInt(bitsOf(ip.family) - prefix);
  const first = (ip.value >> hostBits) << hostBits;
  return { family: ip.family, first, last: first + (1n << hostBits) - 1n };
}

function whyNotEntry(text: string): string {
  const why = whyNotIP(text);
  if (!why.startsWith("is not")) return why;
  return 'is not an address, a CIDR or a range; write one like "192.0.2.10", "192.0.2.0/28" or "192.0.2.10-192.0.2.20"';
}

function whyNotCIDR(address: string): string {
  const why = whyNotIP(address);
  if (!why.startsWith("is not")) return `has an address, "${address}", that ${why}`;
  return 'is not a CIDR; write one like "192.0.2.0/28" or "2001:db8::/112"';
}

function whyNotEnd(which: "start" | "end", text: string): string {
  if (text === "") return `has no ${which}; write a range like "192.0.2.10-192.0.2.20"`;
  return `has ${which === "end" ? "an" : "a"} ${which}, "${text}", that ${whyNotIP(text)}`;
}

/** Takes off the blanks that the API server takes off: Unicode's, which differ from those of String.trim in two. */
function trim(text: string): string {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
}
