import { DATA_NETWORK, NODES, ROUTERS, type RouterPlan } from "./plan.ts";

/** The AS of every node; each router has its own. */
export const NODE_AS = 64513;
export const FRR_AS = 64512;
export const BIRD_AS = 64514;

/** What a router's operator can set. Whatever is not here is as both routers have it by default. */
export interface RouterConfig {
  /** The AS that sessions of nodes come from; the router's own makes them iBGP. */
  readonly nodeAS: number;
  /** BFD on the sessions, for those who speak it, with a packet each 100 ms. */
  readonly bfd: boolean;
  /** So many packets of BFD have to be missed in a row. */
  readonly bfdMultiplier: number;
  /** TCP MD5 signature (RFC 2385) of all sessions; undefined: none. */
  readonly password: string | undefined;
  /** A route with the community GRACEFUL_SHUTDOWN (RFC 8326) is used only where there is no other. */
  readonly heedsShutdown: boolean;
  /** FRR alone: it opens the sessions to the nodes' IPv4 addresses itself, each second until they take it. */
  readonly connects: boolean;
  /** FRR alone: interfaces behind each of which there is one node, which is found by its router advertisements. */
  readonly unnumbered: readonly string[];
  /** Each route that comes or goes is written to the log: for tests that read it, not for 10 000 routes. */
  readonly logsRoutes: boolean;
}

export const DEFAULT_ROUTER_CONFIG: RouterConfig = {
  nodeAS: NODE_AS,
  bfd: true,
  bfdMultiplier: 3,
  password: undefined,
  heedsShutdown: true,
  connects: false,
  unnumbered: [],
  logsRoutes: true,
};

const ROUTER = ROUTERS[0] as RouterPlan;
const FAMILIES = ["ipv4", "ipv6"] as const;

/** Gives the configuration of FRR's bgpd. It waits for sessions from the nodes, tells them of the network behind it, and has equal routes of all of them. */
export function bgpdConfig(config: RouterConfig): string {
  const { nodeAS, bfd, bfdMultiplier, password, heedsShutdown, connects, unnumbered, logsRoutes } = config;
  return lines(
    "hostname rtr",
    "log stdout debugging",
    logsRoutes && "debug bgp updates in",
    // It heeds the community by itself, but for routes that it was taken off.
    ...(heedsShutdown
      ? []
      : [
          "bgp community-list standard shutdown permit graceful-shutdown",
          "route-map from-nodes permit 10",
          " set comm-list shutdown delete",
          "exit",
        ]),
    `router bgp ${FRR_AS}`,
    " bgp router-id 192.0.2.1",
    " bgp log-neighbor-changes",
    " no bgp ebgp-requires-policy",
    " bgp bestpath as-path multipath-relax",
    " neighbor nodes peer-group",
    ` neighbor nodes remote-as ${nodeAS}`,
    connects ? " neighbor nodes timers connect 1" : " neighbor nodes passive",
    password !== undefined && ` neighbor nodes password ${password}`,
    bfd && ` neighbor nodes bfd ${bfdMultiplier} 100 100`,
    ...FAMILIES.map((family) => ` bgp listen range ${DATA_NETWORK[family]} peer-group nodes`),
    ...(connects ? NODES.map(({ data }) => ` neighbor ${data.addresses.ipv4} peer-group nodes`) : []),
    ...unnumbered.flatMap((name) => [
      ` neighbor ${name} interface v6only remote-as ${nodeAS}`,
      bfd && ` neighbor ${name} bfd ${bfdMultiplier} 100 100`,
    ]),
    ...FAMILIES.flatMap((family) => [
      ` address-family ${family} unicast`,
      ...["nodes", ...unnumbered].flatMap((neighbor) => [
        `  neighbor ${neighbor} activate`,
        !heedsShutdown && `  neighbor ${neighbor} route-map from-nodes in`,
      ]),
      `  network ${ROUTER.behind.network[family]}`,
      "  maximum-paths 8",
      "  maximum-paths ibgp 8",
      " exit-address-family",
    ]),
  );
}

/** Gives the configuration of BIRD, which behaves as FRR does. */
export function birdConfig(config: RouterConfig): string {
  const { nodeAS, bfd, bfdMultiplier, password, heedsShutdown, logsRoutes } = config;
  const channel = (family: string) => `  ${family} { import filter from_node; export none; };`;
  const bgp = (name: string, network: string) => [
    `protocol bgp ${name} {`,
    `  local as ${BIRD_AS};`,
    `  neighbor range ${network} as ${nodeAS};`,
    `  dynamic name "${name}_";`,
    "  passive;",
    // By default BIRD refuses a neighbour for a minute and more after BFD found it dead.
    "  error wait time 1, 2;",
    password !== undefined && `  password "${password}";`,
    bfd && "  bfd on;",
    `  debug { states${logsRoutes ? ", routes" : ""} };`,
    channel("ipv4"),
    channel("ipv6"),
    "}",
  ];
  const kernel = (family: string) => [
    "protocol kernel {",
    `  ${family} { import none; export all; };`,
    "  merge paths on limit 8;",
    "  scan time 2;",
    "}",
  ];
  return lines(
    "router id 192.0.2.2;",
    "log stderr all;",
    "protocol device { scan time 2; }",
    `protocol bfd { interface "eth0" { min rx interval 100 ms; min tx interval 100 ms; multiplier ${bfdMultiplier}; }; }`,
    `filter from_node { ${heedsShutdown ? "if (65535, 0) ~ bgp_community then bgp_local_pref = 0; " : ""}accept; }`,
    ...kernel("ipv4"),
    ...kernel("ipv6"),
    ...bgp("nodes4", DATA_NETWORK.ipv4),
    ...bgp("nodes6", DATA_NETWORK.ipv6),
  );
}

/** Joins what is there. */
function lines(...all: readonly (string | false)[]): string {
  return all
    .filter((line) => line !== false)
    .join("\n")
    .concat("\n");
}
