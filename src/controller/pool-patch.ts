import type { IPPool, IPPoolStatus } from "../api/ippool.ts";
import type { IPFamily } from "../api/objects.ts";
import type {
  POOL_EXHAUSTED_REASONS,
  POOL_OVERLAPPING_REASONS,
  POOL_READY_REASONS,
  POOL_STRANDED_REASONS,
} from "../api/reasons.ts";
import type { PoolReport } from "../ipam/address-book.ts";
import type { Usage } from "../ipam/pool.ts";
import type { PoolState } from "../ipam/pools.ts";
import { conditionsWith, type WantedCondition } from "../kube/conditions.ts";
import { quote } from "./quote.ts";

/** Gives the merge patch that makes an IPPool's status say how full it is and whether it is good; undefined where it does. */
export function poolPatch(object: IPPool, report: PoolReport, now: number): { status: IPPoolStatus } | undefined {
  const { status } = object;
  const { ipv4, ipv6, stranded } = report;
  const conditions = conditionsWith(status.conditions ?? [], poolConditions(object, report), now);
  const changed = {
    ...(!sameUsage(status.ipv4, ipv4) && { ipv4 }),
    ...(!sameUsage(status.ipv6, ipv6) && { ipv6 }),
    ...(status.stranded !== stranded && { stranded }),
    ...(conditions && { conditions: [...conditions] }),
  };
  return Object.keys(changed).length > 0 ? { status: changed } : undefined;
}

/** What the four conditions of an IPPool say. */
function poolConditions({ generation }: IPPool, report: PoolReport): readonly WantedCondition[] {
  const all: readonly Condition[] = [ready(report), overlapping(report), exhausted(report), stranded(report)];
  return all.map(({ type, is, reason, message }) => ({
    type,
    status: is ? "True" : "False",
    reason,
    message,
    observedGeneration: generation,
  }));
}

type Condition = { readonly is: boolean; readonly message: string } & (
  | { readonly type: "Ready"; readonly reason: (typeof POOL_READY_REASONS)[number] }
  | { readonly type: "Overlapping"; readonly reason: (typeof POOL_OVERLAPPING_REASONS)[number] }
  | { readonly type: "Exhausted"; readonly reason: (typeof POOL_EXHAUSTED_REASONS)[number] }
  | { readonly type: "Stranded"; readonly reason: (typeof POOL_STRANDED_REASONS)[number] }
);

function ready({ state, holders }: PoolReport): Condition {
  const type = "Ready";
  switch (state.state) {
    case "Valid":
      return { type, is: true, reason: "Valid", message: "addresses are given out" };
    case "Invalid":
      return { type, is: false, reason: "InvalidSpec", message: state.problem };
    case "Overlapping":
      return { type, is: false, reason: "Overlapping", message: overlapText(state) };
    case "Disabled":
      return {
        type,
        is: false,
        reason: "Disabled",
        message: "spec.disabled is true: nothing new is given out, and Services keep what they hold",
      };
    case "Terminating":
      return {
        type,
        is: false,
        reason: "Terminating",
        message: `is being deleted: nothing new is given out, and it goes when the last Service (of ${holders} now) has let go of its addresses`,
      };
  }
}

function overlapping({ state }: PoolReport): Condition {
  const type = "Overlapping";
  return state.state === "Overlapping"
    ? { type, is: true, reason: "Overlapping", message: overlapText(state) }
    : { type, is: false, reason: "NoOverlap", message: "no other pool keeps this one from giving out addresses" };
}

function overlapText({ with: other, ips }: Extract<PoolState, { state: "Overlapping" }>): string {
  return `has ${ips} in common with pool ${quote(other)}, which is older: nothing is given out; take these addresses out of one of the two`;
}

function exhausted({ state, ipv4, ipv6 }: PoolReport): Condition {
  const type = "Exhausted";
  if (state.state !== "Valid") return { type, is: false, reason: "NotReady", message: "the pool is not Ready" };
  const all: readonly (readonly [IPFamily, Usage])[] = [
    ["IPv4", ipv4],
    ["IPv6", ipv6],
  ];
  const full = all.filter(([, { total, available }]) => total > 0 && available === 0).map(([family]) => family);
  return full.length > 0
    ? {
        type,
        is: true,
        reason: "Exhausted",
        message: `no ${full.join(" and no ")} address is left; add addresses, or delete a Service that holds one`,
      }
    : { type, is: false, reason: "AddressesAvailable", message: "addresses are left" };
}

function stranded({ stranded }: PoolReport): Condition {
  const type = "Stranded";
  if (stranded === 0)
    return { type, is: false, reason: "NoneStranded", message: "Services hold only what the pool would give them" };
  const count = stranded === 1 ? "1 address is" : `${stranded} addresses are`;
  return {
    type,
    is: true,
    reason: "Stranded",
    message: `${count} held by Services that the pool would not give it to any more; their condition heraldlb.io/Stranded says why`,
  };
}

function sameUsage(a: Usage | undefined, b: Usage): boolean {
  return a?.total === b.total && a.assigned === b.assigned && a.available === b.available;
}
