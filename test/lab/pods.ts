import type { ApiObject } from "./api.ts";
import type { Addresses, NodeName } from "./plan.ts";

/** What the lab's pods tell the kubelet stand-in; see kubelet.ts. */
export const ANNOTATION = {
  podIPs: "herald.test/pod-ips",
  probe: "herald.test/probe",
  ready: "herald.test/ready",
} as const;

/** TCP and UDP port of the echo server in every pod. */
export const ECHO_PORT = 8080;

export interface EchoPod {
  readonly name: string;
  readonly namespace: string;
  readonly node: NodeName;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: Addresses;
  readonly ready: boolean;
  /** As in the API; the echo server itself needs about 1 s to end. */
  readonly terminationGracePeriodSeconds: number;
}

/** Gives the Pod of an echo server, bound to its node already. */
export function echoPodObject(pod: EchoPod): ApiObject {
  const { name, namespace, node, labels, addresses } = pod;
  const annotations = {
    [ANNOTATION.podIPs]: `${addresses.ipv4},${addresses.ipv6}`,
    ...(pod.ready ? {} : { [ANNOTATION.ready]: "false" }),
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels, annotations },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: pod.terminationGracePeriodSeconds,
      containers: [{ name: "echo", image: "echo", ports: [{ containerPort: ECHO_PORT }] }],
    },
  };
}

/** Gives the Pod that stands for a speaker which the lab runs; it is ready when `probe` answers 200. */
export function speakerPodObject(node: NodeName, namespace: string, probe: string): ApiObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `herald-speaker-${node}`,
      namespace,
      labels: { "app.kubernetes.io/name": "herald", "app.kubernetes.io/component": "speaker" },
      annotations: { [ANNOTATION.probe]: probe },
    },
    spec: {
      nodeName: node,
      hostNetwork: true,
      terminationGracePeriodSeconds: 5,
      containers: [
        { name: "speaker", image: "herald" },
        { name: "gobgpd", image: "herald" },
      ],
    },
  };
}
