import type { Lab } from "./lab.ts";
import { NODES, type NodeName, type Space } from "./plan.ts";

/** Which ways the connections of a client took: how many each. */
export interface Spread {
  readonly pods: Readonly<Record<string, number>>;
  /** The nodes that a router sent them to. */
  readonly nodes: Readonly<Record<string, number>>;
  /** The addresses that the pods saw. */
  readonly sources: readonly string[];
}

/** Opens `count` connections from a client, one after the other; throws where one is not answered. */
export async function spread(lab: Lab, from: Space, ip: string, count: number): Promise<Spread> {
  const answers = await lab.ask("tcp", { ip, port: 80, count }, from);
  const pods: Record<string, number> = {};
  const nodes: Record<string, number> = {};
  for (const answer of answers) {
    if (!("pod" in answer)) throw new Error(`${from} asks ${ip}: ${answer.error}`);
    const node = entryNode(answer.source) ?? answer.node;
    pods[answer.pod] = (pods[answer.pod] ?? 0) + 1;
    nodes[node] = (nodes[node] ?? 0) + 1;
  }
  const sources = new Set(answers.map((answer) => ("source" in answer ? answer.source : "")));
  return { pods, nodes, sources: [...sources].sort() };
}

/** The node that hid the client behind an address of its own; undefined where the pod saw the client's. */
function entryNode(source: string): NodeName | undefined {
  return NODES.find((node) =>
    [node.data.addresses, node.podGateway].some(({ ipv4, ipv6 }) => source === ipv4 || source === ipv6),
  )?.name;
}
