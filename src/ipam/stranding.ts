import type { Assignment, Demand } from "./demand.ts";
import { type Labels, type Pools, selectorAgainst } from "./pools.ts";
import type { Stranding } from "./verdict.ts";

/** A Service that holds addresses. */
export interface Holder {
  readonly demand: Demand;
  readonly held: Assignment;
  /** Of its namespace; undefined: not known yet, and no reason to say anything of selectors. */
  readonly labels: Labels | undefined;
}

/** Says why the pool of held addresses could no longer give them to their Service; undefined where it could. */
export function strandingOf(holder: Holder, pools: Pools): Stranding | undefined {
  const { held, demand, labels } = holder;
  const pool = pools.get(held.pool);
  if (pool === undefined) return { pool: held.pool, ips: held.ips, why: "PoolGone" };
  const [first] = held.ips.map((ip) => pool.whyNot(ip)).filter((why) => why !== undefined);
  const selector = selectorAgainst(pool, demand, labels);
  const why = first ?? selector;
  if (why === undefined) return undefined;
  return { pool: pool.name, ips: selector ? held.ips : held.ips.filter((ip) => !pool.contains(ip)), why };
}

/**
 * Finds the pool that could give held addresses to their Service where the pool they were given from could not
 * (`isStranded`), or is going.
 */
export function successorOf({ held, demand, labels }: Holder, isStranded: boolean, pools: Pools): string | undefined {
  if (!isStranded && pools.get(held.pool)?.object.deleting !== true) return undefined;
  const [first] = held.ips;
  const pool = first && pools.owner(first);
  if (pool === undefined || pool.name === held.pool || !held.ips.every((ip) => pool.contains(ip))) return undefined;
  const { request } = demand;
  const isAsked = request === undefined || "problem" in request || (request.pool ?? pool.name) === pool.name;
  return isAsked && selectorAgainst(pool, demand, labels) === undefined ? pool.name : undefined;
}
