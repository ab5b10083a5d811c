#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { Registry } from "prom-client";
import { systemClock } from "./clock.ts";
import { HeraldError } from "./errors.ts";
import { type Flag, type Given, helpText, readAddress, readDuration, readFlags, readLogLevel } from "./flags.ts";
import { createLog, errorText, type Log } from "./log.ts";

const METRICS_ADDRESS = ":7980";
const NAMESPACE = "herald-system";

const COMMON: readonly Flag[] = [
  { name: "kubeconfig", value: "FILE", help: "how to reach the API server; without it: as a Pod of the cluster" },
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
  readonly log: Log;
  readonly registry: Registry;
  /** Aborted at SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Says what is missing for /readyz; undefined: ready. */
  readonly notReady: (missing: string | undefined) => void;
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
    run: async (given, shell) => {
      const { connect } = await import("./kube/connection.ts");
      const { KubeClient } = await import("./kube/client.ts");
      const { runController } = await import("./controller/controller.ts");
      const connection = await connect({ kubeconfig: given.get("kubeconfig") });
      const client = new KubeClient(connection, { clock: systemClock });
      try {
        await runController({
          client,
          namespace: given.get("namespace") ?? NAMESPACE,
          identity: given.get("identity") ?? "",
          classOnly: given.has("class-only"),
          clock: systemClock,
          random: Math.random,
          log: shell.log,
          registry: shell.registry,
          signal: shell.signal,
          ready: (is) => shell.notReady(is ? undefined : "the API server has not been read yet"),
        });
      } finally {
        client.close();
      }
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
    ],
    run: async (given, shell) => {
      const node = required(given, "speaker", "node-name");
      const { readHelloKey } = await import("./hello-key.ts");
      const key = readHelloKey(required(given, "speaker", "hello-key-file"));
      const helloIntervalMs = readDuration("hello-interval", given.get("hello-interval") ?? "", 50, 1_000);
      const { connect } = await import("./kube/connection.ts");
      const { KubeClient } = await import("./kube/client.ts");
      const { runSpeaker } = await import("./speaker/speaker.ts");
      const connection = await connect({ kubeconfig: given.get("kubeconfig") });
      const client = new KubeClient(connection, { clock: systemClock });
      try {
        await runSpeaker({
          client,
          node,
          key,
          helloIntervalMs,
          version: version(),
          clock: systemClock,
          random: Math.random,
          log: shell.log,
          registry: shell.registry,
          signal: shell.signal,
          notReady: shell.notReady,
        });
      } finally {
        client.close();
      }
    },
  },
};

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

/** Exit codes: 0 done, 1 it went wrong, 2 it was called wrongly. */
async function main(args: readonly string[]): Promise<number> {
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
  const log = createLog({
    level: readLogLevel(given.get("log-level") ?? "info"),
    human: process.stderr.isTTY === true,
    write: (line) => process.stderr.write(line),
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
  const notReady = (what: string | undefined) => {
    missing = what;
  };
  const { startStatusServer } = await import("./status-server.ts");
  const server = await startStatusServer({ ...address, registry, notReady: () => missing });
  log.info(`herald ${command} starts`, { version: version(), metrics: given.get("metrics-address") });
  try {
    await role.run(given, { log, registry, signal: stop.signal, notReady });
  } finally {
    server.close();
    server.closeAllConnections();
  }
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
