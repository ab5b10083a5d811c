/** What each of many keys may do: `burst` times at once, then once per `refillMs`. */
export interface BudgetOptions {
  readonly burst: number;
  readonly refillMs: number;
  /** Keys that are remembered; the one not used for longest is forgotten, and so has its whole burst again. */
  readonly most: number;
}

interface Budget {
  /** Up to `burst`, as of `atMs`. */
  readonly tokens: number;
  readonly atMs: number;
}

/** Budgets of keys, so that one that never comes to rest does not keep everybody busy. */
export class Budgets {
  readonly #options: BudgetOptions;
  /** The one used last comes last. */
  readonly #budgets = new Map<string, Budget>();

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** Takes one from the key's budget: gives 0; where it is used up, the milliseconds until there is one again. */
  spend(key: string, nowMs: number): number {
    const { burst, refillMs, most } = this.#options;
    const known = this.#budgets.get(key) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, known.tokens + (nowMs - known.atMs) / refillMs);
    const isThere = tokens >= 1;
    touch(this.#budgets, key, { tokens: isThere ? tokens - 1 : tokens, atMs: nowMs }, most);
    return isThere ? 0 : Math.ceil((1 - tokens) * refillMs);
  }
}

/** Sets an entry as the one used last, and lets go of the one not used for longest where there are more than `most`. */
export function touch<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
}
