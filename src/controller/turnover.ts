/**
 * Sees to it that an address is on one Service at a time: the next one is written to have it when the one that had it has
 * been seen without it, so that neither a reader nor a crash in between ever finds it on both. It knows names only.
 */
export class Turnover {
  /** What each Service still has in its status and is about to lose, and whose each such address is. */
  readonly #leaving = new Map<string, readonly string[]>();
  readonly #leavers = new Map<string, Set<string>>();
  /** Who waits for it. */
  readonly #waiting = new Map<string, Set<string>>();

  /** Notes all that a Service is about to lose. Gives the Services that need not wait any more. */
  leaves(key: string, ips: readonly string[]): readonly string[] {
    const before = this.#leaving.get(key) ?? [];
    if (ips.length > 0) this.#leaving.set(key, ips);
    else this.#leaving.delete(key);
    for (const ip of ips) setOf(this.#leavers, ip).add(key);
    return before.filter((ip) => !ips.includes(ip)).flatMap((ip) => this.#left(ip, key));
  }

  /** Tells whether another than `key` is about to lose one of these addresses, and notes that `key` waits for that. */
  awaits(key: string, ips: readonly string[]): boolean {
    const awaited = ips.filter((ip) => [...(this.#leavers.get(ip) ?? [])].some((leaver) => leaver !== key));
    for (const ip of awaited) setOf(this.#waiting, ip).add(key);
    return awaited.length > 0;
  }

  /** Tells whether another waits for what the Service is about to lose. */
  isAwaited(key: string): boolean {
    return this.#leaving.get(key)?.some((ip) => this.#waiting.has(ip)) ?? false;
  }

  #left(ip: string, key: string): readonly string[] {
    const leavers = this.#leavers.get(ip);
    leavers?.delete(key);
    if (leavers && leavers.size > 0) return [];
    this.#leavers.delete(ip);
    const waiting = [...(this.#waiting.get(ip) ?? [])];
    this.#waiting.delete(ip);
    return waiting;
  }
}

function setOf(sets: Map<string, Set<string>>, name: string): Set<string> {
  const set = sets.get(name) ?? new Set();
  sets.set(name, set);
  return set;
}
