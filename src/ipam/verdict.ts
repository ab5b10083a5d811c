import type { IPFamily } from "../api/objects.ts";
import type { IP } from "./addresses.ts";
import type { RequestProblem } from "./demand.ts";

/** Why one pool does not do. */
export type Refusal =
  | {
      readonly pool: string;
      readonly why:
        | "Invalid"
        | "Overlapping"
        | "Disabled"
        | "Terminating"
        | "NotAutoAssigned"
        | "NamespaceSelector"
        | "ServiceSelector";
    }
  | {
      readonly pool: string;
      readonly why: "Lacks";
      /** Families that the pool has no addresses of. */
      readonly without: readonly IPFamily[];
      /** Families of which all addresses are taken. */
      readonly exhausted: readonly IPFamily[];
    };

/** Why a Service can't share an address with another that holds it. */
export interface Clash {
  /** "namespace/name" */
  readonly holder: string;
  readonly what: "Key" | "Port" | "Policy" | "Selector" | "Namespace";
  /** The port that both have: "TCP/80". */
  readonly port?: string;
}

/** An address that a Service can't join those who hold it at. */
export interface Unshared {
  readonly ip: IP;
  readonly clash: Clash;
}

/** Why a Service does not have what it asks for. */
export type Verdict =
  | {
      readonly reason: "NoPool" | "NoFittingPool" | "PoolExhausted";
      /** In the order in which they were tried. */
      readonly tried: readonly Refusal[];
      /** The lowest address of a full pool that others hold under the Service's own sharing key. */
      readonly unshared?: Unshared;
    }
  | RequestProblem
  /** The Service has no such family. */
  | { readonly reason: "WrongFamily"; readonly ip: IP; readonly families: readonly IPFamily[] }
  | { readonly reason: "IPOutsidePools"; readonly ip: IP }
  /** The address and the pool that are asked for disagree; `actual` has it, where one does. */
  | { readonly reason: "IPNotInPool"; readonly ip: IP; readonly pool: string; readonly actual?: string }
  | {
      readonly reason: "IPsInDifferentPools";
      readonly ips: readonly IP[];
      /** One for each of `ips`. */
      readonly pools: readonly string[];
    }
  | { readonly reason: "IPExcluded" | "IPAvoided"; readonly ip: IP; readonly pool: string }
  | { readonly reason: "UnknownPool"; readonly pool: string }
  /** The pool that is asked for, or has the address that is asked for, would not do. */
  | { readonly reason: "PoolNotUsable"; readonly refusal: Refusal }
  /** `stranger`: the holder is a Service that Herald does not serve. */
  | { readonly reason: "IPInUse"; readonly ip: IP; readonly holder: string; readonly stranger: boolean }
  | ({ readonly reason: "SharingRefused" } & Unshared);

/** Why the pool of held addresses could no longer give them to their Service. */
export interface Stranding {
  readonly pool: string;
  readonly ips: readonly IP[];
  readonly why: "PoolGone" | "OutsidePool" | "Excluded" | "Avoided" | "NamespaceSelector" | "ServiceSelector";
}
