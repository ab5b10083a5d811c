import type { IPFamily } from "../api/objects.ts";
import type { IP } from "./addresses.ts";
import type { Need } from "./demand.ts";
import type { Pool } from "./pool.ts";

/** Why no pool gives what a Service needs. */
export interface Verdict {
  readonly reason: "NoPool" | "NoFittingPool" | "PoolExhausted";
  /** In the order in which they were tried. */
  readonly tried: readonly Refusal[];
}

/** Why one pool does not do. */
export type Refusal =
  | { readonly pool: string; readonly why: "Invalid" | "NotAutoAssigned" }
  | {
      readonly pool: string;
      readonly why: "Lacks";
      /** Families that the pool has no addresses of. */
      readonly without: readonly IPFamily[];
      /** Families of which all addresses are taken. */
      readonly exhausted: readonly IPFamily[];
    };

/** Finds the addresses that a need gets: the first option that a pool can give wholly, the first pool that can. */
export function choose(need: Need, pools: readonly Pool[]): { pool: string; ips: readonly IP[] } | undefined {
  const allowed = pools.filter((pool) => isAllowed(need, pool));
  for (const option of need.options) {
    for (const pool of allowed) {
      const ips = option.map((family) => pool.lowestFree(family)).filter((ip) => ip !== undefined);
      if (ips.length === option.length) return { pool: pool.name, ips };
    }
  }
  return undefined;
}

/** Says why `choose` found nothing. */
export function explain(need: Need, pools: readonly Pool[]): Verdict {
  const relevant = pools.filter((pool) => need.pool === undefined || pool.name === need.pool);
  const tried = relevant.map((pool) => refusal(need, pool));
  const full = tried.some((one) => one.why === "Lacks" && one.without.length === 0);
  return { reason: tried.length === 0 ? "NoPool" : full ? "PoolExhausted" : "NoFittingPool", tried };
}

function isAllowed(need: Need, pool: Pool): boolean {
  return need.pool === undefined ? pool.autoAssign : pool.name === need.pool;
}

function refusal(need: Need, pool: Pool): Refusal {
  if (pool.problem !== undefined) return { pool: pool.name, why: "Invalid" };
  if (!isAllowed(need, pool)) return { pool: pool.name, why: "NotAutoAssigned" };
  const families = need.options[0] ?? [];
  const without = families.filter((family) => !pool.has(family));
  const exhausted = families.filter((family) => pool.has(family) && pool.lowestFree(family) === undefined);
  // Of a pool that could give one family alone, that family's being full is what keeps it from doing so.
  const alone = need.options.length > 1 && exhausted.length > 0;
  return { pool: pool.name, why: "Lacks", without: alone ? [] : without, exhausted };
}
