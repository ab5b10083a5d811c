/**
 * What Herald keeps of Kubernetes' own objects. Stores hold these instead of the API's objects: a tenth of the memory,
 * and every field is known to be used. Optional fields that are absent mean what the Kubernetes API says they mean.
 */

/** Which object it is, and which version of it. */
export interface Identity {
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  /** Absent where it doesn't matter whether it is the same object or another one under its name. */
  readonly uid?: string;
  readonly resourceVersion: string;
}

export interface Meta extends Identity {
  readonly uid: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly deleting: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a Service only those of Herald's group. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Only those of Herald's group. */
  readonly finalizers: readonly string[];
}

export type IPFamily = "IPv4" | "IPv6";

/** As in the Kubernetes API conventions. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export interface ServicePort {
  readonly protocol: string;
  readonly port: number;
}

export interface ServiceIngress {
  /** Absent where another controller wrote a hostname only. */
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: string;
}

export interface Service {
  readonly meta: Meta;
  readonly generation: number;
  readonly type: string;
  readonly loadBalancerClass?: string;
  readonly loadBalancerIP?: string;
  readonly clusterIPs: readonly string[];
  readonly ipFamilies: readonly IPFamily[];
  readonly ipFamilyPolicy: "SingleStack" | "PreferDualStack" | "RequireDualStack";
  readonly externalTrafficPolicy: "Cluster" | "Local";
  readonly ports: readonly ServicePort[];
  readonly selector: Readonly<Record<string, string>>;
  readonly ingress: readonly ServiceIngress[];
  readonly conditions: readonly Condition[];
}

export interface Endpoint {
  /** Absent for endpoints that are no Pods; such an endpoint counts for every node. */
  readonly nodeName?: string;
  /** Ready, or serving while terminating: gets traffic. */
  readonly serving: boolean;
}

export interface EndpointSlice {
  readonly meta: Meta;
  /** Name of the Service it belongs to, in the slice's namespace. */
  readonly serviceName: string;
  readonly addressType: string;
  readonly endpoints: readonly Endpoint[];
}

/** Its labels are what namespaceSelectors look at. */
export interface Namespace {
  readonly meta: Meta;
}

export interface Node {
  readonly meta: Meta;
  readonly unschedulable: boolean;
  readonly networkUnavailable: boolean;
  /** InternalIP addresses. */
  readonly internalIPs: readonly string[];
}

export interface Secret {
  readonly meta: Meta;
  /** What it holds under a key, as text, without a line end at its end; undefined: it has no such key. */
  readonly value: (key: string) => string | undefined;
}
