/** Names that Herald shares with users and with Kubernetes; docs/ explains those that users write. */

export const GROUP = "heraldlb.io";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The loadBalancerClass of Services that ask for Herald by name. */
export const LOAD_BALANCER_CLASS = `${GROUP}/herald`;

/** Annotations on a Service. The `assigned-` ones are Herald's record, written together with the status; the others are requests. */
export const ANNOTATION = {
  pool: `${GROUP}/pool`,
  ips: `${GROUP}/ips`,
  sharingKey: `${GROUP}/sharing-key`,
  sharingNamespaces: `${GROUP}/sharing-namespaces`,
  reassign: `${GROUP}/reassign`,
  assignedPool: `${GROUP}/assigned-pool`,
  assignedIPs: `${GROUP}/assigned-ips`,
  assignedAt: `${GROUP}/assigned-at`,
} as const;

/** Conditions that Herald writes on a Service. */
export const CONDITION = {
  assigned: `${GROUP}/Assigned`,
  /** There only while the Service is stranded. */
  stranded: `${GROUP}/Stranded`,
  /** Written by a speaker; there only while the Service has an address. */
  announced: `${GROUP}/Announced`,
} as const;

/** Keeps a deleted IPPool around while Services hold addresses of it. */
export const IN_USE_FINALIZER = `${GROUP}/in-use`;

/** A Node with this label announces nothing (Kubernetes' own label). */
export const EXCLUDE_NODE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

/** A Node on which this label is "true" gives its IPs away, and takes none where another can. */
export const EVACUATE_NODE_LABEL = `${GROUP}/evacuate`;
