/** The addresses of the lab; every lab on a machine has the same, in namespaces of its own. */

export interface Addresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** An interface in a namespace, and the bridge port that it is plugged into. */
export interface Nic {
  readonly mac: string;
  readonly addresses: Addresses;
}

export interface NodePlan {
  readonly name: NodeName;
  readonly number: number;
  /** eth0, on the data segment. */
  readonly data: Nic;
  /** mgmt0, on the management network. */
  readonly management: Nic;
  readonly podNetwork: Addresses;
  readonly podGateway: Addresses;
}

/** A router on the data segment, with one client behind it. */
export interface RouterPlan {
  readonly name: "rtr" | "bird";
  readonly data: Nic;
  readonly behind: { readonly network: Addresses; readonly router: Addresses; readonly client: Addresses };
  readonly client: "c2" | "c3";
}

export const NODE_NAMES = ["n1", "n2", "n3"] as const;
export type NodeName = (typeof NODE_NAMES)[number];

/** Every namespace of a lab: nodes, their pods, switch, management network with the control plane, clients, routers. */
export const SPACES = ["sw", "mgmt", "n1", "n2", "n3", "p1", "p2", "p3", "client", "rtr", "c2", "bird", "c3"] as const;
export type Space = (typeof SPACES)[number];

export const DATA_NETWORK: Addresses = { ipv4: "192.0.2.0/24", ipv6: "2001:db8:1::/64" };
export const POD_NETWORKS: Addresses = { ipv4: "10.244.0.0/16", ipv6: "fd00:244::/56" };
export const CONTROL_PLANE: Addresses = { ipv4: "172.31.0.1", ipv6: "fd00:31::1" };
export const CLIENT: Nic = {
  mac: "02:48:00:00:00:64",
  addresses: { ipv4: "192.0.2.100", ipv6: "2001:db8:1::100" },
};

export const NODES: readonly NodePlan[] = NODE_NAMES.map((name, index) => {
  const number = index + 1;
  return {
    name,
    number,
    data: {
      mac: `02:48:00:00:00:1${number}`,
      addresses: { ipv4: `192.0.2.1${number}`, ipv6: `2001:db8:1::1${number}` },
    },
    management: {
      mac: `02:48:00:00:01:1${number}`,
      addresses: { ipv4: `172.31.0.1${number}`, ipv6: `fd00:31::1${number}` },
    },
    podNetwork: { ipv4: `10.244.${number}.0/24`, ipv6: `fd00:244:0:${number}::/64` },
    podGateway: { ipv4: `10.244.${number}.1`, ipv6: `fd00:244:0:${number}::1` },
  };
});

/** rtr runs FRR and is the default gateway of the data segment; bird runs BIRD. */
export const ROUTERS: readonly RouterPlan[] = [
  {
    name: "rtr",
    data: { mac: "02:48:00:00:00:01", addresses: { ipv4: "192.0.2.1", ipv6: "2001:db8:1::1" } },
    behind: {
      network: { ipv4: "198.51.100.0/24", ipv6: "2001:db8:100::/64" },
      router: { ipv4: "198.51.100.1", ipv6: "2001:db8:100::1" },
      client: { ipv4: "198.51.100.100", ipv6: "2001:db8:100::100" },
    },
    client: "c2",
  },
  {
    name: "bird",
    data: { mac: "02:48:00:00:00:02", addresses: { ipv4: "192.0.2.2", ipv6: "2001:db8:1::2" } },
    behind: {
      network: { ipv4: "198.51.101.0/24", ipv6: "2001:db8:101::/64" },
      router: { ipv4: "198.51.101.1", ipv6: "2001:db8:101::1" },
      client: { ipv4: "198.51.101.100", ipv6: "2001:db8:101::100" },
    },
    client: "c3",
  },
];

export const GATEWAY = (ROUTERS[0] as RouterPlan).data;

/** Gives the addresses of the pod with this index (0 to 200) on a node. */
export function podAddresses(node: NodePlan, index: number): Addresses {
  return { ipv4: `10.244.${node.number}.${index + 2}`, ipv6: `fd00:244:0:${node.number}::${(index + 2).toString(16)}` };
}

/** Names who has a MAC of the data segment. */
export function holderOfMac(mac: string): string | undefined {
  return (
    [...NODES, ...ROUTERS].find((one) => one.data.mac === mac)?.name ?? (mac === CLIENT.mac ? "client" : undefined)
  );
}

/** Gives the plan of the node with this name. */
export function nodePlan(name: string): NodePlan {
  const node = NODES.find((one) => one.name === name);
  if (node === undefined)
    throw new Error(`there is no node ${JSON.stringify(name)}; the nodes are ${NODE_NAMES.join(", ")}`);
  return node;
}
