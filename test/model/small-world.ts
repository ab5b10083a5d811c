import type { IPPoolSpec } from "../../src/api/ippool.ts";
import { formatIP, type IP, parseIP } from "../../src/ipam/addresses.ts";

/** Few names and few addresses, so that the model can try them all, and pools are full and requests clash all the time. */

export const NAMESPACES = ["m", "n", "n-1"] as const;
export const KEYS = ["m/a", "m/b", "n/a", "n/b", "n/c", "n-1/a", "n-1/b", "m/c"] as const;
export const POOLS = ["p", "q", "r"] as const;

/** What each entry of a pool means, written out. */
const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  "192.0.2.0/31": ["192.0.2.0", "192.0.2.1"],
  "192.0.2.0/30": ["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"],
  "192.0.2.1": ["192.0.2.1"],
  "192.0.2.3": ["192.0.2.3"],
  "192.0.2.2 - 192.0.2.3": ["192.0.2.2", "192.0.2.3"],
  "192.0.2.4-192.0.2.5": ["192.0.2.4", "192.0.2.5"],
  "192.0.2.254/31": ["192.0.2.254", "192.0.2.255"],
  "2001:db8::/127": ["2001:db8::", "2001:db8::1"],
  "2001:db8::1": ["2001:db8::1"],
  "2001:db8::2/127": ["2001:db8::2", "2001:db8::3"],
  "2001:db8::/126": ["2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3"],
  "192.0.2.1/30": [],
};

export interface Ranges {
  readonly addresses: readonly string[];
  readonly exclude?: readonly string[];
  /** The pool is refused for its entries; those that can be read have addresses all the same. */
  readonly invalid?: boolean;
}

export const RANGES: readonly Ranges[] = [
  { addresses: ["192.0.2.0/31"] },
  { addresses: ["192.0.2.0/30"] },
  { addresses: ["192.0.2.2 - 192.0.2.3"] },
  { addresses: ["192.0.2.4-192.0.2.5"] },
  { addresses: ["192.0.2.1"] },
  { addresses: ["192.0.2.3", "192.0.2.0/31"] },
  { addresses: ["192.0.2.0/30"], exclude: ["192.0.2.1"] },
  { addresses: ["192.0.2.1"], exclude: ["192.0.2.1"] },
  { addresses: ["192.0.2.254/31"] },
  { addresses: ["2001:db8::/127"] },
  { addresses: ["2001:db8::/126"], exclude: ["2001:db8::/127"] },
  { addresses: ["192.0.2.0/31", "2001:db8::/127"] },
  { addresses: ["192.0.2.2 - 192.0.2.3", "2001:db8::2/127"] },
  { addresses: ["2001:db8::1", "192.0.2.4-192.0.2.5"] },
  { addresses: ["192.0.2.0/30", "2001:db8::/126"] },
  { addresses: ["192.0.2.0/30", "2001:db8::/127"], exclude: ["192.0.2.0/31"] },
  { addresses: ["192.0.2.1/30", "192.0.2.4-192.0.2.5"], invalid: true },
  { addresses: ["192.0.2.0/31", "192.0.2.1"], invalid: true },
];

export const ADDRESSES: readonly string[] = [...new Set(Object.values(ENTRIES).flat())];
/** In no pool, ever. */
export const ELSEWHERE = "203.0.113.9";

const BY_TEXT = new Map([...ADDRESSES, ELSEWHERE].map((text) => [text, parseIP(text) as IP]));
const BY_VALUE = new Map([...BY_TEXT.values()].map((ip) => [ip.value, formatIP(ip)]));

export function ipOf(text: string): IP {
  return BY_TEXT.get(text) as IP;
}

export function textOf({ value }: IP): string {
  return BY_VALUE.get(value) as string;
}

/** What a pool of the model has to give, written out. */
export interface Contents {
  /** As declared, the lowest first in each entry. */
  readonly all: readonly string[];
  readonly excluded: ReadonlySet<string>;
  /** Not given out for their last octet. */
  readonly avoided: ReadonlySet<string>;
  /** Of `all`, what may be given out. */
  readonly givable: readonly string[];
  readonly invalid: boolean;
}

export function contentsOf({ addresses, exclude = [], invalid = false }: Ranges, avoidBuggyIPs: boolean): Contents {
  const all = [...new Set(addresses.flatMap((entry) => ENTRIES[entry] ?? []))];
  const excluded = new Set(exclude.flatMap((entry) => ENTRIES[entry] ?? []));
  const avoided = new Set(avoidBuggyIPs ? all.filter((text) => /\.(0|255)$/.test(text)) : []);
  return { all, excluded, avoided, givable: all.filter((ip) => !excluded.has(ip) && !avoided.has(ip)), invalid };
}

export type PoolSettings = Pick<
  IPPoolSpec,
  "autoAssign" | "avoidBuggyIPs" | "disabled" | "priority" | "namespaceSelector" | "serviceSelector"
>;

export function specOf({ addresses, exclude = [] }: Ranges, settings: PoolSettings): IPPoolSpec {
  return { ...settings, addresses: [...addresses], exclude: [...exclude], announce: [] };
}
