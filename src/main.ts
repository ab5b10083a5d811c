#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { Registry } from "prom-client";
import type { Daemon } from "./bgp/daemon.ts";
import { lazyDaemon } from "./bgp/lazy-daemon.ts";
import { noGobgpd } from "./bgp/no-gobgpd.ts";
import { type Clock, systemClock } from "./clock.ts";
import { HeraldError } from "./errors.ts";
import {
  type Flag,
  type Given,
  helpText,
  readAddress,
  readDuration,
  readFlags,
  readInteger,
  readLogLevel,
  readPathOrOff,
  readUrlOrOff,
} from "./flags.ts";
import { gather } from "./gather.ts";
import { readHelloKey } from "./hello-key.ts";
import { KubeClient } from "./kube/client.ts";
import { connect } from "./kube/connection.ts";
import { createRequestMetrics } from "./kube/request-metrics.ts";
import { createLog, errorText, type Log } from "./log.ts";
import { statusOf } from "./status-of.ts";
import { startStatusServer } from "./status-server.ts";

const METRICS_ADDRESS = ":7980";
const NAMESPACE = "herald-system";

const COMMON: readonly Flag[] = [
  {
    name: "kubeconfig",
    value: "FILE",
    help: "how to reach the API server; without it: as a Pod, or by $KUBECONFIG or ~/.kube/config",
  },
  {
    name: "namespace",
    value: "NAME",
    help: "Herald's own namespace; without it: $POD_NAMESPACE",
    default: process.env.POD_NAMESPACE || NAMESPACE,
  },
  {
    name: "metrics-address",
    value: "HOST:PORT",
    help: "where /metrics, /healthz and /readyz are served",
    default: METRICS_ADDRESS,
  },
  { name: "log-level", value: "LEVEL", help: "debug, info, warn or error", default: "info" },
];

interface Role {
  readonly about: string;
  readonly flags: readonly Flag[];
  readonly run: (given: Given, shell: Shell) => Promise<void>;
}

/** What every role gets of the process. */
interface Shell {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly registry: Registry;
  /** Aborted at SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Says what is missing for /readyz; undefined: ready. */
  readonly notReady: (missing: string | undefined) => void;
  /** Finds the API server; connects to nothing yet. To be called once the other flags are checked. */
  readonly connect: () => Promise<KubeClient>;
}

const ROLES: Readonly<Record<string, Role>> = {
  controller: {
    about: "Assigns IPs of IPPools to Services of type LoadBalancer. Several may run: one leads, elected by a Lease.",
    flags: [
      ...COMMON,
      { name: "class-only", help: "leave Services alone that name no loadBalancerClass" },
      {
        name: "identity",
        value: "NAME",
        help: "its name in the Lease; without it: $POD_NAME",
        default: process.env.POD_NAME || `${hostname()}-${process.pid}`,
      },
    ],
    run: async (given, { connect, notReady, ...shell }) => {
      const namespace = required(given, "controller", "namespace");
      const identity = required(given, "controller", "identity");
      const { runController } = await import("./controller/controller.ts");
      await runController({
        ...shell,
        client: await connect(),
        namespace,
        identity,
        classOnly: given.has("class-only"),
        ready: (is) => notReady(is ? undefined : "the API server has not been read yet"),
      });
    },
  },
  speaker: {
    about: "Announces the IPs that this node owns: answers ARP for them. One runs on each node; it needs CAP_NET_RAW.",
    flags: [
      ...COMMON,
      {
        name: "node-name",
        value: "NAME",
        help: "this node's name in the cluster; without it: $NODE_NAME",
        ...(process.env.NODE_NAME ? { default: process.env.NODE_NAME } : {}),
      },
      { name: "hello-key-file", value: "FILE", help: "the key that signs what speakers say to each other" },
      { name: "hello-interval", value: "TIME", help: "between hellos; the same on all nodes", default: "100ms" },
      {
        name: "detect-multiplier",
        value: "COUNT",
        help: "lost hellos after which a node is silent; the same on all nodes",
        default: "3",
      },
      {
        name: "restart-grace",
        value: "TIME",
        help: "how long a node keeps its IPs while its speaker is away; the same on all nodes",
        default: "60s",
      },
      {
        name: "node-proxy-health",
        value: "URL",
        help: 'tells whether this node forwards to Services; "off": nobody asks',
        default: "http://127.0.0.1:10256/healthz",
      },
      {
        name: "gobgp-socket",
        value: "PATH",
        help: 'where this node\'s gobgpd listens; asked only where a BGPPeer selects the node; "off": no BGP',
        default: "/run/gobgp/gobgp.sock",
      },
      {
        name: "drain-delay",
        value: "TIME",
        help: "how long BGP routes of a node that is emptied say so before they go; 0s: not at all",
        default: "30s",
      },
    ],
    run: async (given, { connect, ...shell }) => {
      const node = required(given, "speaker", "node-name");
      const key = readHelloKey(required(given, "speaker", "hello-key-file"));
      const timers = {
        helloIntervalMs: readDuration("hello-interval", given.get("hello-interval") ?? "", 50, 1_000),
        detectMultiplier: readInteger("detect-multiplier", given.get("detect-multiplier") ?? "", 2, 20),
        restartGraceMs: readDuration("restart-grace", given.get("restart-grace") ?? "", 5_000, 600_000),
      };
      const nodeProxyUrl = readUrlOrOff("node-proxy-health", given.get("node-proxy-health") ?? "");
      const gobgpSocket = readPathOrOff("gobgp-socket", given.get("gobgp-socket") ?? "");
      const drainDelayMs = readDuration("drain-delay", given.get("drain-delay") ?? "", 0, 600_000);
      const namespace = required(given, "speaker", "namespace");
      const { runSpeaker } = await import("./speaker/speaker.ts");
      await runSpeaker({
        ...shell,
        client: await connect(),
        node,
        namespace,
        key,
        timers,
        nodeProxyUrl,
        statusOf,
        daemon: gobgpSocket === undefined ? noGobgpd : lazyDaemon(() => openGobgpd(gobgpSocket)),
        drainDelayMs,
        version: version(),
      });
    },
  },
};

async function openGobgpd(socket: string): Promise<Daemon> {
  const { Gobgp } = await import("./bgp/gobgp.ts");
  return new Gobgp(socket);
}

function required(given: Given, command: string, flag: string): string {
  const value = given.get(flag);
  if (value === undefined || value === "")
    throw new HeraldError("BadFlag", `${command}: --${flag} is missing; see "herald ${command} --help"`);
  return value;
}

function version(): string {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function usage(): string {
  const rows = Object.entries(ROLES).map(([name, { about }]) => `  ${name.padEnd(12)}${about.split(". ")[0]}`);
  return `Usage: herald COMMAND [FLAGS]\n\nA LoadBalancer controller for bare-metal Kubernetes.\n\nCommands:\n${rows.join("\n")}\n\n"herald COMMAND --help" explains a command; "herald --version" prints the version.\n`;
}

/** The line of Node.js that package.json asks for: an older one fails later, with a message that tells nobody why. */
const OLDEST_NODE = 24;

/** Exit codes: 0 done, 1 it went wrong, 2 it was called wrongly. */
async function main(args: readonly string[]): Promise<number> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE)
    throw new HeraldError("OldNode", `this is Node.js ${process.version}, and ${OLDEST_NODE} or later is needed`);
  const [command = "--help", ...rest] = args;
  if (command === "--version") {
    process.stdout.write(`herald ${version()}\n`);
    return 0;
  }
  if (command === "--help" || command === "-h" || command === "help") {
    process.stdout.write(usage());
    return 0;
  }
  const role = Object.hasOwn(ROLES, command) ? ROLES[command] : undefined;
  if (role === undefined) {
    const names = Object.keys(ROLES).join(", ");
    throw new HeraldError("BadFlag", `${command}: no such command; there are ${names}; see "herald --help"`);
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(helpText(`herald ${command} [FLAGS]`, role.about, role.flags));
    return 0;
  }
  await runRole(command, role, readFlags(command, role.flags, rest));
  return 0;
}

async function runRole(command: string, role: Role, given: Given): Promise<void> {
  const address = readAddress("metrics-address", given.get("metrics-address") ?? METRICS_ADDRESS);
  const lines = gather((text) => process.stderr.write(text));
  process.once("exit", lines.flush);
  const log = createLog({
    level: readLogLevel(given.get("log-level") ?? "info"),
    human: process.stderr.isTTY === true,
    write: lines.write,
    now: () => new Date(),
  });
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    log.info(`ending on ${name}`);
    stop.abort();
  };
  process.once("SIGTERM", onSignal).once("SIGINT", onSignal);
  const registry = new Registry();
  let missing: string | undefined = "starting";
  let client: KubeClient | undefined;
  const server = await startStatusServer({ ...address, registry, notReady: () => missing });
  log.info(`herald ${command} starts`, { version: version(), metrics: given.get("metrics-address") });
  try {
    await role.run(given, {
      clock: systemClock,
      random: Math.random,
      log,
      registry,
      signal: stop.signal,
      notReady: (what) => {
        missing = what;
      },
      connect: async () => {
        client = await connectTo(given.get("kubeconfig"), registry);
        return client;
      },
    });
  } finally {
    client?.close();
    server.close();
    server.closeAllConnections();
    lines.flush(); // before what may be said of an error
  }
}

async function connectTo(kubeconfig: string | undefined, registry: Registry): Promise<KubeClient> {
  const connection = await connect({ kubeconfig });
  return new KubeClient(connection, { clock: systemClock, answered: createRequestMetrics(registry) });
}

main(process.argv.slice(2)).then(
  // What still runs by then (a stuck connection) must not hold up the end.
  (code) => process.exit(code),
  (error: unknown) => {
    const expected = error instanceof HeraldError;
    process.stderr.write(`herald: ${errorText(error)}${expected ? ` [${error.code}]` : ""}\n`);
    if (!expected && error instanceof Error && error.stack !== undefined) process.stderr.write(`${error.stack}\n`);
    process.exit(expected && error.code === "BadFlag" ? 2 : 1);
  },
);
