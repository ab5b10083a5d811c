import { randomBytes } from "node:crypto";
import { chown, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../cluster/daemon.ts";
import { run } from "../cluster/run.ts";
import { MOUNT_ACCOUNT, writeAccount } from "../cluster/service-account.ts";
import type { Reaper } from "../reaper/reaper.ts";
import { gobgpCommand, gobgpdSocket, startGobgpd } from "./gobgpd.ts";
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
  /**
   * What to run instead of the sources: a directory with main.js, as the compiler makes it, and how Node.js runs it. It
   * finds the API server by its Pod's files then, which needs less memory than a kubeconfig.
   */
  readonly built?: {
    readonly directory: string;
    readonly nodeFlags: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
}

type Role = "controller" | "speaker";

/** The controller and the speakers, each a process of its own with the rights that it has in a cluster. */
export class Herald {
  readonly controller: LabProcess;
  readonly speakers: ReadonlyMap<NodeName, LabProcess>;
  readonly gobgpds: ReadonlyMap<NodeName, LabProcess>;
  readonly #options: HeraldOptions;
  #controllerFlags: HeraldFlags = {};
  #speakerFlags: HeraldFlags = {};
  #credentials: Promise<string> | undefined;
  /** The environment that belongs to the files of each account. */
  readonly #accounts = new Map<Role, Readonly<Record<string, string>>>();

  constructor(options: HeraldOptions) {
    this.#options = options;
    this.controller = new LabProcess("the controller", () => this.#launchController());
    const perNode = (what: string, launch: (node: NodeName) => Promise<Daemon>) =>
      new Map(NODE_NAMES.map((node) => [node, new LabProcess(`the ${what} of ${node}`, () => launch(node))]));
    this.speakers = perNode("speaker", (node) => this.#launchSpeaker(node));
    this.gobgpds = perNode("gobgpd", (node) => startGobgpd({ ...options, node, uid: UID }));
  }

  async startController(flags: HeraldFlags = {}): Promise<void> {
    this.#controllerFlags = flags;
    await this.controller.start();
  }

  /** Starts on each node the two containers of the speaker's Pod: the speaker, and the gobgpd that it drives. */
  async startSpeakers(flags: HeraldFlags = {}): Promise<void> {
    this.#speakerFlags = flags;
    await Promise.all([...this.gobgpds.values(), ...this.speakers.values()].map((one) => one.start()));
  }

  speaker(node: NodeName): LabProcess {
    return this.speakers.get(node) as LabProcess;
  }

  gobgpd(node: NodeName): LabProcess {
    return this.gobgpds.get(node) as LabProcess;
  }

  /** Runs the `gobgp` command on a node's gobgpd, as somebody who meddles with it. */
  gobgp(node: NodeName, ...args: readonly string[]): Promise<string> {
    return run(gobgpCommand(this.#options.directory, node, args));
  }

  /** The file with what the controller ("controller") or a node's speaker ("speaker-n1") writes. */
  log(name: string): string {
    return join(this.#options.directory, "logs", `${name}.log`);
  }

  async #launchController(): Promise<Daemon> {
    await this.#prepare();
    return this.#launch("mgmt", "controller", "-all", ["controller", "--identity", "lab"], this.#controllerFlags);
  }

  async #launchSpeaker(node: NodeName): Promise<Daemon> {
    const credentials = await this.#prepare();
    const files = [
      "--hello-key-file",
      join(credentials, "hello-key"),
      "--gobgp-socket",
      gobgpdSocket(this.#options.directory, node),
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
      for (const role of ["controller", "speaker"] as const) {
        const from = await kubeconfig(`system:serviceaccount:${HERALD_NAMESPACE}:herald-${role}`);
        await copyFile(from, join(at, `${role}.kubeconfig`));
        this.#accounts.set(role, await writeAccount(from, join(at, role), HERALD_NAMESPACE));
      }
      for (const file of ["hello-key", "controller.kubeconfig", "speaker.kubeconfig"])
        await chown(join(at, file), UID, UID);
      return at;
    })();
    return this.#credentials;
  }

  async #launch(
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
    const { built } = more;
    const script = `mount --make-rprivate / && mount --bind "$1" "$2" && ${
      built === undefined ? "" : `mount --bind "$3" "$2/src" && ${MOUNT_ACCOUNT} && `
    }shift 3 && exec "$@"`;
    const credentials = await this.#prepare();
    const role = args[0] as Role;
    const account = join(credentials, role);
    const pod = built && { ...built.env, ACCOUNT: account, ...this.#accounts.get(role) };
    const kubeconfig = built === undefined ? ["--kubeconfig", join(credentials, `${role}.kubeconfig`)] : [];
    const program = [...(built?.nodeFlags ?? []), join(at, built === undefined ? "src/main.ts" : "src/main.js")];
    const flags = [
      ...kubeconfig,
      "--namespace",
      HERALD_NAMESPACE,
      "--metrics-address",
      `:${STATUS_PORT}`,
      "--log-level",
      more.logLevel ?? "info",
    ];
    return startDaemon({
      command: [
        ...["sh", "-c", script, "sh", REPOSITORY, at, built?.directory ?? ""],
        ...["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", "--no-new-privs"],
        ...[`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`, `--bounding-set=${capabilities}`, "--"],
        ...[join(at, "node_modules/node/bin/node"), ...program, ...args, ...flags, ...(more.flags ?? [])],
      ] as [string, ...string[]],
      netns: topology.netns(space),
      log: this.log(name),
      directory,
      env: { NODE_ENV: "production", ...pod },
      reaper,
    });
  }
}
