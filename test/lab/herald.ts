import { randomBytes } from "node:crypto";
import { chown, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../cluster/daemon.ts";
import type { Reaper } from "../reaper/reaper.ts";
import { LabProcess } from "./lab-process.ts";
import { NODE_NAMES, type NodeName, type Space } from "./plan.ts";
import type { Topology } from "./topology.ts";

/** Nobody: Herald runs in the lab as a user who owns nothing. */
const UID = 65534;
const REPOSITORY = new URL("../../", import.meta.url).pathname;
export const HERALD_NAMESPACE = "herald-system";
export const STATUS_PORT = 7980;

export interface HeraldOptions {
  readonly topology: Topology;
  readonly directory: string;
  readonly reaper: Reaper;
  /** Gives the kubeconfig of a user of the API server. */
  readonly kubeconfig: (user: string) => Promise<string>;
}

export interface HeraldFlags {
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** Added at the end of the command line. */
  readonly flags?: readonly string[];
}

/** The controller and the speakers, each a process of its own with the rights that it has in a cluster. */
export class Herald {
  readonly controller: LabProcess;
  readonly speakers: ReadonlyMap<NodeName, LabProcess>;
  readonly #options: HeraldOptions;
  #controllerFlags: HeraldFlags = {};
  #speakerFlags: HeraldFlags = {};
  #credentials: Promise<string> | undefined;

  constructor(options: HeraldOptions) {
    this.#options = options;
    this.controller = new LabProcess("the controller", () => this.#launchController());
    this.speakers = new Map(
      NODE_NAMES.map((node) => [node, new LabProcess(`the speaker of ${node}`, () => this.#launchSpeaker(node))]),
    );
  }

  async startController(flags: HeraldFlags = {}): Promise<void> {
    this.#controllerFlags = flags;
    await this.controller.start();
  }

  async startSpeakers(flags: HeraldFlags = {}): Promise<void> {
    this.#speakerFlags = flags;
    await Promise.all([...this.speakers.values()].map((speaker) => speaker.start()));
  }

  speaker(node: NodeName): LabProcess {
    return this.speakers.get(node) as LabProcess;
  }

  /** The file with what the controller ("controller") or a node's speaker ("speaker-n1") writes. */
  log(name: string): string {
    return join(this.#options.directory, "logs", `${name}.log`);
  }

  async #launchController(): Promise<Daemon> {
    const kubeconfig = join(await this.#prepare(), "controller.kubeconfig");
    const args = ["controller", "--kubeconfig", kubeconfig, "--identity", "lab"];
    return this.#launch("mgmt", "controller", "-all", args, this.#controllerFlags);
  }

  async #launchSpeaker(node: NodeName): Promise<Daemon> {
    const credentials = await this.#prepare();
    const files = [
      "--kubeconfig",
      join(credentials, "speaker.kubeconfig"),
      "--hello-key-file",
      join(credentials, "hello-key"),
    ];
    return this.#launch(
      node,
      `speaker-${node}`,
      "-all,+net_raw",
      ["speaker", "--node-name", node, ...files],
      this.#speakerFlags,
    );
  }

  /** Writes what the processes need, readable for their user alone. */
  #prepare(): Promise<string> {
    this.#credentials ??= (async () => {
      const { directory, kubeconfig } = this.#options;
      const at = join(directory, "credentials");
      await mkdir(at);
      await mkdir(join(directory, "repository"));
      await writeFile(join(at, "hello-key"), randomBytes(32).toString("hex"), { mode: 0o400 });
      for (const role of ["controller", "speaker"]) {
        const from = await kubeconfig(`system:serviceaccount:${HERALD_NAMESPACE}:herald-${role}`);
        await copyFile(from, join(at, `${role}.kubeconfig`));
      }
      for (const file of ["hello-key", "controller.kubeconfig", "speaker.kubeconfig"])
        await chown(join(at, file), UID, UID);
      return at;
    })();
    return this.#credentials;
  }

  #launch(
    space: Space,
    name: string,
    capabilities: string,
    args: readonly string[],
    more: HeraldFlags,
  ): Promise<Daemon> {
    const { topology, directory, reaper } = this.#options;
    const at = join(directory, "repository");
    // The user may not be allowed to look into the folders above the repository, so it is mounted elsewhere, for this
    // process alone; the first mount keeps it off the machine's other mount namespaces.
    const script = 'mount --make-rprivate / && mount --bind "$1" "$2" && shift 2 && exec "$@"';
    const flags = [
      "--namespace",
      HERALD_NAMESPACE,
      "--metrics-address",
      `:${STATUS_PORT}`,
      "--log-level",
      more.logLevel ?? "info",
    ];
    return startDaemon({
      command: [
        ...["sh", "-c", script, "sh", REPOSITORY, at],
        ...["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", "--no-new-privs"],
        ...[`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`, `--bounding-set=${capabilities}`, "--"],
        ...[join(at, "node_modules/node/bin/node"), join(at, "src/main.ts"), ...args, ...flags, ...(more.flags ?? [])],
      ] as [string, ...string[]],
      netns: topology.netns(space),
      log: this.log(name),
      directory,
      env: { NODE_ENV: "production" },
      reaper,
    });
  }
}
