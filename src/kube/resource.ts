import { GROUP } from "../api/names.ts";
import type {
  Condition,
  Endpoint,
  EndpointSlice,
  Identity,
  IPFamily,
  Meta,
  Namespace,
  Node,
  Service,
  ServiceIngress,
  ServicePort,
} from "../api/objects.ts";
import { integer, list, optionalText, record, text, textMap, texts } from "./raw.ts";

/** What every kept object has. */
export interface Kept {
  readonly meta: Identity;
}

/** A kind of object: where it is listed and watched, and what is kept of it. */
export interface Resource<T extends Kept> {
  /** As people write it, for logs: "Service". */
  readonly kind: string;
  /** The collection: "/api/v1/services". */
  readonly path: string;
  /** Selectors for the server. A server that refuses a fieldSelector is asked without, and `wanted` does its work. */
  readonly query?: Readonly<Record<string, string>>;
  /** Makes the kept object. Whatever comes in, it gives an object of the type and does not throw. */
  keep(raw: unknown): T;
  /** Objects that it refuses are treated as if they were not there. */
  wanted?(object: T): boolean;
}

/** The key of an object in its store: "namespace/name", or "name" where it is cluster-scoped. */
export function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return namespace === "" ? name : [namespace, name].join("/"); // a template would keep its parts in memory beside it
}

export interface KeepMetaOptions {
  /** Which labels are kept; all by default. */
  readonly label?: (key: string) => boolean;
}

/** Reads an object's metadata; its annotations and finalizers are only those of Herald's group. */
export function keepMeta(raw: unknown, { label }: KeepMetaOptions = {}): Meta {
  const meta = record(record(raw).metadata);
  const createdAt = Date.parse(text(meta.creationTimestamp));
  return {
    namespace: text(meta.namespace),
    name: text(meta.name),
    uid: text(meta.uid),
    resourceVersion: text(meta.resourceVersion),
    createdAt: Number.isNaN(createdAt) ? 0 : createdAt,
    deleting: text(meta.deletionTimestamp) !== "",
    labels: textMap(meta.labels, label),
    annotations: textMap(meta.annotations, isOurs),
    finalizers: meta.finalizers === undefined ? NONE : texts(meta.finalizers).filter(isOurs),
  };
}

const NONE: readonly string[] = Object.freeze([]);

function isOurs(name: string): boolean {
  return name.startsWith(`${GROUP}/`);
}

/** Reads `status.conditions`. */
export function keepConditions(raw: unknown): readonly Condition[] {
  return list(raw).map((item) => {
    const { type, status, reason, message, lastTransitionTime, observedGeneration } = record(item);
    return {
      type: text(type),
      status: status === "True" || status === "False" ? status : "Unknown",
      reason: text(reason),
      message: text(message),
      lastTransitionTime: text(lastTransitionTime),
      ...(observedGeneration === undefined ? {} : { observedGeneration: integer(observedGeneration) }),
    };
  });
}

/** Services of type LoadBalancer; one whose type changes away is gone. */
export const services: Resource<Service> = {
  kind: "Service",
  path: "/api/v1/services",
  query: { fieldSelector: "spec.type=LoadBalancer" },
  wanted: (service) => service.type === "LoadBalancer",
  keep: (raw) => {
    const { metadata, spec: rawSpec, status } = record(raw);
    const spec = record(rawSpec);
    return {
      meta: keepMeta(raw),
      generation: integer(record(metadata).generation),
      type: text(spec.type),
      ...optional("loadBalancerClass", spec.loadBalancerClass),
      ...optional("loadBalancerIP", spec.loadBalancerIP),
      clusterIPs: texts(spec.clusterIPs),
      ipFamilies: texts(spec.ipFamilies).filter(isFamily),
      ipFamilyPolicy: familyPolicy(spec.ipFamilyPolicy),
      externalTrafficPolicy: spec.externalTrafficPolicy === "Local" ? "Local" : "Cluster",
      ports: list(spec.ports).map(keepPort),
      selector: textMap(spec.selector),
      ingress: list(record(record(status).loadBalancer).ingress).map(keepIngress),
      conditions: keepConditions(record(status).conditions),
    };
  },
};

const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

/** EndpointSlices that belong to a Service. Of their labels none is kept but `serviceName`. */
export const endpointSlices: Resource<EndpointSlice> = {
  kind: "EndpointSlice",
  path: "/apis/discovery.k8s.io/v1/endpointslices",
  query: { labelSelector: SERVICE_NAME_LABEL },
  wanted: (slice) => slice.serviceName !== "",
  keep: (raw) => {
    const { metadata, addressType, endpoints } = record(raw);
    return {
      meta: keepMeta(raw, { label: () => false }),
      serviceName: text(record(record(metadata).labels)[SERVICE_NAME_LABEL]),
      addressType: text(addressType),
      endpoints: list(endpoints).map(keepEndpoint),
    };
  },
};

export const namespaces: Resource<Namespace> = {
  kind: "Namespace",
  path: "/api/v1/namespaces",
  keep: (raw) => ({ meta: keepMeta(raw) }),
};

export const nodes: Resource<Node> = {
  kind: "Node",
  path: "/api/v1/nodes",
  keep: (raw) => {
    const { spec, status: rawStatus } = record(raw);
    const status = record(rawStatus);
    return {
      meta: keepMeta(raw),
      unschedulable: record(spec).unschedulable === true,
      networkUnavailable: list(status.conditions)
        .map(record)
        .some(({ type, status }) => type === "NetworkUnavailable" && status === "True"),
      internalIPs: list(status.addresses)
        .map(record)
        .filter(({ type }) => type === "InternalIP")
        .map(({ address }) => text(address)),
    };
  },
};

function keepPort(raw: unknown): ServicePort {
  const { protocol, port } = record(raw);
  return { protocol: text(protocol) || "TCP", port: integer(port) };
}

function keepIngress(raw: unknown): ServiceIngress {
  const { ip, hostname, ipMode } = record(raw);
  return { ...optional("ip", ip), ...optional("hostname", hostname), ...optional("ipMode", ipMode) };
}

/** `serving` is a condition of its own since it is kept while terminating; where it is absent `ready` says it, and unknown is ready. */
function keepEndpoint(raw: unknown): Endpoint {
  const { nodeName, conditions } = record(raw);
  const { ready, serving } = record(conditions);
  return { ...optional("nodeName", nodeName), serving: typeof serving === "boolean" ? serving : ready !== false };
}

function isFamily(value: string): value is IPFamily {
  return value === "IPv4" || value === "IPv6";
}

function familyPolicy(raw: unknown): Service["ipFamilyPolicy"] {
  return raw === "PreferDualStack" || raw === "RequireDualStack" ? raw : "SingleStack";
}

/** Leaves the field out where it is absent or empty. */
function optional<K extends string>(name: K, raw: unknown): { readonly [P in K]?: string } {
  const value = optionalText(raw);
  return value === undefined ? {} : ({ [name]: value } as { [P in K]: string });
}
