import type { IPFamily, Service } from "../api/objects.ts";
import type { IP } from "./addresses.ts";

/** The addresses that a Service holds, at most one per family, all of one pool. */
export interface Assignment {
  readonly pool: string;
  /** IPv4 before IPv6. */
  readonly ips: readonly IP[];
  /** When they were given, in milliseconds since 1970: of two that can't share an address, the earlier keeps it. */
  readonly at: number;
}

/** What the owner of a Service asks for by name. */
export type Request =
  | {
      readonly pool?: string;
      /** At most one per family. */
      readonly ips: readonly IP[];
    }
  | { readonly problem: RequestProblem };

/** Why what a person wrote is no request; `text` ends with the remedy. */
export interface RequestProblem {
  readonly reason: "InvalidRequest" | "ConflictingRequests";
  readonly text: string;
}

/** Under which terms a Service shares its addresses with others. */
export interface Sharing {
  readonly key: string;
  /** "TCP/80", sorted. */
  readonly ports: readonly string[];
  readonly policy: Service["externalTrafficPolicy"];
  /** Equal texts for equal selectors; "" for the empty one. */
  readonly selector: string;
  /** The other namespaces that it shares with. */
  readonly namespaces: "*" | readonly string[];
}

/** What the address book knows of a Service that asks for addresses. */
export interface Demand {
  /** "namespace/name" */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since 1970: who waits longest is served first. */
  readonly createdAt: number;
  /** In the order of the Service; at least one, and no more than it has ClusterIPs. */
  readonly families: readonly IPFamily[];
  readonly policy: Service["ipFamilyPolicy"];
  /** Keeps what it holds, but gets nothing more. */
  readonly deleting: boolean;
  /** What the status says. */
  readonly status: readonly IP[];
  /** What Herald has noted on the Service. */
  readonly record?: Assignment;
  readonly request?: Request;
  readonly sharing?: Sharing;
  /** Give up what is held for what a new Service would get. */
  readonly reassign: boolean;
}

/** The families that a Service wants an address of. */
export function wantedFamilies({ families, policy }: Demand): readonly IPFamily[] {
  return policy === "SingleStack" ? families.slice(0, 1) : families;
}
