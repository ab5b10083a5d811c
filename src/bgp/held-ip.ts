import type { Serving } from "../election/candidates.ts";
import { bitsOf, formatIP, type IP, parseIP } from "../ipam/addresses.ts";
import type { AnnouncedPool } from "../ipam/announced-pools.ts";
import { containsIP, type Range } from "../ipam/ranges.ts";

/** What is looked at of an IP that Herald assigned. */
export interface HeldIP {
  /** The nodes that can serve it, for all of the Services that share it. */
  readonly serving: Serving;
  /** The pool that gave the IP, by the first holder's record. */
  readonly assignedPool: string | undefined;
}

/**
 * Gives the prefix that stands for an IP in canonical text, of the length or as much longer as it takes to stay inside
 * the pool's entry that has the IP: a route never claims addresses that are not the pool's. An IP that is in none any
 * more stands for itself.
 */
export function prefixOf(text: string, length: number, { ranges }: Pick<AnnouncedPool, "ranges">): string {
  const bits = text.includes(":") ? 128 : 32;
  const ip = length < bits ? parseIP(text) : undefined;
  const range = ip && ranges.find((one) => containsIP(one, ip));
  return ip && range ? within(range, ip, length) : `${text}/${bits}`;
}

function within({ first, last }: Range, { family, value }: IP, shortest: number): string {
  const bits = bitsOf(family);
  for (let length = shortest; length < bits; length++) {
    const hostBits = BigInt(bits - length);
    const start = (value >> hostBits) << hostBits;
    const end = start + (1n << hostBits) - 1n;
    if (first <= start && end <= last) return `${formatIP({ family, value: start })}/${length}`;
  }
  return `${formatIP({ family, value })}/${bits}`;
}
