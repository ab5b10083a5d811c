import { randomInt } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Reaper, startReaper } from "../reaper/reaper.ts";
import { type Binary, binary } from "./binaries.ts";
import { kubeconfigText, makeUser, serviceAccountKey, tokenFile } from "./credentials.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { run } from "./run.ts";

/** The part that can be started and stopped while the others run. */
export type Server = "etcd" | "kube-apiserver" | "kube-controller-manager";

/** A real control plane: etcd, kube-apiserver with RBAC, and kube-controller-manager where asked for. */
export interface ControlPlane {
  /** The API server's URL; its address is there only in the namespace that it was started in. */
  readonly server: string;
  /** Holds all its files: logs, certificates, data, kubeconfigs. */
  readonly directory: string;
  /**
   * Gives the path of a kubeconfig: "admin" may do everything, as may a node ("system:node:n1"); a service account
   * ("system:serviceaccount:ns:name") has the rights that RBAC gives it. Other names than USERS: the option `users`.
   */
  kubeconfig(user?: string): Promise<string>;
  /** Runs kubectl as admin, gives its output, and throws with what it complained of. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** SIGKILL, or a graceful end. */
  stopApiServer(name?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** On the same address, with the same data; returns when it is ready. */
  startApiServer(): Promise<void>;
  stopEtcd(name?: "SIGTERM" | "SIGKILL"): Promise<void>;
  startEtcd(): Promise<void>;
  pid(server: Server): number | undefined;
  /** Ends all processes and removes all files. */
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** A network namespace to run in, instead of the machine's own. */
  readonly netns?: string;
  /** Where the API server listens, port 6443. Default: an address of 127.0.0.0/8 that no other control plane has. */
  readonly address?: string;
  readonly controllerManager?: boolean;
  /** More flags of kube-controller-manager. */
  readonly controllerManagerFlags?: readonly string[];
  /** More users than USERS. */
  readonly users?: readonly string[];
  /** Cleans up after a crash; default: one of its own. */
  readonly reaper?: Reaper;
}

/** The users that every control plane knows. */
export const USERS = [
  "admin",
  "system:serviceaccount:herald-system:herald-controller",
  "system:serviceaccount:herald-system:herald-speaker",
  ...Array.from({ length: 9 }, (_, index) => `system:node:n${index + 1}`),
] as const;

const READY_MS = 60_000;
/** The API server makes it: its own certificate, then that of the CA. */
const CA_FILE = "certificates/apiserver.crt";

/** Starts a control plane; it is ready when this returns, about 2 s later. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const reaper = options.reaper ?? (await startReaper());
  const directory = await mkdtemp(join(tmpdir(), "herald-cluster-"));
  reaper.directory(directory);
  const plane = new RunningControlPlane(options, directory, reaper, options.reaper === undefined);
  try {
    await plane.start();
  } catch (error) {
    await plane.stop();
    throw error;
  }
  return plane;
}

class RunningControlPlane implements ControlPlane {
  readonly directory: string;
  readonly server: string;
  readonly #netns: string | undefined;
  readonly #address: string;
  /** etcd serves the API server alone, so in a namespace it stays on loopback. */
  readonly #etcdAddress: string;
  readonly #controllerManager: boolean;
  readonly #controllerManagerFlags: readonly string[];
  readonly #users: ReadonlyMap<string, ReturnType<typeof makeUser>>;
  readonly #reaper: Reaper;
  readonly #ownsReaper: boolean;
  readonly #daemons = new Map<Server, Daemon>();

  constructor(options: ControlPlaneOptions, directory: string, reaper: Reaper, ownsReaper: boolean) {
    this.directory = directory;
    this.#netns = options.netns;
    this.#address = options.address ?? `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
    this.#etcdAddress = options.netns === undefined ? this.#address : "127.0.0.1";
    this.#controllerManager = options.controllerManager ?? false;
    this.#controllerManagerFlags = options.controllerManagerFlags ?? [];
    this.#users = new Map([...USERS, ...(options.users ?? [])].map((name) => [name, makeUser(name)]));
    this.#reaper = reaper;
    this.#ownsReaper = ownsReaper;
    const host = this.#address.includes(":") ? `[${this.#address}]` : this.#address;
    this.server = `https://${host}:6443`;
  }

  async start(): Promise<void> {
    const { publicKey, privateKey } = serviceAccountKey();
    await Promise.all([
      writeFile(this.#path("tokens.csv"), tokenFile([...this.#users.values()]), { mode: 0o600 }),
      writeFile(this.#path("service-account.pub"), publicKey),
      writeFile(this.#path("service-account.key"), privateKey, { mode: 0o600 }),
    ]);
    if (this.#netns !== undefined) await run(["ip", "-n", this.#netns, "link", "set", "lo", "up"]);
    await this.startEtcd();
    await this.startApiServer();
    if (this.#controllerManager) await this.#startControllerManager();
  }

  async startEtcd(): Promise<void> {
    const client = `http://${this.#etcdAddress}:2379`;
    const peer = `http://${this.#etcdAddress}:2380`;
    await this.#start("etcd", [
      `--data-dir=${this.#path("etcd")}`,
      "--unsafe-no-fsync",
      "--log-level=warn",
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ]);
  }

  async stopEtcd(name: "SIGTERM" | "SIGKILL" = "SIGKILL"): Promise<void> {
    await this.#stop("etcd", name);
  }

  async startApiServer(): Promise<void> {
    const onLoopback = this.#netns === undefined;
    await this.#start("kube-apiserver", [
      `--etcd-servers=http://${this.#etcdAddress}:2379`,
      `--bind-address=${this.#address}`,
      "--secure-port=6443",
      // Must not be a loopback address; nothing listens there.
      `--advertise-address=${onLoopback ? "192.0.2.1" : this.#address}`,
      ...(onLoopback ? ["--endpoint-reconciler-type=none"] : []),
      // It makes a CA and a certificate for its address there, and takes them again after a restart.
      `--cert-dir=${this.#path("certificates")}`,
      `--token-auth-file=${this.#path("tokens.csv")}`,
      "--authorization-mode=RBAC",
      // Pods in tests have no service account; this plugin would refuse them.
      "--disable-admission-plugins=ServiceAccount",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${this.#path("service-account.pub")}`,
      `--service-account-signing-key-file=${this.#path("service-account.key")}`,
      "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
      "--service-node-port-range=10000-60000",
      "--allow-privileged=true",
      "--profiling=false",
    ]);
    await this.#ready();
  }

  async stopApiServer(name: "SIGTERM" | "SIGKILL" = "SIGKILL"): Promise<void> {
    await this.#stop("kube-apiserver", name);
  }

  async #startControllerManager(): Promise<void> {
    await this.#start("kube-controller-manager", [
      `--kubeconfig=${await this.kubeconfig()}`,
      "--leader-elect=false",
      "--secure-port=0",
      "--allocate-node-cidrs=false",
      "--use-service-account-credentials=false",
      "--controllers=endpointslice-controller,node-lifecycle-controller,garbage-collector-controller,namespace-controller",
      ...this.#controllerManagerFlags,
    ]);
  }

  async kubeconfig(name = "admin"): Promise<string> {
    const user = this.#users.get(name);
    if (user === undefined) throw new Error(`kubeconfig of ${name}: no such user; name it in the option "users"`);
    const path = this.#path(`kubeconfig-${name.replaceAll(/[^\w.-]/g, "_")}`);
    const ca = await readFile(this.#path(CA_FILE), "utf8");
    await writeFile(path, kubeconfigText(this.server, ca, user), { mode: 0o600 });
    return path;
  }

  async kubectl(args: readonly string[], input = ""): Promise<string> {
    const command = [binary("kubectl"), "--kubeconfig", await this.kubeconfig(), ...args];
    return run(this.#inside(command), { env: this.#env, input });
  }

  pid(server: Server): number | undefined {
    const daemon = this.#daemons.get(server);
    return daemon?.running ? daemon.pid : undefined;
  }

  async stop(): Promise<void> {
    // The data is thrown away, so there is nothing to end gracefully.
    await Promise.all([...this.#daemons.values()].map((daemon) => daemon.stop("SIGKILL")));
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
    if (this.#ownsReaper) await this.#reaper.reap();
  }

  async #start(name: Server & Binary, args: readonly string[]): Promise<void> {
    if (this.pid(name) !== undefined) throw new Error(`start ${name}: it runs already`);
    const daemon = await startDaemon({
      command: [binary(name), ...args],
      netns: this.#netns,
      log: this.#path(`${name}.log`),
      directory: this.directory,
      reaper: this.#reaper,
    });
    this.#daemons.set(name, daemon);
  }

  async #stop(name: Server, by: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#daemons.get(name)?.stop(by);
  }

  /** Waits until the API server says so, or one of the servers has ended. */
  async #ready(): Promise<void> {
    const main = new URL("ready-main.ts", import.meta.url).pathname;
    const command = [process.execPath, main, this.server, this.#path(CA_FILE)];
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), READY_MS);
    const ready = run(this.#inside(command), {
      env: this.#env,
      input: this.#users.get("admin")?.token ?? "",
      signal: over.signal,
    });
    const ended = [...this.#daemons].map(async ([name, daemon]) => {
      const reason = await daemon.ended;
      throw new Error(`start ${name}: it ended with ${reason}: ${daemon.complaint()}`);
    });
    try {
      await Promise.race([ready, ...ended]);
    } catch (error) {
      if (!over.signal.aborted) throw error;
      const complaint = this.#daemons.get("kube-apiserver")?.complaint();
      throw new Error(`start kube-apiserver: not ready after ${READY_MS / 1000} s: ${complaint}`);
    } finally {
      clearTimeout(timer);
      over.abort();
      for (const settled of [ready, ...ended]) settled.catch(() => {});
    }
  }

  #inside(command: readonly string[]): readonly string[] {
    return this.#netns === undefined ? command : ["ip", "netns", "exec", this.#netns, ...command];
  }

  #path(name: string): string {
    return join(this.directory, name);
  }

  get #env(): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, HOME: this.directory };
  }
}
