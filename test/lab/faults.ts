import { EVACUATE_NODE_LABEL } from "../../src/api/names.ts";
import type { ApiObject } from "./api.ts";
import type { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import { NODE_NAMES, type NodeName, type Space } from "./plan.ts";
import { ANNOTATION } from "./pods.ts";
import { block, filterHellos, forgetNetworkState, type NodeNic, plug, splitSwitch } from "./topology.ts";
import { nodeReady } from "./until.ts";

const NODE_NICS = ["data", "management"] as const satisfies readonly NodeNic[];
const UNPLUGGED: Readonly<Record<NodeNic, string>> = { data: "eth0 unplugged", management: "mgmt0 unplugged" };

/** Everything that can go wrong with a cluster, and its mending. */
export class Faults {
  readonly #lab: Omit<Lab, "faults">;
  /** What of the speaker's Pod ran when a node's power went. */
  readonly #off = new Map<NodeName, readonly LabProcess[]>();
  /** What is wrong with a node's cables, as "eth0 unplugged". */
  readonly #cables = new Map(NODE_NAMES.map((node) => [node, new Set<string>()]));

  constructor(lab: Omit<Lab, "faults">) {
    this.#lab = lab;
  }

  isOff(node: NodeName): boolean {
    return this.#off.has(node);
  }

  /** Pulls the plug: both NICs go silent in one moment, then everything on the node is gone. */
  async powerOff(node: NodeName): Promise<void> {
    if (this.isOff(node)) throw new Error(`${node} is off already`);
    const { herald } = this.#lab;
    const containers = [herald.speaker(node), herald.gobgpd(node)].filter((one) => one.running);
    this.#off.set(node, containers);
    await this.#plugBoth(node, false);
    await Promise.all([...containers, this.#kubelet(node), this.#proxy(node)].map((one) => one.stop("SIGKILL")));
  }

  /** The node boots: it remembers nothing of the network; what ran on it starts again. Kubernetes notices later. */
  async powerOn(node: NodeName): Promise<void> {
    const before = this.#off.get(node);
    if (before === undefined) throw new Error(`${node} is on`);
    await forgetNetworkState(this.#lab.topology, node);
    await this.#plugBoth(node, true);
    this.#off.delete(node);
    await Promise.all([...before, this.#kubelet(node), this.#proxy(node)].map((one) => one.start()));
  }

  /** Waits until Kubernetes calls the node Ready again. */
  async nodeReady(node: NodeName): Promise<void> {
    await nodeReady(this.#lab.api, node, 30_000);
  }

  async cut(node: NodeName, nic: NodeNic): Promise<void> {
    this.assertOn(node);
    await plug(this.#lab.topology, node, nic, false);
    this.#note(node, UNPLUGGED[nic], true);
  }

  async join(node: NodeName, nic: NodeNic): Promise<void> {
    this.assertOn(node);
    await plug(this.#lab.topology, node, nic, true);
    this.#note(node, UNPLUGGED[nic], false);
  }

  /** The switch drops all that a node sends and gets on the data segment, or forwards it again; see block. */
  async block(node: NodeName, blocked: boolean): Promise<void> {
    await block(this.#lab.topology, node, blocked);
    this.#note(node, "eth0 blocked", blocked);
  }

  /** The switch drops the hellos that come from these nodes, and those to `to`, and no others. */
  async filterHellos(from: readonly NodeName[], to: readonly NodeName[] = []): Promise<void> {
    await filterHellos(this.#lab.topology, from, to);
  }

  /** The switch falls into two: these and all others; nobody: it is whole again. */
  async split(side: readonly Space[]): Promise<void> {
    await splitSwitch(this.#lab.topology, side);
  }

  /** What is wrong with a node's cables; empty where nothing is. */
  cableFaults(node: NodeName): readonly string[] {
    return [...(this.#cables.get(node) ?? [])].sort();
  }

  /** Throws where the node is off: nothing runs there, or is plugged in, before it is powered on. */
  assertOn(node: NodeName): void {
    if (this.isOff(node)) throw new Error(`${node} is off; power-on ${node} first`);
  }

  /** Evicts what runs on the node, as `kubectl drain` does: its pods end after their grace period. */
  async drain(node: NodeName): Promise<void> {
    await this.#cordon(node, true);
    const { items } = await this.#lab.api.get(
      `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`,
    );
    // A DaemonSet's pods stay, so the speaker does.
    const evicted = items.filter((pod: ApiObject) => pod.metadata.annotations?.[ANNOTATION.probe] === undefined);
    await Promise.all(
      evicted.map((pod: ApiObject) => this.#lab.api.delete(podPath(pod.metadata.namespace, pod.metadata.name))),
    );
  }

  /** Lets the node take pods again; those that were evicted are not put back. */
  async undrain(node: NodeName): Promise<void> {
    await this.#cordon(node, false);
  }

  /** Labels a node so that its speaker gives its IPs away, or takes them again. */
  async evacuate(node: NodeName, evacuating: boolean): Promise<void> {
    const labels = { [EVACUATE_NODE_LABEL]: evacuating ? "true" : null };
    await this.#lab.api.patch(`/api/v1/nodes/${node}`, { metadata: { labels } });
  }

  /** Makes a pod's readiness probe fail, or succeed. */
  async setReady(pod: string, ready: boolean, namespace = "default"): Promise<void> {
    const annotations = { [ANNOTATION.ready]: ready ? null : "false" };
    await this.#lab.api.patch(podPath(namespace, pod), { metadata: { annotations } });
  }

  /** A node that boots has its cables plugged in, whatever was pulled before. */
  async #plugBoth(node: NodeName, plugged: boolean): Promise<void> {
    const { topology } = this.#lab;
    await Promise.all(NODE_NICS.map((nic) => plug(topology, node, nic, plugged)));
    for (const nic of NODE_NICS) this.#note(node, UNPLUGGED[nic], false);
  }

  #note(node: NodeName, fault: string, there: boolean): void {
    const faults = this.#cables.get(node);
    if (there) faults?.add(fault);
    else faults?.delete(fault);
  }

  async #cordon(node: NodeName, unschedulable: boolean): Promise<void> {
    await this.#lab.api.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable: unschedulable || null } });
  }

  #kubelet(node: NodeName): LabProcess {
    return this.#lab.kubelets.get(node) as LabProcess;
  }

  #proxy(node: NodeName): LabProcess {
    return this.#lab.kubeProxies.get(node) as LabProcess;
  }
}

function podPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}
