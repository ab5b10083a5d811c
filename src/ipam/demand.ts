import type { IPFamily, Service } from "../api/objects.ts";
import type { IP } from "./addresses.ts";

/** The addresses that a Service holds, at most one per family, all of one pool. */
export interface Assignment {
  readonly pool: string;
  /** IPv4 before IPv6. */
  readonly ips: readonly IP[];
  /** When they were given, in milliseconds since 1970. */
  readonly at: number;
}

/** What the address book knows of a Service that asks for addresses. */
export interface Demand {
  /** "namespace/name" */
  readonly key: string;
  /** Milliseconds since 1970: who waits longest is served first. */
  readonly createdAt: number;
  /** In the order of the Service; at least one. */
  readonly families: readonly IPFamily[];
  readonly policy: Service["ipFamilyPolicy"];
  /** Keeps what it holds, but gets nothing more. */
  readonly deleting: boolean;
  /** What the status says. */
  readonly status: readonly IP[];
  /** What Herald has noted on the Service. */
  readonly record?: Assignment;
}

/** What a Service still lacks. */
export interface Need {
  /** Sets of families, the most wanted first; a pool must give a whole set. */
  readonly options: readonly (readonly IPFamily[])[];
  /** The pool of the address that it holds already: a Service's addresses come from one pool. */
  readonly pool?: string;
}

/** The families that a Service wants an address of. */
export function wantedFamilies({ families, policy }: Demand): readonly IPFamily[] {
  return policy === "SingleStack" ? families.slice(0, 1) : families;
}

/** Gives what is missing of a demand; undefined where nothing is. */
export function needOf(demand: Demand, held: Assignment | undefined): Need | undefined {
  if (demand.deleting) return undefined;
  const wanted = wantedFamilies(demand);
  const missing = wanted.filter((family) => !held?.ips.some((ip) => ip.family === family));
  if (missing.length === 0) return undefined;
  if (held !== undefined) return { options: [missing], pool: held.pool };
  const alone = demand.policy === "PreferDualStack" && wanted.length > 1 ? wanted.map((family) => [family]) : [];
  return { options: [wanted, ...alone] };
}

/** Tells whether what is held is all that the Service insists on. */
export function isMet(demand: Demand, held: Assignment | undefined): boolean {
  if (held === undefined) return false;
  return demand.policy === "PreferDualStack" || held.ips.length === wantedFamilies(demand).length;
}
