/**
 * Stands in for the kubelet of one node; runs in the node's namespace, so that whatever cuts the node off cuts off its
 * heartbeats as well. Registers the Node, renews its Lease, runs the pods bound to it and sets their status:
 *   node kubelet.ts NODE KUBECONFIG POD-NAMESPACE LAB-TOOL
 * A pod says what it is by annotations:
 *   herald.test/pod-ips  its addresses in the node's pod namespace, where an echo server is started
 *   herald.test/probe    the URL that tells whether it is ready, for a pod that somebody else runs
 *   herald.test/ready    "false" makes it unready
 */
import { type ChildProcess, spawn } from "node:child_process";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Api, ApiFailure, type ApiObject, type WatchEvent } from "./api.ts";
import { inNetnsOnly } from "./netns.ts";
import { nodePlan } from "./plan.ts";
import { ANNOTATION, ECHO_PORT } from "./pods.ts";

const HEARTBEAT_MS = 1000;
/** A pod is probed so often until it is ready, and then as often as the kubelet looks whether its containers run. */
const PROBE_MS = 200;
const PROBE_READY_MS = 1000;

const [nodeName, kubeconfig, podNamespace, labTool] = process.argv.slice(2) as [string, string, string, string];
const node = nodePlan(nodeName);
const hostIPs = [node.data.addresses.ipv4, node.data.addresses.ipv6];
const api = await Api.open({ kubeconfig });

interface Running {
  pod: ApiObject;
  server?: ChildProcess;
  /** What the probe, or the echo server, last said. */
  alive: boolean;
  probedMs: number;
  terminating: boolean;
  /** Status patches of one pod are sent one after the other. */
  sending: Promise<void>;
}
const pods = new Map<string, Running>();

const complain = (what: string, error: unknown) =>
  console.error(`${new Date().toISOString()} ${what}: ${error instanceof Error ? error.message : error}`);

for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => process.exit(0));
setInterval(probeAll, PROBE_MS);

let registered = false;
let watching: AbortController | undefined;
for (;;) {
  const begun = performance.now();
  try {
    if (!registered) await register();
    registered = true;
    await beat();
    watching ??= followPods();
  } catch (error) {
    complain("heartbeat", error);
    watching?.abort();
    watching = undefined;
    api.reconnect();
  }
  await sleep(Math.max(50, HEARTBEAT_MS - (performance.now() - begun)));
}

async function register(): Promise<void> {
  const labels = { "kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux" };
  const podCIDRs = [node.podNetwork.ipv4, node.podNetwork.ipv6];
  await createOrLeave("/api/v1/nodes", {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName, labels },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
  });
  await createOrLeave("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: nodeName, namespace: "kube-node-lease" },
    spec: { holderIdentity: nodeName, leaseDurationSeconds: 40, renewTime: microTime() },
  });
  await setNodeReady();
}

async function createOrLeave(path: string, object: ApiObject): Promise<void> {
  try {
    await api.create(path, object);
  } catch (error) {
    if (!(error instanceof ApiFailure && error.status === 409)) throw error;
  }
}

async function beat(): Promise<void> {
  await api.patch(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${nodeName}`, {
    spec: { renewTime: microTime() },
  });
  const seen = await api.get(`/api/v1/nodes/${nodeName}`);
  if (conditionOf(seen, "Ready") !== "True") await setNodeReady();
  for (const running of pods.values()) sendStatus(running);
}

async function setNodeReady(): Promise<void> {
  const now = new Date().toISOString();
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    message: "",
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  const size = { cpu: "4", memory: "8Gi", pods: "110" };
  const status = {
    addresses: [
      ...hostIPs.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: nodeName },
    ],
    conditions: [
      ...["MemoryPressure", "DiskPressure", "PIDPressure"].map((type) => condition(type, "False", "Enough")),
      condition("Ready", "True", "KubeletReady"),
    ],
    capacity: size,
    allocatable: size,
  };
  await api.patch(`/api/v1/nodes/${nodeName}/status`, { status });
}

function followPods(): AbortController {
  const over = new AbortController();
  const onEvent = ({ type, object }: WatchEvent) => (type === "DELETED" ? forget(object.metadata.uid) : see(object));
  const follow = async () => {
    const path = `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${nodeName}`)}`;
    const list = await api.get(path);
    const there = new Set(list.items.map((pod: ApiObject) => pod.metadata.uid));
    for (const uid of pods.keys()) if (!there.has(uid)) forget(uid);
    for (const pod of list.items) see(pod);
    await api.watch(`${path}&resourceVersion=${list.metadata.resourceVersion}`, onEvent, over.signal);
  };
  follow().catch((error) => {
    if (over.signal.aborted) return;
    complain("watch", error);
    watching = undefined;
  });
  return over;
}

function see(pod: ApiObject): void {
  let running = pods.get(pod.metadata.uid);
  if (running === undefined) {
    running = { pod, alive: false, probedMs: 0, terminating: false, sending: Promise.resolve() };
    pods.set(pod.metadata.uid, running);
    if (pod.metadata.annotations?.[ANNOTATION.podIPs] !== undefined) startEcho(running);
  }
  running.pod = pod;
  if (pod.metadata.deletionTimestamp !== undefined && !running.terminating) terminate(running);
  sendStatus(running);
}

function forget(uid: string): void {
  pods.get(uid)?.server?.kill("SIGKILL");
  pods.delete(uid);
}

function startEcho(running: Running): void {
  const { name } = running.pod.metadata;
  const command = inNetnsOnly(podNamespace, [
    labTool,
    "echo",
    name,
    nodeName,
    String(ECHO_PORT),
    ...podIPs(running.pod),
  ]);
  const server = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  running.server = server;
  const alive = (value: boolean) => {
    running.alive = value;
    sendStatus(running);
  };
  server.stdout.once("data", () => alive(true));
  server.once("error", (error) => complain(`start ${name}`, error));
  server.once("exit", () => alive(false));
}

/** As the kubelet does: SIGTERM, SIGKILL at the end of the grace period, then the object goes. */
async function terminate(running: Running): Promise<void> {
  running.terminating = true;
  const { server, pod } = running;
  const { namespace, name, deletionGracePeriodSeconds } = pod.metadata;
  if (server !== undefined && server.exitCode === null && server.signalCode === null) {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    const timer = setTimeout(() => server.kill("SIGKILL"), (deletionGracePeriodSeconds ?? 0) * 1000);
    await ended;
    clearTimeout(timer);
  }
  while (pods.has(pod.metadata.uid)) {
    try {
      await api.delete(`/api/v1/namespaces/${namespace}/pods/${name}`, { gracePeriodSeconds: 0 });
      return;
    } catch (error) {
      complain(`delete ${name}`, error);
      await sleep(HEARTBEAT_MS);
    }
  }
}

function probeAll(): void {
  for (const running of pods.values()) {
    const url = running.pod.metadata.annotations?.[ANNOTATION.probe];
    const nowMs = performance.now();
    if (url === undefined || nowMs - running.probedMs < (running.alive ? PROBE_READY_MS : 0)) continue;
    running.probedMs = nowMs;
    const result = (alive: boolean) => {
      if (alive === running.alive) return;
      running.alive = alive;
      sendStatus(running);
    };
    const request = get(url, { timeout: 1000, agent: false }, (response) => {
      response.resume();
      result(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy(new Error("timeout")));
    request.once("error", () => result(false));
  }
}

function sendStatus(running: Running): void {
  running.sending = running.sending.then(async () => {
    const { pod, alive } = running;
    const ready = alive && pod.metadata.annotations?.[ANNOTATION.ready] !== "false" ? "True" : "False";
    if (!pods.has(pod.metadata.uid) || (conditionOf(pod, "Ready") === ready && pod.status.podIP !== undefined)) return;
    try {
      running.pod = await api.patch(
        `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}/status`,
        podStatus(pod, ready),
      );
    } catch (error) {
      if (!(error instanceof ApiFailure && error.status === 404)) complain(`status of ${pod.metadata.name}`, error);
    }
  });
}

function podStatus(pod: ApiObject, ready: "True" | "False"): ApiObject {
  const now = new Date().toISOString();
  const conditions = { PodScheduled: "True", Initialized: "True", ContainersReady: ready, Ready: ready };
  const ips = pod.spec.hostNetwork ? hostIPs : podIPs(pod);
  const startedAt = pod.status.startTime ?? now;
  const status = {
    phase: "Running",
    startTime: startedAt,
    hostIP: hostIPs[0],
    hostIPs: hostIPs.map((ip) => ({ ip })),
    podIP: ips[0],
    podIPs: ips.map((ip: string) => ({ ip })),
    conditions: Object.entries(conditions).map(([type, value]) => ({ type, status: value, lastTransitionTime: now })),
    containerStatuses: pod.spec.containers.map(({ name, image }: ApiObject) => ({
      name,
      image,
      imageID: "",
      restartCount: 0,
      ready: ready === "True",
      state: { running: { startedAt } },
    })),
  };
  return { metadata: { uid: pod.metadata.uid }, status };
}

function podIPs(pod: ApiObject): string[] {
  return (pod.metadata.annotations?.[ANNOTATION.podIPs] ?? "").split(",").filter(Boolean);
}

function conditionOf(object: ApiObject, type: string): string | undefined {
  return object.status?.conditions?.find((one: ApiObject) => one.type === type)?.status;
}

function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}
