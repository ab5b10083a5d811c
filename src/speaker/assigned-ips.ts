import { ANNOTATION, LOAD_BALANCER_CLASS } from "../api/names.ts";
import type { Service } from "../api/objects.ts";

/**
 * Gives the IPs that Herald assigned to a Service: those that stand both in the status, which users can't write, and in
 * Herald's record, which other controllers don't write.
 */
export function assignedIPs(service: Service): readonly string[] {
  if (service.type !== "LoadBalancer") return [];
  if (service.loadBalancerClass !== undefined && service.loadBalancerClass !== LOAD_BALANCER_CLASS) return [];
  const recorded = new Set((service.meta.annotations[ANNOTATION.assignedIPs] ?? "").split(",").map((ip) => ip.trim()));
  return service.ingress.flatMap(({ ip }) => (ip !== undefined && recorded.has(ip) ? [ip] : []));
}
