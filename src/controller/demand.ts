import { ANNOTATION, LOAD_BALANCER_CLASS } from "../api/names.ts";
import type { IPFamily, Service } from "../api/objects.ts";
import { type IP, parseIP } from "../ipam/addresses.ts";
import type { Assignment, Demand, Sharing } from "../ipam/demand.ts";
import { keyOf } from "../kube/resource.ts";
import { requestOf } from "./request.ts";

/** Tells whether Herald serves a Service; those of no class too, unless `classOnly`. */
export function isOurs(service: Service, classOnly: boolean): boolean {
  if (service.type !== "LoadBalancer") return false;
  return service.loadBalancerClass === undefined ? !classOnly : service.loadBalancerClass === LOAD_BALANCER_CLASS;
}

/** Reads from a Service what it asks for and what it has. */
export function demandOf(service: Service): Demand {
  const { meta, ipFamilyPolicy } = service;
  const record = recordOf(service);
  const request = requestOf(service);
  const sharing = sharingOf(service);
  return {
    key: keyOf(meta),
    namespace: meta.namespace,
    labels: meta.labels,
    createdAt: meta.createdAt,
    families: familiesOf(service),
    policy: ipFamilyPolicy,
    deleting: meta.deleting,
    status: statusIPs(service),
    ...(record && { record }),
    ...(request && { request }),
    ...(sharing && { sharing }),
    reassign: meta.annotations[ANNOTATION.reassign] === "true",
  };
}

/** The addresses in the status, whoever wrote them. */
export function statusIPs(service: Service): readonly IP[] {
  return service.ingress.map(({ ip }) => parseIP(ip ?? "")).filter((ip) => ip !== undefined);
}

/** A family without a ClusterIP has no way in: the node proxy forwards from it to nowhere. */
function familiesOf({ ipFamilies, clusterIPs }: Service): readonly IPFamily[] {
  const families = ipFamilies.slice(0, Math.max(1, clusterIPs.length));
  return families.length > 0 ? families : ["IPv4"];
}

/** Reads the record; one that can't be read is none. */
function recordOf({ meta: { annotations } }: Service): Assignment | undefined {
  const pool = annotations[ANNOTATION.assignedPool];
  const ips = (annotations[ANNOTATION.assignedIPs] ?? "")
    .split(",", 2) // no more were ever noted
    .map((text) => parseIP(text.trim()))
    .filter((ip) => ip !== undefined);
  const at = Date.parse(annotations[ANNOTATION.assignedAt] ?? "");
  if (!pool || ips.length === 0 || Number.isNaN(at)) return undefined;
  return { pool, ips, at };
}

/** Reads under which terms a Service shares its addresses; one without a key shares with nobody. */
function sharingOf({ meta: { annotations }, ports, externalTrafficPolicy, selector }: Service): Sharing | undefined {
  const key = annotations[ANNOTATION.sharingKey]?.trim() ?? "";
  if (key === "") return undefined;
  const all = ports.map(({ protocol, port }) => `${protocol}/${port}`);
  const labels = Object.entries(selector).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    key,
    ports: [...new Set(all)].sort(),
    policy: externalTrafficPolicy,
    selector: labels.length > 0 ? JSON.stringify(labels) : "",
    namespaces: namespacesOf(annotations[ANNOTATION.sharingNamespaces] ?? ""),
  };
}

function namespacesOf(text: string): "*" | readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("*")) return "*";
  return [...new Set(names.filter((name) => name !== ""))].sort();
}
