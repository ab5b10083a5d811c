import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { binary } from "../cluster/binaries.ts";
import { type Daemon, startDaemon } from "../cluster/daemon.ts";
import type { Reaper } from "../reaper/reaper.ts";
import { inNetnsOnly, tryRun } from "./netns.ts";
import { DATA_NETWORK, type NodeName, POD_NETWORKS } from "./plan.ts";
import type { Topology } from "./topology.ts";

export const PROXY_MODES = ["nftables", "iptables"] as const;
export type ProxyMode = (typeof PROXY_MODES)[number];

const READY_MS = 20_000;

/** Starts the kube-proxy of a node. */
export function startKubeProxy(o: {
  readonly topology: Topology;
  readonly node: NodeName;
  readonly mode: ProxyMode;
  readonly kubeconfig: string;
  readonly directory: string;
  readonly reaper: Reaper;
}): Promise<Daemon> {
  const { topology, node, mode, kubeconfig, directory, reaper } = o;
  const flags = [
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${node}`,
    `--proxy-mode=${mode}`,
    `--cluster-cidr=${POD_NETWORKS.ipv4},${POD_NETWORKS.ipv6}`,
    `--nodeport-addresses=${DATA_NETWORK.ipv4},${DATA_NETWORK.ipv6}`,
    // Those settings are the machine's, not the namespace's.
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-established=0",
    "--conntrack-tcp-timeout-close-wait=0",
  ];
  const log = join(directory, `kube-proxy-${node}.log`);
  return startDaemon({
    command: [binary("kube-proxy"), ...flags],
    netns: topology.netns(node),
    log,
    directory,
    reaper,
  });
}

/** Waits until a node's kube-proxy has written its rules. */
export async function proxyReady(topology: Topology, node: NodeName, mode: ProxyMode, daemon: Daemon): Promise<void> {
  const show = mode === "nftables" ? ["nft", "list", "table", "ip", "kube-proxy"] : ["iptables-save", "-t", "nat"];
  const command = inNetnsOnly(topology.netns(node), show);
  const written = mode === "nftables" ? /chain services/ : /:KUBE-SERVICES/;
  for (const deadline = performance.now() + READY_MS; ; await sleep(50)) {
    if (written.test((await tryRun(command)).stdout)) return;
    const trouble = daemon.running ? `no rules after ${READY_MS / 1000} s` : `it ended with ${await daemon.ended}`;
    if (!daemon.running || performance.now() > deadline)
      throw new Error(`start kube-proxy on ${node}: ${trouble}: ${daemon.complaint()}`);
  }
}
