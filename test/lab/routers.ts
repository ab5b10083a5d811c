import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Daemon, startDaemon } from "../cluster/daemon.ts";
import { run } from "../cluster/run.ts";
import type { Reaper } from "../reaper/reaper.ts";
import { DATA_NETWORK } from "./plan.ts";
import type { Topology } from "./topology.ts";

/** The AS of every node; each router has its own. */
const NODE_AS = 64513;
const FRR_AS = 64512;
const BIRD_AS = 64514;
const READY_MS = 10_000;

interface Deps {
  readonly topology: Topology;
  readonly directory: string;
  readonly reaper: Reaper;
}

/** Starts FRR and BIRD; both wait for BGP sessions from the nodes. Returns when they answer on their control sockets. */
export async function startRouters(deps: Deps): Promise<Daemon[]> {
  const all = await Promise.all([startFRR(deps), startBIRD(deps)]);
  return all.flat();
}

async function startFRR({ topology, directory, reaper }: Deps): Promise<Daemon[]> {
  const at = join(directory, "frr");
  await mkdir(at, { recursive: true });
  // The daemons become this user, which Debian's package makes.
  await run(["chown", "frr:frr", at]);
  const daemons: Daemon[] = [];
  for (const name of ["mgmtd", "zebra", "bgpd", "bfdd"] as const) {
    const program = `/usr/lib/frr/${name}`;
    if (!existsSync(program)) {
      if (name === "mgmtd") continue; // FRR has it from version 10 on
      throw new Error(`${program} is not there; remedy: apt-get install frr`);
    }
    const config = join(at, `${name}.conf`);
    await writeFile(config, name === "bgpd" ? bgpdConfig() : `hostname rtr-${name}\n`);
    const socket = join(at, `${name}.vty`);
    const args = ["-f", config, "-i", join(at, `${name}.pid`), "--vty_socket", at];
    // All daemons meet in /run/frr: a directory of this router's own lies over it in their mount namespace.
    const script = 'mount --bind "$1" /run/frr && shift && exec "$@"';
    const daemon = await startDaemon({
      command: ["sh", "-c", script, "sh", at, program, ...args],
      netns: topology.netns("rtr"),
      log: join(directory, `frr-${name}.log`),
      directory,
      reaper,
    });
    daemons.push(daemon);
    await untilThere(socket, daemon, `FRR's ${name}`);
  }
  return daemons;
}

async function startBIRD({ topology, directory, reaper }: Deps): Promise<Daemon[]> {
  const config = join(directory, "bird.conf");
  await writeFile(config, birdConfig());
  const socket = join(directory, "bird.ctl");
  const daemon = await startDaemon({
    command: ["/usr/sbin/bird", "-f", "-c", config, "-s", socket, "-P", join(directory, "bird.pid")],
    netns: topology.netns("bird"),
    log: join(directory, "bird.log"),
    directory,
    reaper,
  });
  await untilThere(socket, daemon, "BIRD");
  return [daemon];
}

async function untilThere(path: string, daemon: Daemon, what: string): Promise<void> {
  for (const deadline = performance.now() + READY_MS; !existsSync(path); await sleep(10)) {
    if (!daemon.running) throw new Error(`start ${what}: it ended with ${await daemon.ended}: ${daemon.complaint()}`);
    if (performance.now() > deadline)
      throw new Error(`start ${what}: no ${path} after ${READY_MS / 1000} s: ${daemon.complaint()}`);
  }
}

function bgpdConfig(): string {
  return `hostname rtr
router bgp ${FRR_AS}
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 neighbor nodes peer-group
 neighbor nodes remote-as ${NODE_AS}
 neighbor nodes passive
 bgp listen range ${DATA_NETWORK.ipv4} peer-group nodes
 bgp listen range ${DATA_NETWORK.ipv6} peer-group nodes
 address-family ipv4 unicast
  maximum-paths 8
 exit-address-family
 address-family ipv6 unicast
  neighbor nodes activate
  maximum-paths 8
 exit-address-family
`;
}

function birdConfig(): string {
  const bgp = (name: string, network: string) => `protocol bgp ${name} {
  local as ${BIRD_AS};
  neighbor range ${network} as ${NODE_AS};
  dynamic name "${name}_";
  passive;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
`;
  const kernel = (family: string) => `protocol kernel {
  ${family} { import none; export all; };
  merge paths on limit 8;
  scan time 2;
}
`;
  return `router id 192.0.2.2;
log stderr all;
protocol device { scan time 2; }
protocol bfd { interface "eth0"; }
${kernel("ipv4")}${kernel("ipv6")}${bgp("nodes4", DATA_NETWORK.ipv4)}${bgp("nodes6", DATA_NETWORK.ipv6)}`;
}
