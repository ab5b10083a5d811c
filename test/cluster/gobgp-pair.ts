import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Gobgp } from "../../src/bgp/gobgp.ts";
import { GobgpChannel } from "../../src/bgp/gobgp-channel.ts";
import type { WireDestination } from "../../src/bgp/gobgp-wire.ts";
import type { Peer } from "../../src/bgp/model.ts";
import { type Reaper, startReaper } from "../reaper/reaper.ts";
import { wantedPeer } from "../unit/bgp-world.ts";
import { binary } from "./binaries.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { run } from "./run.ts";

export const NODE = { ipv4: "192.0.2.11", ipv6: "2001:db8::11", as: 64513 };
export const ROUTER = { ipv4: "192.0.2.1", ipv6: "2001:db8::1", as: 64512 };
/** Of the veth pair, in both namespaces. */
export const NIC = "eth0";

/** A node's gobgpd, which is Herald's, and a router's, which plays the peer, on one wire. */
export interface Pair {
  readonly gobgp: Gobgp;
  /** The same daemon's API, to look behind the client's back. */
  readonly node: GobgpChannel;
  readonly router: GobgpChannel;
  /** The socket of the node's daemon. */
  readonly socket: string;
  readonly nodeNetns: string;
  readonly routerNetns: string;
  /** Kills the node's daemon and starts another in its place. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  /** Sends the node's daemon a signal. */
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
}

export async function startPair(): Promise<Pair> {
  const reaper = await startReaper();
  const directory = await mkdtemp(join(tmpdir(), "herald-gobgp-"));
  reaper.directory(directory);
  const spaces = await makeWire(reaper);
  const daemonOf = (role: "node" | "router") => startGobgpd(role, spaces[role], directory, reaper);
  let nodeDaemon = await daemonOf("node");
  await daemonOf("router");
  const socket = join(directory, "node.sock");
  const gobgp = new Gobgp(socket);
  const node = new GobgpChannel(socket);
  const router = new GobgpChannel(join(directory, "router.sock"));
  await router.call("StartBgp", { global: { asn: ROUTER.as, router_id: ROUTER.ipv4, listen_port: 179 } });
  return {
    gobgp,
    node,
    router,
    socket,
    nodeNetns: spaces.node,
    routerNetns: spaces.router,
    kill: () => nodeDaemon.stop("SIGKILL"),
    signal: (name) => process.kill(nodeDaemon.pid, name),
    restart: async () => {
      await nodeDaemon.stop("SIGKILL");
      nodeDaemon = await daemonOf("node");
    },
    stop: async () => {
      for (const one of [gobgp, node, router]) one.close();
      await reaper.reap();
    },
  };
}

let count = 0;

async function makeWire(reaper: Reaper): Promise<{ readonly node: string; readonly router: string }> {
  count++;
  const node = `hgb${process.pid}-${count}n`;
  const router = `hgb${process.pid}-${count}r`;
  for (const netns of [node, router]) {
    reaper.netns(netns);
    await run(["ip", "netns", "add", netns]);
    await run(["ip", "-n", netns, "link", "set", "lo", "up"]);
  }
  await run(["ip", "-n", node, "link", "add", NIC, "type", "veth", "peer", "name", NIC, "netns", router]);
  for (const [netns, { ipv4, ipv6 }] of [
    [node, NODE],
    [router, ROUTER],
  ] as const) {
    // Its link-local address counts from the start.
    const dad = `/proc/sys/net/ipv6/conf/${NIC}/accept_dad`;
    await run(["ip", "netns", "exec", netns, "sh", "-c", `echo 0 > ${dad}`]);
    await run(["ip", "-n", netns, "address", "add", `${ipv4}/24`, "dev", NIC]);
    await run(["ip", "-n", netns, "address", "add", `${ipv6}/64`, "dev", NIC, "nodad"]);
    await run(["ip", "-n", netns, "link", "set", NIC, "up"]);
  }
  return { node, router };
}

async function startGobgpd(role: string, netns: string, directory: string, reaper: Reaper): Promise<Daemon> {
  const socket = join(directory, `${role}.sock`);
  await rm(socket, { force: true }); // gobgpd does not bind to one that is left over
  const daemon = await startDaemon({
    command: [binary("gobgpd"), "--api-hosts", `unix://${socket}`, "--log-level", "debug"],
    netns,
    log: join(directory, `${role}.log`),
    directory,
    reaper,
  });
  const channel = new GobgpChannel(socket);
  for (const deadline = performance.now() + 10_000; ; await sleep(20)) {
    try {
      await channel.call("GetBgp");
      break;
    } catch (error) {
      if (!daemon.running || performance.now() > deadline)
        throw new Error(`start gobgpd: ${daemon.complaint()}`, { cause: error });
    }
  }
  channel.close();
  return daemon;
}

/** A session to the router with the defaults of a BGPPeer. */
export function peerTo(neighbor: string, more: Partial<Peer> = {}): Peer {
  return wantedPeer({
    neighbor,
    peerASN: ROUTER.as,
    localASN: NODE.as,
    connectRetryTime: 1,
    families: neighbor.includes(":") ? ["IPv6"] : ["IPv4"],
    ...more,
  });
}

export interface RouterSide {
  /** What the router says that it is. */
  readonly as?: number;
  readonly password?: string | undefined;
  /** It waits for the node to open the session. */
  readonly passive?: boolean;
}

/** Gives the router a session to the node: by this address, or over this interface. */
export async function expectNode(router: GobgpChannel, node: string, more: RouterSide = {}): Promise<void> {
  const { as = ROUTER.as, password = "", passive = true } = more;
  const where = node === NIC ? { neighbor_interface: node } : { neighbor_address: node };
  await router.call("AddPeer", {
    peer: {
      conf: { ...where, peer_asn: NODE.as, local_asn: as, auth_password: password },
      timers: { config: { hold_time: 9, keepalive_interval: 3, connect_retry: 1, idle_hold_time_after_reset: 1 } },
      transport: { passive_mode: passive },
      afi_safis: [
        { config: { family: { afi: 1, safi: 1 }, enabled: true } },
        { config: { family: { afi: 2, safi: 1 }, enabled: true } },
      ],
    },
  });
}

/** A route as the router has it. */
export interface Seen {
  readonly from: string;
  readonly nextHop: string;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly string[];
  readonly localPref: number | undefined;
  readonly med: number | undefined;
}

/** Gives what the router has learnt, by prefix, one entry per neighbor that it learnt it from. */
export async function seenBy(router: GobgpChannel): Promise<Record<string, Seen[]>> {
  const seen: Record<string, Seen[]> = {};
  for (const afi of ["AFI_IP", "AFI_IP6"]) {
    const request = { table_type: "TABLE_TYPE_GLOBAL", family: { afi, safi: "SAFI_UNICAST" } };
    for (const { destination } of await router.list<{ destination: WireDestination }>("ListPath", request)) {
      seen[destination.prefix] = destination.paths.map(({ pattrs, neighbor_ip = "" }) => ({
        from: neighbor_ip,
        nextHop:
          pattrs.flatMap(({ next_hop, mp_reach }) => next_hop?.next_hop ?? mp_reach?.next_hops[0] ?? [])[0] ?? "",
        communities: pattrs.flatMap(({ communities }) => communities?.communities ?? []),
        largeCommunities: pattrs.flatMap(({ large_communities }) =>
          (large_communities?.communities ?? []).map(
            (one) => `${one.global_admin}:${one.local_data1}:${one.local_data2}`,
          ),
        ),
        localPref: pattrs.flatMap(({ local_pref }) => local_pref?.local_pref ?? [])[0],
        med: pattrs.flatMap(({ multi_exit_disc }) => multi_exit_disc?.med ?? [])[0],
      }));
    }
  }
  return seen;
}
