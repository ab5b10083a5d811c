import { chmod, mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { binary } from "../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../cluster/control-plane.ts";
import { type Daemon, startDaemon } from "../cluster/daemon.ts";
import { type Reaper, startReaper } from "../reaper/reaper.ts";
import { Api, type ApiObject } from "./api.ts";
import { Capture, whoAnswers } from "./capture.ts";
import { serveCommands } from "./control.ts";
import { Faults } from "./faults.ts";
import { startForwarder } from "./forwarder.ts";
import { HERALD_NAMESPACE, Herald, type HeraldFlags, STATUS_PORT } from "./herald.ts";
import { LabProcess } from "./lab-process.ts";
import { labTool } from "./lab-tool.ts";
import { inNetns, inNetnsOnly, tryRun } from "./netns.ts";
import { Observer } from "./observe.ts";
import { CONTROL_PLANE, NODE_NAMES, type NodeName, nodePlan, type Space } from "./plan.ts";
import { type EchoPod, echoPodObject, speakerPodObject } from "./pods.ts";
import { type Answer, ask, type Probe, startTcpProbe, startUdpProbe, type TcpReport, type UdpReport } from "./probe.ts";
import { type ProxyMode, proxyReady, startKubeProxy } from "./proxy.ts";
import type { RouterConfig } from "./router-config.ts";
import { type Router, startRouters } from "./routers.ts";
import { addPodAddresses, cable, raiseTopology, type Topology } from "./topology.ts";
import { nodeReady, podReady, untilObject } from "./until.ts";

export interface LabOptions {
  readonly proxyMode?: ProxyMode;
  /** FRR and BIRD run, configured so. Default true. */
  readonly routers?: boolean | Partial<RouterConfig>;
  /** How long a node may be silent before Kubernetes calls it NotReady. Default NODE_GRACE_MS. */
  readonly nodeGraceMs?: number;
  /** Hears what is being done, for a person who waits. */
  readonly progress?: (what: string) => void;
}

/** A bare-metal cluster in network namespaces: a real control plane, three nodes, clients and routers. */
export interface Lab {
  readonly topology: Topology;
  readonly proxyMode: ProxyMode;
  /** Readable for everybody; holds the logs in logs/. Removed with the lab. */
  readonly directory: string;
  readonly controlPlane: ControlPlane;
  /** As admin, from the lab's own process. */
  readonly api: Api;
  readonly herald: Herald;
  readonly faults: Faults;
  /** FRR and BIRD; none where the lab was started without. */
  readonly routers: readonly Router[];
  /** A node's kubelet stand-in and kube-proxy. */
  readonly kubelets: ReadonlyMap<NodeName, LabProcess>;
  readonly kubeProxies: ReadonlyMap<NodeName, LabProcess>;
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Applies config/default: namespace, CRDs, roles. What would run its Deployment and DaemonSet isn't there; the lab does. */
  install(): Promise<void>;
  /** The controller runs, as its service account, without any capability. Needs `install`. */
  startController(flags?: HeraldFlags): Promise<void>;
  /** A speaker and a gobgpd run on each node, with the rights that config/ gives them; the Pod is Ready when the speaker is. */
  startSpeakers(flags?: HeraldFlags): Promise<void>;
  /** Resolves when a node's speaker says that it is ready, and its Pod does; throws, with what it said, where it ends. */
  speakerReady(node: NodeName, timeoutMs?: number): Promise<void>;
  speakersReady(timeoutMs?: number): Promise<void>;
  createPod(pod: Pick<EchoPod, "name" | "node"> & Partial<EchoPod>): Promise<void>;
  /** Resolves with the object as soon as `accept` says so; see untilObject. */
  until(
    path: string,
    what: string,
    accept: (object: ApiObject | undefined) => boolean,
    timeoutMs?: number,
  ): Promise<ApiObject>;
  /** Runs a command in a namespace to its end and gives its output; throws where it fails. */
  exec(space: Space, command: readonly string[]): Promise<string>;
  /** Runs a cable of its own from a node to FRR, an interface of this name on both ends, on which the node says that it is a router. */
  cableToFRR(node: NodeName, name: string): Promise<void>;
  /** Gets a page of Herald's status server, as "/metrics", of a node's speaker or of the controller ("mgmt"). */
  statusPage(space: NodeName | "mgmt", path: string): Promise<string>;
  udpProbe(to: { ip: string; port: number; intervalUs?: number }, from?: Space): Promise<Probe<UdpReport>>;
  tcpProbe(
    to: { ip: string; port: number; connections?: number; intervalMs?: number },
    from?: Space,
  ): Promise<Probe<TcpReport>>;
  ask(
    protocol: "udp" | "tcp",
    to: { ip: string; port: number; count?: number; timeoutMs?: number },
    from?: Space,
  ): Promise<Answer[]>;
  /** Watches the data segment from the client, and asks who has `asks`. */
  capture(o?: { asks?: readonly string[]; intervalMs?: number }): Promise<Capture>;
  /** The MACs that answer ARP or NDP for each address, asked for by nobody's MAC. */
  whoAnswers(ips: readonly string[], forMs?: number): Promise<ReadonlyMap<string, readonly string[]>>;
  /** The MAC that a host of the data segment believes an address to be at. */
  neighbour(ip: string, from?: Space): Promise<string | undefined>;
  stop(): Promise<void>;
}

const REPOSITORY = new URL("../../", import.meta.url).pathname;

const GET_PAGE = "fetch(process.argv[1]).then((page) => page.text()).then((text) => process.stdout.write(text))";

/** Short, so that nobody waits for it; 40 to 50 s in most clusters. */
export const NODE_GRACE_MS = 4000;

/** Brings a lab up: nodes are Ready and proxies have their rules when this returns. Herald and pods are not there yet. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const reaper = await startReaper();
  try {
    return await buildLab(options, reaper);
  } catch (error) {
    await reaper.reap();
    throw error;
  }
}

async function buildLab(options: LabOptions, reaper: Reaper): Promise<Lab> {
  const progress = options.progress ?? (() => {});
  const proxyMode = options.proxyMode ?? "nftables";
  const directory = await mkdtemp(join(tmpdir(), "herald-lab-"));
  reaper.directory(directory);
  await chmod(directory, 0o755);
  const logs = join(directory, "logs");
  await mkdir(logs);

  progress("network namespaces, bridges and routes");
  const [topology, tool] = await Promise.all([raiseTopology(reaper), labTool()]);
  const ownNetns = (space: Space) => ({ netns: topology.netns(space), labTool: tool, reaper });

  progress("etcd, kube-apiserver, kube-controller-manager; FRR and BIRD");
  const routerConfig = typeof options.routers === "object" ? options.routers : {};
  const [controlPlane, routers] = await Promise.all([
    startControlPlane({
      netns: topology.netns("mgmt"),
      address: CONTROL_PLANE.ipv4,
      controllerManager: true,
      controllerManagerFlags: [
        "--node-monitor-period=500ms",
        `--node-monitor-grace-period=${options.nodeGraceMs ?? NODE_GRACE_MS}ms`,
      ],
      reaper,
    }),
    options.routers === false ? [] : startRouters({ topology, labTool: tool, directory: logs, reaper }, routerConfig),
  ]);
  const kubeconfig = await controlPlane.kubeconfig();
  const socketPath = await startForwarder({ topology, directory, reaper });
  const api = await Api.open({ kubeconfig, socketPath });

  progress(`three nodes: kubelet stand-ins and kube-proxies (${proxyMode})`);
  const perNode = (what: string, launch: (node: NodeName) => Promise<Daemon>) =>
    new Map(NODE_NAMES.map((node) => [node, new LabProcess(`the ${what} of ${node}`, () => launch(node))]));
  const kubelets = perNode("kubelet", (node) => {
    const { number } = nodePlan(node);
    const main = new URL("kubelet.ts", import.meta.url).pathname;
    return startDaemon({
      command: [process.execPath, main, node, kubeconfig, topology.netns(`p${number}` as Space), tool],
      netns: topology.netns(node),
      log: join(logs, `kubelet-${node}.log`),
      directory,
      reaper,
    });
  });
  const kubeProxies = perNode("kube-proxy", (node) =>
    startKubeProxy({ topology, node, mode: proxyMode, kubeconfig, directory: logs, reaper }),
  );
  const herald = new Herald({ topology, directory, reaper, kubeconfig: (user) => controlPlane.kubeconfig(user) });

  const until: Lab["until"] = (path, what, accept, timeoutMs) => untilObject(api, path, what, accept, timeoutMs);
  const podIndex = new Map<NodeName, number>();
  const lab: Omit<Lab, "faults"> = {
    topology,
    proxyMode,
    directory,
    controlPlane,
    api,
    herald,
    routers,
    kubelets,
    kubeProxies,
    kubectl: (args, input) => controlPlane.kubectl(args, input),
    install: async () => {
      await controlPlane.kubectl(["apply", "--kustomize", join(REPOSITORY, "config/default")]);
      await controlPlane.kubectl(["wait", "--for=condition=Established", "--timeout=20s", "crd", "--all"]);
    },
    startController: (flags) => herald.startController(flags),
    startSpeakers: async (flags) => {
      const path = `/api/v1/namespaces/${HERALD_NAMESPACE}/pods`;
      const create = async (node: NodeName) => {
        const probe = `http://${nodePlan(node).data.addresses.ipv4}:${STATUS_PORT}/readyz`;
        await api.create(path, speakerPodObject(node, HERALD_NAMESPACE, probe));
      };
      await Promise.all([herald.startSpeakers(flags), ...NODE_NAMES.map(create)]);
    },
    speakerReady: async (node, timeoutMs = 30_000) => {
      const speaker = herald.speaker(node);
      const failed = speaker.daemon.ended.then((reason) => {
        throw new Error(`${speaker.name} ended with ${reason}: ${speaker.complaint()}`);
      });
      const ready = async () => {
        // Its Pod's condition may still be that of the run before: Kubernetes is slower than a reboot.
        for (const giveUp = Date.now() + timeoutMs; ; await sleep(50)) {
          const answer = await lab.statusPage(node, "/readyz").catch(() => "no answer");
          if (answer === "ok\n") break;
          if (Date.now() > giveUp) throw new Error(`${speaker.name} is not ready: ${answer.trim()}`);
        }
        await podReady(api, HERALD_NAMESPACE, `herald-speaker-${node}`, timeoutMs);
      };
      await Promise.race([ready(), failed]);
    },
    speakersReady: async (timeoutMs) => {
      await Promise.all(NODE_NAMES.map((node) => lab.speakerReady(node, timeoutMs)));
    },
    createPod: async (pod) => {
      const index = podIndex.get(pod.node) ?? 0;
      podIndex.set(pod.node, index + 1);
      const addresses = await addPodAddresses(topology, nodePlan(pod.node), index);
      const defaults = { namespace: "default", labels: { app: "demo" }, ready: true, terminationGracePeriodSeconds: 5 };
      const whole = { ...defaults, ...pod, addresses };
      await api.create(`/api/v1/namespaces/${whole.namespace}/pods`, echoPodObject(whole));
    },
    until,
    exec: async (space, command) => {
      const { code, stdout, stderr } = await tryRun(inNetns(topology.netns(space), command));
      if (code !== 0)
        throw new Error(`${space}: ${command.join(" ")}: ${(stderr || stdout).trim() || `it ended with ${code}`}`);
      return stdout;
    },
    cableToFRR: async (node, name) => {
      await cable(topology, [node, "rtr"], name);
      const command = inNetnsOnly(topology.netns(node), [tool, "advertise", name]);
      await new Observer(command, reaper, () => {}).started;
    },
    statusPage: (space, path) =>
      lab.exec(space, [process.execPath, "--eval", GET_PAGE, `http://127.0.0.1:${STATUS_PORT}${path}`]),
    udpProbe: (to, from = "client") => startUdpProbe(ownNetns(from), to),
    tcpProbe: (to, from = "client") => startTcpProbe(ownNetns(from), to),
    ask: (protocol, to, from = "client") => ask(ownNetns(from), protocol, to),
    capture: async (o) => {
      const capture = new Capture(ownNetns("client"), o);
      await capture.started;
      return capture;
    },
    whoAnswers: (ips, forMs) => whoAnswers(ownNetns("client"), ips, forMs),
    neighbour: async (ip, from = "client") => {
      const { stdout } = await tryRun(
        inNetnsOnly(topology.netns(from), ["ip", "neigh", "show", "to", ip, "dev", "eth0"]),
      );
      return / lladdr (\S+)/.exec(stdout)?.[1];
    },
    stop: async () => {
      api.reconnect();
      await reaper.reap();
    },
  };
  const whole: Lab = Object.assign(lab, { faults: new Faults(lab) });
  await serveCommands(whole, { prefix: topology.prefix, directory, kubeconfig, kubectl: binary("kubectl") }, reaper);
  await Promise.all([...kubelets.values(), ...kubeProxies.values()].map((one) => one.start()));
  await Promise.all(
    NODE_NAMES.flatMap((node) => [
      nodeReady(api, node),
      proxyReady(topology, node, proxyMode, (kubeProxies.get(node) as LabProcess).daemon),
    ]),
  );
  return whole;
}
