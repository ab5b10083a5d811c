import { ANNOTATION } from "../api/names.ts";
import type { IPFamily, Service } from "../api/objects.ts";
import { formatIP } from "../ipam/addresses.ts";
import type { Clash, Refusal, Stranding, Verdict } from "../ipam/verdict.ts";
import { quote } from "./quote.ts";

/** Pools named in one message; a cluster with more needs no longer text. */
const MOST = 5;

/** Pools named beside an address that can't be shared. */
const MOST_BESIDE_CLASH = 2;

/** Says why a Service waits, and what would help: one line of less than a thousand characters. */
export function verdictText(verdict: Verdict, service: Service): string {
  switch (verdict.reason) {
    case "NoPool":
      return "there is no IPPool to take an address from; create one";
    case "NoFittingPool":
    case "PoolExhausted":
      return triedText(verdict, service);
    case "InvalidRequest":
    case "ConflictingRequests":
      return verdict.text;
    case "WrongFamily":
      return `asks for ${formatIP(verdict.ip)}, but is a Service of ${families(verdict.families, "and")} only; ask for an address of that family, or give the Service the other one too (spec.ipFamilies, spec.ipFamilyPolicy)`;
    case "IPOutsidePools":
      return `asks for ${formatIP(verdict.ip)}, which no IPPool contains; ask for an address of a pool, or add this one to a pool`;
    case "IPNotInPool":
      return notInPoolText(verdict);
    case "IPsInDifferentPools":
      return `asks for ${verdict.ips.map((ip, at) => `${formatIP(ip)} of ${named(verdict.pools[at])}`).join(" and ")}; ask for two addresses of one pool`;
    case "IPExcluded":
      return `asks for ${formatIP(verdict.ip)}, which ${named(verdict.pool)} excludes; ask for another address, or take it out of the pool's spec.exclude`;
    case "IPAvoided":
      return `asks for ${formatIP(verdict.ip)}, which ${named(verdict.pool)} avoids for its ending (.0 or .255); ask for another address, or set the pool's spec.avoidBuggyIPs to false`;
    case "UnknownPool":
      return unknownPoolText(verdict.pool, service);
    case "PoolNotUsable":
      return `asks for ${named(verdict.refusal.pool)}, which ${whyText(verdict.refusal)}; ${remedy(verdict.refusal)}`;
    case "IPInUse":
      return verdict.stranger
        ? `asks for ${formatIP(verdict.ip)}, which the status of Service ${verdict.holder} has, served by another controller; ask for another address, or free it there`
        : `asks for ${formatIP(verdict.ip)}, which Service ${verdict.holder} holds; ask for another address, or delete that Service`;
    case "SharingRefused":
      return `asks to share ${formatIP(verdict.ip)} with Service ${verdict.clash.holder}, ${clashText(verdict.clash, service)}, or ask for another address`;
  }
}

/** Says why a Service's pool would not give it its addresses any more, and how to end that. */
export function strandingText({ pool, ips, why }: Stranding): string {
  const [is, them] = ips.length > 1 ? ["are", "them"] : ["is", "it"];
  const reason = {
    PoolGone: `from ${named(pool)}, which is gone, and in no other pool; create a pool that contains ${them}`,
    OutsidePool: `no longer in ${named(pool)}; add ${them} to the pool's spec.addresses`,
    Excluded: `excluded from ${named(pool)}; take ${them} out of its spec.exclude`,
    Avoided: `avoided by ${named(pool)}; set its spec.avoidBuggyIPs to false`,
    NamespaceSelector: `from ${named(pool)}, whose namespaceSelector does not match the Service's namespace any more; change one of the two`,
    ServiceSelector: `from ${named(pool)}, whose serviceSelector does not match the Service's labels any more; change one of the two`,
  }[why];
  return `keeps ${ips.map(formatIP).join(" and ")}, which ${is} ${reason}, or have the Service moved with ${ANNOTATION.reassign}: "true"`;
}

function triedText({ reason, tried, unshared }: Extract<Verdict, { tried: unknown }>, service: Service): string {
  const most = unshared ? MOST_BESIDE_CLASH : MOST;
  const shown = tried.slice(0, most).map(refusalText);
  if (tried.length > most) shown.push(`and ${tried.length - most} more`);
  const clash = unshared && clashWords(unshared.clash, service);
  if (clash) shown.push(`${formatIP(unshared.ip)} can't be shared with Service ${unshared.clash.holder}, ${clash.why}`);
  const help =
    reason === "PoolExhausted"
      ? `add addresses to a pool, ${clash ? `${clash.help}, ` : ""}or delete a Service that holds one`
      : "add a pool that fits, or mend one of these";
  return `no pool can give what is asked for: ${shown.join("; ")}; ${help}`;
}

function notInPoolText({ ip, pool, actual }: Extract<Verdict, { reason: "IPNotInPool" }>): string {
  const where = actual === undefined ? "" : ` (${named(actual)} does)`;
  return `asks for ${formatIP(ip)} and for ${named(pool)}, which does not contain it${where}; ask for one of the two, or for an address of that pool`;
}

function unknownPoolText(pool: string, { meta }: Service): string {
  const isNamed = meta.annotations[ANNOTATION.pool]?.trim() === pool;
  return isNamed
    ? `asks for the pool ${quote(pool)}, which does not exist; create it, or name another in ${ANNOTATION.pool}`
    : `its other address must be of ${named(pool)} too, which is gone; create it again, or have the Service moved with ${ANNOTATION.reassign}: "true"`;
}

function refusalText(refusal: Refusal): string {
  return `${named(refusal.pool)} ${whyText(refusal)}`;
}

function whyText(refusal: Refusal): string {
  return refusal.why === "Lacks" ? lacksText(refusal) : WHY[refusal.why];
}

const WHY = {
  Invalid: "is not Ready",
  Overlapping: "overlaps another pool",
  Disabled: "is disabled",
  Terminating: "is being deleted",
  NotAutoAssigned: "has autoAssign: false",
  NamespaceSelector: "is not for this namespace (namespaceSelector)",
  ServiceSelector: "is not for Services with these labels (serviceSelector)",
} as const satisfies Record<Exclude<Refusal["why"], "Lacks">, string>;

function lacksText({ without, exhausted }: Extract<Refusal, { why: "Lacks" }>): string {
  return [
    ...(without.length > 0 ? [`has no ${families(without, "or")} addresses`] : []),
    ...(exhausted.length > 0 ? [`has no free ${families(exhausted, "or")} address`] : []),
  ].join(" and ");
}

function remedy({ why }: Refusal): string {
  switch (why) {
    case "Invalid":
    case "Overlapping":
      return "do what its condition Ready says, or ask for another pool or address";
    case "Disabled":
      return "set its spec.disabled to false, or ask for another pool or address";
    case "NamespaceSelector":
      return "ask for another pool or address, or change its namespaceSelector or the labels of the namespace";
    case "ServiceSelector":
      return "ask for another pool or address, or change its serviceSelector or the labels of the Service";
    case "Lacks":
      return "add addresses to it, or ask for another pool";
    default:
      return "ask for another pool or address";
  }
}

/** Completes `... Service <holder>, ` with what keeps the two apart and what to change. */
function clashText(clash: Clash, service: Service): string {
  const { why, help } = clashWords(clash, service);
  return `${why}; ${help}`;
}

function clashWords(
  { what, port }: Clash,
  { meta, externalTrafficPolicy }: Service,
): { readonly why: string; readonly help: string } {
  switch (what) {
    case "Key":
      return {
        why: `which does not have the key ${quote(meta.annotations[ANNOTATION.sharingKey]?.trim() ?? "")}`,
        help: `give both the same ${ANNOTATION.sharingKey}`,
      };
    case "Port":
      return { why: `which has port ${port} too`, help: "change the port of one of them" };
    case "Policy":
      return {
        why: `whose externalTrafficPolicy is not ${externalTrafficPolicy}`,
        help: "give both the policy Cluster",
      };
    case "Selector":
      return {
        why: "whose spec.selector is another one or empty, which the externalTrafficPolicy Local does not allow",
        help: "give both the same selector or the policy Cluster",
      };
    case "Namespace":
      return externalTrafficPolicy === "Local"
        ? {
            why: "which is in another namespace, and with externalTrafficPolicy Local only those of one namespace share",
            help: `give both the policy Cluster and name each other's namespace in ${ANNOTATION.sharingNamespaces}`,
          }
        : {
            why: "which is in another namespace",
            help: `name each other's namespace in ${ANNOTATION.sharingNamespaces} on both`,
          };
  }
}

/** Pool names may have 253 characters. */
function named(pool = ""): string {
  return `pool ${quote(pool)}`;
}

function families(all: readonly IPFamily[], word: "and" | "or"): string {
  return all.join(` ${word} `);
}
