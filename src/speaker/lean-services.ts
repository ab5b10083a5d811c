import { ANNOTATION, CONDITION } from "../api/names.ts";
import type { Meta, Service } from "../api/objects.ts";
import { canonicalIP } from "../ipam/addresses.ts";
import type { ConditionText } from "../kube/conditions.ts";
import { type Resource, services } from "../kube/resource.ts";
import { Shared } from "../kube/shared.ts";
import { assignedIPs } from "./assigned-ips.ts";

/** What a speaker keeps of a Service: what it goes by, and no more, since there may be 10 000. */
export interface LeanService {
  readonly meta: Pick<Meta, "namespace" | "name" | "uid" | "resourceVersion">;
  /** One of another type is not Herald's any more. */
  readonly isLoadBalancer: boolean;
  readonly externalTrafficPolicy: "Cluster" | "Local";
  /** Those that Herald assigned to it, in canonical text. */
  readonly ips: readonly string[];
  /** The pool that they came from, by Herald's record. */
  readonly assignedPool: string | undefined;
  /** What the condition Announced says, where it is there. */
  readonly announced: ConditionText | undefined;
}

/** Services of type LoadBalancer, lean. */
export const leanServices: Resource<LeanService> = {
  ...services,
  keep: (raw) => leanService(services.keep(raw)),
  wanted: ({ isLoadBalancer }) => isLoadBalancer,
};

/** Keeps of a Service what a speaker goes by. */
export function leanService(service: Service): LeanService {
  const { namespace, name, uid, resourceVersion } = service.meta;
  const assignedPool = service.meta.annotations[ANNOTATION.assignedPool];
  const announced = service.conditions.find(({ type }) => type === CONDITION.announced);
  return {
    meta: { namespace: shared(namespace), name, uid, resourceVersion },
    isLoadBalancer: service.type === "LoadBalancer",
    externalTrafficPolicy: service.externalTrafficPolicy,
    ips: ipsOf(service),
    assignedPool: assignedPool === undefined ? undefined : shared(assignedPool),
    announced: announced && {
      status: announced.status,
      reason: shared(announced.reason),
      message: announced.message,
    },
  };
}

function ipsOf(service: Service): readonly string[] {
  const ips = assignedIPs(service).flatMap((ip) => {
    const canonical = canonicalIP(ip) ?? [];
    return canonical === ip ? ip : canonical; // of two equal texts the one that was read takes less memory
  });
  return Array.from(new Set(ips));
}

/** Namespaces, pools and reasons. */
const texts = new Shared<string>(1_000);
const shared = (text: string) => texts.of(text, () => text);
