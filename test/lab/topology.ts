import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { run } from "../cluster/run.ts";
import type { Reaper } from "../reaper/reaper.ts";
import { inNetnsOnly } from "./netns.ts";
import {
  type Addresses,
  CLIENT,
  CONTROL_PLANE,
  GATEWAY,
  type Nic,
  NODES,
  type NodeName,
  type NodePlan,
  podAddresses,
  ROUTERS,
  type RouterPlan,
  SPACES,
  type Space,
} from "./plan.ts";

/** The namespaces, links, addresses and routes of a lab. */
export interface Topology {
  /** Begins every name that the lab makes on the machine. */
  readonly prefix: string;
  netns(space: Space): string;
}

/** What of a node is plugged in where: its port on the switch, its port on the management bridge. */
export type NodeNic = "data" | "management";

/** Makes the lab's namespaces and all that is in them. `reaper` removes them. */
export async function raiseTopology(reaper: Reaper): Promise<Topology> {
  const prefix = freePrefix();
  const netns = (space: Space) => `${prefix}${space}`;
  for (const space of SPACES) reaper.netns(netns(space));
  await batch(
    undefined,
    SPACES.map((space) => `netns add ${netns(space)}`),
  );
  await Promise.all(SPACES.map((space) => setSysctls(netns(space), SYSCTLS[space] ?? {})));
  await batch(undefined, links(netns));
  await Promise.all(SPACES.map((space) => batch(netns(space), configuration(space))));
  return { prefix, netns };
}

/** Plugs one NIC of a node in, or out: the node sees its carrier go, its neighbours see nothing. */
export async function plug(topology: Topology, node: NodeName, nic: NodeNic, plugged: boolean): Promise<void> {
  const space = topology.netns(nic === "data" ? "sw" : "mgmt");
  await run(["ip", "-n", space, "link", "set", `p-${node}`, plugged ? "up" : "down"]);
}

/** Runs a cable of its own between two spaces: an interface of this name in each, with a link-local address alone. */
export async function cable(topology: Topology, ends: readonly [Space, Space], name: string): Promise<void> {
  const [a, b] = ends.map((space) => topology.netns(space)) as [string, string];
  await run(["ip", "link", "add", name, "netns", a, "type", "veth", "peer", "name", name, "netns", b]);
  for (const netns of [a, b]) await run(["ip", "-n", netns, "link", "set", name, "up"]);
}

/**
 * Lets a node's port on the switch drop everything, or forward again, at once. The node sees no carrier change; one that
 * comes back by `plug` is noticed by the kernel up to 1 s late.
 */
export async function block(topology: Topology, node: NodeName, blocked: boolean): Promise<void> {
  const state = blocked ? "disabled" : "forwarding";
  await run(["bridge", "-n", topology.netns("sw"), "link", "set", "dev", `p-${node}`, "state", BRIDGE_STATES[state]]);
}

/** Lets the switch drop the speakers' own frames from some nodes and to some, or forward them again: to and from nobody. */
export async function filterHellos(
  topology: Topology,
  from: readonly NodeName[],
  to: readonly NodeName[] = [],
): Promise<void> {
  const drop = (direction: string, nodes: readonly NodeName[]) =>
    nodes.length === 0 ? [] : [`${direction} ${portSet(nodes)} ether type ${HELLO_ETHER_TYPE} drop`];
  await setForwardRules(topology, "hellos", [...drop("iifname", from), ...drop("oifname", to)]);
}

/** Cuts the segment in two: these ports and all others; nobody: heals it. */
export async function splitSwitch(topology: Topology, side: readonly Space[]): Promise<void> {
  const ports = portSet(side);
  const rules = [`iifname ${ports} oifname != ${ports} drop`, `iifname != ${ports} oifname ${ports} drop`];
  await setForwardRules(topology, "split", side.length === 0 ? [] : rules);
}

function portSet(spaces: readonly Space[]): string {
  return `{ ${spaces.map((space) => `p-${space}`).join(", ")} }`;
}

/** Replaces what the switch drops in a table of this name. */
async function setForwardRules(topology: Topology, name: string, rules: readonly string[]): Promise<void> {
  const table = `table bridge ${name}`;
  const chain = ["type filter hook forward priority 0", ...rules].map((rule) => `${rule} ;`).join(" ");
  const script = [table, `delete ${table}`, `${table} { chain forward { ${chain} } ; }`];
  await run(inNetnsOnly(topology.netns("sw"), ["nft", "-f", "-"]), { input: `${script.join("\n")}\n` });
}

const HELLO_ETHER_TYPE = "0x88b5";

/** As in linux/if_bridge.h. */
const BRIDGE_STATES = { disabled: "0", forwarding: "3" };

/**
 * Does to a node's network state what a reboot does: neighbours, tracked connections and the rules of its proxy are
 * forgotten.
 */
export async function forgetNetworkState(topology: Topology, node: NodeName): Promise<void> {
  const space = topology.netns(node);
  await run(["ip", "-n", space, "neigh", "flush", "all"]);
  await run(inNetnsOnly(space, ["conntrack", "-F"]));
  await run(inNetnsOnly(space, ["nft", "flush", "ruleset"]));
}

/** Adds the addresses of a pod to its node's pod namespace. */
export async function addPodAddresses(topology: Topology, node: NodePlan, index: number): Promise<Addresses> {
  const { ipv4, ipv6 } = podAddresses(node, index);
  const lines = [`addr replace ${ipv4}/24 dev eth0`, `addr replace ${ipv6}/64 dev eth0 nodad`];
  await batch(topology.netns(`p${node.number}` as Space), lines);
  return { ipv4, ipv6 };
}

function freePrefix(): string {
  for (;;) {
    const prefix = `h${randomInt(36 ** 3, 36 ** 4).toString(36)}-`;
    if (!existsSync(`/run/netns/${prefix}${SPACES[0]}`)) return prefix;
  }
}

async function batch(netns: string | undefined, lines: readonly string[]): Promise<void> {
  const where = netns === undefined ? [] : ["-n", netns];
  await run(["ip", ...where, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

async function setSysctls(netns: string, more: Readonly<Record<string, number>>): Promise<void> {
  const all = Object.entries({ ...EVERYWHERE, ...more }).map(
    ([name, value]) => `${name.replaceAll(".", "/")} ${value}`,
  );
  const write = 'while read -r name value; do echo "$value" > "/proc/sys/net/$name" || exit 1; done';
  await run(inNetnsOnly(netns, ["sh", "-c", write]), { input: `${all.join("\n")}\n` });
}

/** Set before any interface is there, so that each gets them from `default`. */
const EVERYWHERE: Readonly<Record<string, number>> = {
  "ipv4.conf.all.rp_filter": 0,
  "ipv4.conf.default.rp_filter": 0,
  "ipv6.conf.all.accept_dad": 0,
  "ipv6.conf.default.accept_dad": 0,
  "ipv6.conf.all.accept_ra": 0,
  "ipv6.conf.default.accept_ra": 0,
  "ipv6.conf.all.keep_addr_on_down": 1,
  "ipv6.conf.default.keep_addr_on_down": 1,
};
const FORWARDING = { "ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1, "ipv6.conf.default.forwarding": 1 };
/** By ports too: otherwise one client behind the router always takes the same of several paths. */
const MULTIPATH = { "ipv4.fib_multipath_hash_policy": 1, "ipv6.fib_multipath_hash_policy": 1 };
/** A bridge is a cable here: no firewall sees its frames, and it has no address of its own. */
const BRIDGE = {
  "bridge.bridge-nf-call-iptables": 0,
  "bridge.bridge-nf-call-ip6tables": 0,
  "bridge.bridge-nf-call-arptables": 0,
};
const SYSCTLS: Partial<Record<Space, Readonly<Record<string, number>>>> = {
  sw: { ...BRIDGE, "ipv6.conf.default.disable_ipv6": 1 },
  mgmt: BRIDGE,
  n1: FORWARDING,
  n2: FORWARDING,
  n3: FORWARDING,
  rtr: { ...FORWARDING, ...MULTIPATH },
  bird: { ...FORWARDING, ...MULTIPATH },
};

function links(netns: (space: Space) => string): string[] {
  const veth = (space: Space, name: string, mac: string | undefined, peerSpace: Space, peer: string) =>
    `link add ${name} netns ${netns(space)} ${mac === undefined ? "" : `address ${mac} `}type veth peer name ${peer} netns ${netns(peerSpace)}`;
  return [
    ...NODES.flatMap((node) => [
      veth(node.name, "eth0", node.data.mac, "sw", `p-${node.name}`),
      veth(node.name, "mgmt0", node.management.mac, "mgmt", `p-${node.name}`),
      veth(`p${node.number}` as Space, "eth0", undefined, node.name, "pod0"),
    ]),
    ...ROUTERS.flatMap((router) => [
      veth(router.name, "eth0", router.data.mac, "sw", `p-${router.name}`),
      veth(router.client, "eth0", undefined, router.name, "eth1"),
    ]),
    veth("client", "eth0", CLIENT.mac, "sw", "p-client"),
  ];
}

function configuration(space: Space): string[] {
  return ["link set lo up", ...special(space)];
}

function special(space: Space): string[] {
  if (space === "sw")
    return bridge(["client", ...NODES.map((node) => node.name), ...ROUTERS.map((router) => router.name)]);
  if (space === "mgmt") return [...bridge(NODES.map((node) => node.name)), ...nic("br0", CONTROL_PLANE)];
  if (space === "client") return [...nic("eth0", CLIENT.addresses), ...defaultRoute(GATEWAY)];
  const node = NODES.find((one) => one.name === space || `p${one.number}` === space);
  if (node !== undefined) return node.name === space ? nodeLines(node) : podLines(node);
  const router = ROUTERS.find((one) => one.name === space || one.client === space) as RouterPlan;
  return router.name === space ? routerLines(router) : behindLines(router);
}

function bridge(ports: readonly string[]): string[] {
  return [
    "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
    ...ports.map((port) => `link set p-${port} master br0 up`),
    "link set br0 up",
  ];
}

function nodeLines(node: NodePlan): string[] {
  const others = NODES.filter((other) => other !== node);
  return [
    ...nic("eth0", node.data.addresses),
    ...nic("mgmt0", node.management.addresses),
    ...nic("pod0", node.podGateway),
    ...defaultRoute(GATEWAY),
    ...others.flatMap((other) => route(other.podNetwork, other.data.addresses)),
    ...ROUTERS.slice(1).flatMap((router) => route(router.behind.network, router.data.addresses)),
  ];
}

function podLines(node: NodePlan): string[] {
  return ["link set eth0 up", ...nic("eth0", podAddresses(node, 0)), ...defaultRoute({ addresses: node.podGateway })];
}

function routerLines(router: RouterPlan): string[] {
  return [
    ...nic("eth0", router.data.addresses),
    ...nic("eth1", router.behind.router),
    ...ROUTERS.filter((other) => other !== router).flatMap((other) =>
      route(other.behind.network, other.data.addresses),
    ),
  ];
}

function behindLines(router: RouterPlan): string[] {
  return [...nic("eth0", router.behind.client), ...defaultRoute({ addresses: router.behind.router })];
}

function nic(name: string, { ipv4, ipv6 }: Addresses): string[] {
  return [`link set ${name} up`, `addr add ${ipv4}/24 dev ${name}`, `addr add ${ipv6}/64 dev ${name} nodad`];
}

function defaultRoute(gateway: Pick<Nic, "addresses">): string[] {
  return route({ ipv4: "default", ipv6: "::/0" }, gateway.addresses);
}

function route(to: Addresses, via: Addresses): string[] {
  return [`route add ${to.ipv4} via ${via.ipv4}`, `route add ${to.ipv6} via ${via.ipv6}`];
}
