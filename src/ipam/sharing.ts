import type { Demand } from "./demand.ts";
import type { Clash } from "./verdict.ts";

/**
 * Says why two Services can't have the same address; undefined where they can: under one key, with no port in common, both
 * reached in the same way, and with the consent of both where their namespaces differ. `holder` is the one that is named.
 */
export function clashOf(demand: Demand, holder: Demand): Clash | undefined {
  const [a, b] = [demand.sharing, holder.sharing];
  const clash = (what: Clash["what"], port?: string): Clash => ({
    holder: holder.key,
    what,
    ...(port !== undefined && { port }),
  });
  if (a === undefined || b === undefined || a.key !== b.key) return clash("Key");
  const isOneNamespace = demand.namespace === holder.namespace;
  const consents = (list: "*" | readonly string[], other: string) => list === "*" || list.includes(other);
  if (!isOneNamespace && !(consents(a.namespaces, holder.namespace) && consents(b.namespaces, demand.namespace)))
    return clash("Namespace");
  const port = a.ports.find((one) => b.ports.includes(one));
  if (port !== undefined) return clash("Port", port);
  if (a.policy !== b.policy) return clash("Policy");
  if (a.policy === "Local" && !isOneNamespace) return clash("Namespace");
  // Endpoints of both are on the same nodes only where both select the same Pods.
  if (a.policy === "Local" && (a.selector === "" || a.selector !== b.selector)) return clash("Selector");
  return undefined;
}
