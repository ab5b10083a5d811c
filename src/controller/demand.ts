import { ANNOTATION, LOAD_BALANCER_CLASS } from "../api/names.ts";
import type { Service } from "../api/objects.ts";
import { type IP, parseIP } from "../ipam/addresses.ts";
import type { Assignment, Demand } from "../ipam/demand.ts";
import { keyOf } from "../kube/resource.ts";

/** Tells whether Herald serves a Service; those of no class too, unless `classOnly`. */
export function isOurs(service: Service, classOnly: boolean): boolean {
  if (service.type !== "LoadBalancer") return false;
  return service.loadBalancerClass === undefined ? !classOnly : service.loadBalancerClass === LOAD_BALANCER_CLASS;
}

/** Reads from a Service what it asks for and what it has. */
export function demandOf(service: Service): Demand {
  const { meta, ipFamilies, ipFamilyPolicy } = service;
  const record = recordOf(service);
  return {
    key: keyOf(meta),
    createdAt: meta.createdAt,
    families: ipFamilies.length > 0 ? ipFamilies : ["IPv4"],
    policy: ipFamilyPolicy,
    deleting: meta.deleting,
    status: statusIPs(service),
    ...(record && { record }),
  };
}

/** The addresses in the status, whoever wrote them. */
export function statusIPs(service: Service): readonly IP[] {
  return service.ingress.map(({ ip }) => parseIP(ip ?? "")).filter((ip) => ip !== undefined);
}

/** Reads the record; one that can't be read is none. */
function recordOf({ meta: { annotations } }: Service): Assignment | undefined {
  const pool = annotations[ANNOTATION.assignedPool];
  const ips = (annotations[ANNOTATION.assignedIPs] ?? "")
    .split(",")
    .map((text) => parseIP(text.trim()))
    .filter((ip) => ip !== undefined);
  const at = Date.parse(annotations[ANNOTATION.assignedAt] ?? "");
  if (!pool || ips.length === 0 || Number.isNaN(at)) return undefined;
  return { pool, ips, at };
}
