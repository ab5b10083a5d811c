import type { IPFamily } from "../api/objects.ts";
import type { Refusal, Verdict } from "../ipam/choose.ts";

/** Pools named in one message; a cluster with more needs no longer text. */
const MOST = 5;

/** Says why a Service waits: which pools were tried and why each would not do, and what would help. */
export function verdictText({ reason, tried }: Verdict): string {
  if (reason === "NoPool") return "there is no IPPool to take an address from; create one";
  const shown = tried.slice(0, MOST).map(refusalText).join("; ");
  const rest = tried.length > MOST ? `; and ${tried.length - MOST} more` : "";
  const remedy =
    reason === "PoolExhausted"
      ? "add addresses to a pool, or delete a Service that holds one"
      : "add a pool that fits, or mend one of these";
  return `no pool can give what is asked for: ${shown}${rest}; ${remedy}`;
}

function refusalText(refusal: Refusal): string {
  const pool = `pool "${refusal.pool}"`;
  if (refusal.why !== "Lacks") return `${pool} ${refusal.why === "Invalid" ? "is not Ready" : "has autoAssign: false"}`;
  const reasons = [
    ...(refusal.without.length > 0 ? [`has no ${families(refusal.without)} addresses`] : []),
    ...(refusal.exhausted.length > 0 ? [`has no free ${families(refusal.exhausted)} address`] : []),
  ];
  return `${pool} ${reasons.join(" and ")}`;
}

function families(all: readonly IPFamily[]): string {
  return all.join(" or ");
}
