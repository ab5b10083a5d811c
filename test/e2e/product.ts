import { setTimeout as sleep } from "node:timers/promises";
import { type Lab, type LabOptions, startLab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName, nodePlan } from "../lab/plan.ts";

export const SERVICE = "/api/v1/namespaces/default/services";

export interface ProductOptions extends LabOptions {
  /** Added to the command line of every speaker. */
  readonly speakerFlags?: readonly string[];
}

/** Brings up a lab in which Herald runs with a pool of 192.0.2.200-192.0.2.220, and all of it is ready. */
export async function startProduct(options: ProductOptions = {}): Promise<Lab> {
  const { speakerFlags = [], ...more } = options;
  const lab = await startLab({ routers: false, ...more });
  try {
    await lab.install();
    await lab.startController();
    await lab.startSpeakers({ flags: speakerFlags });
    await lab.kubectl(["apply", "--filename=-"], pool("default", "192.0.2.200-192.0.2.220"));
    await lab.speakersReady();
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

export function pool(name: string, ...addresses: string[]): string {
  return JSON.stringify({
    apiVersion: "heraldlb.io/v1alpha1",
    kind: "IPPool",
    metadata: { name },
    spec: { addresses },
  });
}

/** Of a Service's spec: it has an IPv6 address alone. */
export const IPV6_ONLY = { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv6"] };

/** A Service of the pods with label app=demo, TCP and UDP port 80. */
export function service(name: string, spec: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: {
      type: "LoadBalancer",
      selector: { app: "demo" },
      ports: ["TCP", "UDP"].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 80, targetPort: 8080 })),
      ...spec,
    },
  });
}

/** Waits until a Service has an address, and gives it. */
export async function addressOf(lab: Lab, name: string): Promise<string> {
  const found = await lab.until(
    `${SERVICE}/${name}`,
    `Service ${name} has an address`,
    (object) => object?.status?.loadBalancer?.ingress?.[0]?.ip !== undefined,
  );
  return found.status.loadBalancer.ingress[0].ip;
}

/** Asks who has an IP until exactly one MAC answers, at most `withinMs`; gives the node. */
export async function ownerOf(lab: Lab, ip: string, withinMs = 5000): Promise<NodeName> {
  let seen: readonly string[] = [];
  for (const giveUp = Date.now() + withinMs; Date.now() < giveUp; ) {
    seen = (await lab.whoAnswers([ip], 200)).get(ip) ?? [];
    const owner = NODE_NAMES.find((node) => seen.length === 1 && macOf(node) === seen[0]);
    if (owner !== undefined) return owner;
  }
  throw new Error(`${ip}: answered by ${seen.join(" and ") || "nobody"}, not by one node`);
}

/**
 * Opens new connections until a whole round of them is answered, by `wanted` and nobody else where it is given; gives
 * the pods that answered. Node proxies follow a change one by one, so a probe begins after this.
 */
export async function reachable(
  lab: Lab,
  to: { readonly protocol?: "udp" | "tcp"; readonly ip: string; readonly port?: number },
  wanted?: readonly string[],
): Promise<readonly string[]> {
  const { protocol = "udp", ip, port = 80 } = to;
  const giveUp = Date.now() + 15_000;
  for (;;) {
    const answers = await lab.ask(protocol, { ip, port, count: 20, timeoutMs: 200 });
    const pods = [...new Set(answers.map((answer) => ("pod" in answer ? answer.pod : "nobody")))].sort();
    if (!pods.includes("nobody") && (wanted === undefined || pods.join() === wanted.join())) return pods;
    if (Date.now() > giveUp) throw new Error(`${protocol} ${ip}:${port}: answered by ${pods.join(" and ")}`);
    await sleep(20);
  }
}

/** The MAC of a node's NIC on the data segment. */
export function macOf(node: NodeName): string {
  return nodePlan(node).data.mac;
}
