import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Daemon, startDaemon } from "../cluster/daemon.ts";
import { run } from "../cluster/run.ts";
import type { Reaper } from "../reaper/reaper.ts";
import { LabProcess } from "./lab-process.ts";
import { tryRun } from "./netns.ts";
import { ROUTERS, type RouterPlan } from "./plan.ts";
import { RouteTable } from "./route-table.ts";
import { bgpdConfig, birdConfig, DEFAULT_ROUTER_CONFIG, type RouterConfig } from "./router-config.ts";
import { type BGPSession, birdRoutes, birdSessions, frrRoutes, frrSessions, type RouterPath } from "./router-views.ts";
import type { Topology } from "./topology.ts";

export const ROUTER_NAMES = ["rtr", "bird"] as const satisfies readonly RouterPlan["name"][];
export type RouterName = (typeof ROUTER_NAMES)[number];

const READY_MS = 10_000;

interface Deps {
  readonly topology: Topology;
  readonly labTool: string;
  readonly directory: string;
  readonly reaper: Reaper;
}

/** What a router's log says of its sessions and of the routes that its neighbours send. */
export interface RouterNews {
  /** The lines that say that a session came up, and that one went down. */
  readonly up: readonly string[];
  readonly down: readonly string[];
  /** The lines that say that a neighbour took a route away, for whatever reason; FRR's: by an UPDATE. */
  readonly withdrawn: readonly string[];
}

/** A router on the data segment, which waits for BGP sessions from the nodes. */
export abstract class Router {
  readonly plan: RouterPlan;
  /** What its kernel has. */
  readonly table: RouteTable;
  protected readonly deps: Deps;
  protected config: RouterConfig;

  constructor(name: RouterName, deps: Deps, config: RouterConfig) {
    this.plan = ROUTERS.find((one) => one.name === name) as RouterPlan;
    this.deps = deps;
    this.config = config;
    this.table = new RouteTable({ ...deps, netns: deps.topology.netns(name) });
  }

  /** For a person: "FRR". */
  abstract readonly software: string;
  protected abstract readonly logFile: string;
  protected abstract readonly patterns: Readonly<Record<keyof RouterNews, RegExp>>;

  abstract start(): Promise<void>;
  abstract stop(by: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Its operator ends all sessions with nodes; they may open again at once. */
  abstract reset(): Promise<void>;
  /** The sessions that nodes have, or try to have, with it. */
  abstract sessions(): Promise<readonly BGPSession[]>;
  /** The paths to a prefix that it was given, with their attributes; none where it has no route there. */
  abstract paths(prefix: string): Promise<readonly RouterPath[]>;

  /** The router dies, or ends, and comes back. */
  async restart(by: "SIGTERM" | "SIGKILL" = "SIGKILL"): Promise<void> {
    await this.stop(by);
    await this.start();
  }

  /** Its operator changes its configuration, and boots it. */
  async configure(change: Partial<RouterConfig>): Promise<void> {
    this.config = { ...this.config, ...change };
    await this.restart("SIGTERM");
  }

  /** Waits until the kernel's next hops for a prefix are these; none: until it has no route there. */
  async routed(prefix: string, nextHops: readonly string[], timeoutMs?: number): Promise<void> {
    const wanted = nextHops.toSorted().join();
    const now = () => this.table.routes.get(prefix) ?? [];
    const what = `${this.software}'s kernel routes ${prefix} to ${wanted || "nobody"}`;
    await this.table.until(what, () => now().join() === wanted, now, timeoutMs);
  }

  /** Where its log ends, for `newsSince`. */
  async mark(): Promise<number> {
    return (await readFile(this.logFile)).length;
  }

  /** What its log says since a mark. Needs `logsRoutes` for withdrawn routes. */
  async newsSince(mark: number): Promise<RouterNews> {
    const text = (await readFile(this.logFile)).subarray(mark).toString();
    const all = text.split("\n");
    const matching = (kind: keyof RouterNews) => all.filter((line) => this.patterns[kind].test(line));
    return { up: matching("up"), down: matching("down"), withdrawn: matching("withdrawn") };
  }
}

class FRR extends Router {
  readonly software = "FRR";
  readonly #daemons: readonly (readonly [string, LabProcess])[];
  readonly #at: string;

  constructor(deps: Deps, config: RouterConfig) {
    super("rtr", deps, config);
    this.#at = join(deps.directory, "frr");
    // FRR has mgmtd from version 10 on.
    const names = ["mgmtd", "zebra", "bgpd", "bfdd"].filter((name) => name !== "mgmtd" || existsSync(programOf(name)));
    this.#daemons = names.map((name) => [name, new LabProcess(`FRR's ${name}`, () => this.#launch(name))]);
  }

  protected get logFile(): string {
    return join(this.deps.directory, "frr-bgpd.log");
  }

  protected readonly patterns = {
    up: /%ADJCHANGE: .* Up/,
    down: /%ADJCHANGE: .* Down/,
    withdrawn: /rcvd UPDATE about .* withdrawn/,
  };

  async start(): Promise<void> {
    await mkdir(this.#at, { recursive: true });
    // The daemons become this user, which Debian's package makes.
    await run(["chown", "frr:frr", this.#at]);
    for (const [name, daemon] of this.#daemons) {
      const text = name === "bgpd" ? bgpdConfig(this.config) : `hostname rtr-${name}\n`;
      await writeFile(this.#configFile(name), text);
      const socket = join(this.#at, `${name}.vty`);
      await rm(socket, { force: true });
      await daemon.start();
      await untilThere(socket, daemon);
    }
  }

  async stop(by: "SIGTERM" | "SIGKILL"): Promise<void> {
    await Promise.all(this.#daemons.map(([, daemon]) => daemon.stop(by)));
  }

  async reset(): Promise<void> {
    await this.vtysh("clear bgp *");
  }

  async sessions(): Promise<readonly BGPSession[]> {
    return frrSessions(await this.vtysh("show bgp neighbors json"));
  }

  async paths(prefix: string): Promise<readonly RouterPath[]> {
    const family = prefix.includes(":") ? "ipv6" : "ipv4";
    return frrRoutes(await this.vtysh(`show bgp ${family} unicast ${prefix} json`));
  }

  vtysh(...commands: readonly string[]): Promise<string> {
    return run(["vtysh", "--vty_socket", this.#at, ...commands.flatMap((command) => ["-c", command])]);
  }

  #configFile(name: string): string {
    return join(this.#at, `${name}.conf`);
  }

  #launch(name: string): Promise<Daemon> {
    const { topology, directory, reaper } = this.deps;
    const program = programOf(name);
    if (!existsSync(program)) throw new Error(`${program} is not there; remedy: apt-get install frr`);
    const args = ["-f", this.#configFile(name), "-i", join(this.#at, `${name}.pid`), "--vty_socket", this.#at];
    // All daemons meet in /run/frr: a directory of this router's own lies over it in their mount namespace.
    const script = 'mount --bind "$1" /run/frr && shift && exec "$@"';
    return startDaemon({
      command: ["sh", "-c", script, "sh", this.#at, program, ...args],
      netns: topology.netns("rtr"),
      log: join(directory, `frr-${name}.log`),
      directory,
      reaper,
    });
  }
}

class BIRD extends Router {
  readonly software = "BIRD";
  readonly #daemon: LabProcess;

  constructor(deps: Deps, config: RouterConfig) {
    super("bird", deps, config);
    this.#daemon = new LabProcess("BIRD", () => this.#launch());
  }

  protected get logFile(): string {
    return join(this.deps.directory, "bird.log");
  }

  protected readonly patterns = {
    up: /nodes[46]_\d+: State changed to up/,
    down: /nodes[46]_\d+: State changed to down/,
    withdrawn: /nodes[46]_\d+\.ipv[46] > removed /,
  };

  async start(): Promise<void> {
    await writeFile(this.#file("conf"), birdConfig(this.config));
    await rm(this.#file("ctl"), { force: true });
    await this.#daemon.start();
    await untilThere(this.#file("ctl"), this.#daemon);
  }

  async stop(by: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#daemon.stop(by);
  }

  async reset(): Promise<void> {
    await this.birdc('restart "nodes*"');
  }

  async sessions(): Promise<readonly BGPSession[]> {
    return birdSessions(await this.birdc("show protocols all"));
  }

  async paths(prefix: string): Promise<readonly RouterPath[]> {
    return birdRoutes(await this.birdc(`show route ${prefix} all`));
  }

  /** Gives what BIRD answers, also where that is "Network not found", for which birdc ends with an error. */
  async birdc(command: string): Promise<string> {
    const { stdout } = await tryRun(["birdc", "-s", this.#file("ctl"), ...command.split(" ")]);
    return stdout;
  }

  #file(ending: string): string {
    return join(this.deps.directory, `bird.${ending}`);
  }

  #launch(): Promise<Daemon> {
    const { topology, directory, reaper } = this.deps;
    return startDaemon({
      command: ["/usr/sbin/bird", "-f", "-c", this.#file("conf"), "-s", this.#file("ctl"), "-P", this.#file("pid")],
      netns: topology.netns("bird"),
      log: this.logFile,
      directory,
      reaper,
    });
  }
}

/** FRR and BIRD. */
export type Routers = readonly [Router, Router];

/** Starts FRR and BIRD; both wait for BGP sessions from the nodes. Returns when they answer on their control sockets. */
export async function startRouters(deps: Deps, config: Partial<RouterConfig> = {}): Promise<Routers> {
  const whole = { ...DEFAULT_ROUTER_CONFIG, ...config };
  const routers: Routers = [new FRR(deps, whole), new BIRD(deps, whole)];
  await Promise.all(routers.flatMap((router) => [router.start(), router.table.started]));
  return routers;
}

function programOf(name: string): string {
  return `/usr/lib/frr/${name}`;
}

async function untilThere(path: string, process: LabProcess): Promise<void> {
  for (const deadline = performance.now() + READY_MS; !existsSync(path); await sleep(10)) {
    const { daemon, name } = process;
    if (!daemon.running) throw new Error(`start ${name}: it ended with ${await daemon.ended}: ${daemon.complaint()}`);
    if (performance.now() > deadline)
      throw new Error(`start ${name}: no ${path} after ${READY_MS / 1000} s: ${daemon.complaint()}`);
  }
}
