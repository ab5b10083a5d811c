import type { IPPool, IPPoolStatus } from "../api/ippool.ts";
import type { Condition } from "../api/objects.ts";
import type { POOL_READY_REASONS } from "../api/reasons.ts";
import type { Pool, Usage } from "../ipam/pool.ts";
import { conditionsWith } from "./service-patch.ts";

/** Gives the merge patch that makes an IPPool's status say how full it is and whether it is good; undefined where it does. */
export function poolPatch(object: IPPool, pool: Pool, now: number): { status: IPPoolStatus } | undefined {
  const { status, generation } = object;
  const reason: (typeof POOL_READY_REASONS)[number] = pool.problem === undefined ? "Valid" : "InvalidAddresses";
  const ready = {
    type: "Ready",
    status: pool.problem === undefined ? "True" : "False",
    reason,
    message: pool.problem ?? "addresses are given out",
    observedGeneration: generation,
  } satisfies Omit<Condition, "lastTransitionTime">;
  const ipv4 = pool.usage("IPv4");
  const ipv6 = pool.usage("IPv6");
  const conditions = conditionsWith(status.conditions ?? [], ready, now);
  const changed = {
    ...(!sameUsage(status.ipv4, ipv4) && { ipv4 }),
    ...(!sameUsage(status.ipv6, ipv6) && { ipv6 }),
    ...(conditions && { conditions: [...conditions] }),
  };
  return Object.keys(changed).length > 0 ? { status: changed } : undefined;
}

function sameUsage(a: Usage | undefined, b: Usage): boolean {
  return a?.total === b.total && a.assigned === b.assigned && a.available === b.available;
}
