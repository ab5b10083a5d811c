import { ANNOTATION, CONDITION, LOAD_BALANCER_CLASS } from "../../../src/api/names.ts";
import { type KubeClient, MERGE_PATCH } from "../../../src/kube/client.ts";

const NAMESPACE = "default";
const PATH = `/api/v1/namespaces/${NAMESPACE}/services`;
const WRITERS = 32;

/** Runs `each` for all names, as many at a time as there are writers; gives how long that took. */
export async function byWriters(names: readonly string[], each: (name: string) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  const queue = names.values();
  const writer = async () => {
    for (const name of queue) await each(name);
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  return performance.now() - started;
}

/** Gives `count` names that begin alike. */
export function namesOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

/** Creates a Service as a user would; of another class than Herald's where `loadBalancerClass` says so. */
export async function createService(
  client: KubeClient,
  name: string,
  loadBalancerClass: string = LOAD_BALANCER_CLASS,
): Promise<void> {
  const labels = { "app.kubernetes.io/name": name };
  const body = {
    metadata: { name, labels },
    spec: {
      type: "LoadBalancer",
      loadBalancerClass,
      allocateLoadBalancerNodePorts: false,
      selector: labels,
      ports: [{ name: "http", port: 80, targetPort: 8080 }],
    },
  };
  await client.request({ method: "POST", path: PATH, body });
}

/** Writes what Herald would write of an assignment. */
export async function patchBare(client: KubeClient, name: string): Promise<void> {
  const at = new Date().toISOString();
  const body = {
    metadata: {
      annotations: {
        [ANNOTATION.assignedPool]: "bench",
        [ANNOTATION.assignedIPs]: "203.0.113.1",
        [ANNOTATION.assignedAt]: at,
      },
    },
    status: {
      loadBalancer: { ingress: [{ ip: "203.0.113.1", ipMode: "VIP" }] },
      conditions: [
        {
          type: CONDITION.assigned,
          status: "True",
          reason: "Assigned",
          message: '203.0.113.1 from pool "bench"',
          lastTransitionTime: at.replace(/\.\d+Z$/, "Z"),
        },
      ],
    },
  };
  await client.request({ method: "PATCH", path: `${PATH}/${name}/status`, contentType: MERGE_PATCH, body });
}

export async function deleteService(client: KubeClient, name: string): Promise<void> {
  await client.request({ method: "DELETE", path: `${PATH}/${name}` });
}
