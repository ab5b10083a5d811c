import type { Daemon } from "../cluster/daemon.ts";
import { isStopped } from "../reaper/processes.ts";

/** A program of the lab that can be ended and started anew. */
export class LabProcess {
  readonly name: string;
  readonly #launch: () => Promise<Daemon>;
  #daemon: Daemon | undefined;

  constructor(name: string, launch: () => Promise<Daemon>) {
    this.name = name;
    this.#launch = launch;
  }

  get pid(): number | undefined {
    return this.running ? this.#daemon?.pid : undefined;
  }

  get running(): boolean {
    return this.#daemon?.running ?? false;
  }

  /** For a person: a process that hangs by SIGSTOP is "stopped". */
  get state(): "running" | "stopped" | "not running" {
    if (this.pid === undefined) return "not running";
    return isStopped(this.pid) ? "stopped" : "running";
  }

  /** The running process; throws, with what it said last, where there is none. */
  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error(`${this.name} was never started`);
    if (!this.#daemon.running) throw new Error(`${this.name} is not running: ${this.#daemon.complaint()}`);
    return this.#daemon;
  }

  /** What it last said that went wrong. */
  complaint(): string {
    return this.#daemon?.complaint() ?? "it was never started";
  }

  /** Nothing happens where it runs already. */
  async start(): Promise<void> {
    if (!this.running) this.#daemon = await this.#launch();
  }

  /** Ends it and waits; nothing happens where it doesn't run. */
  async stop(by: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.running) await this.#daemon?.stop(by);
  }

  async restart(by: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.stop(by);
    await this.start();
  }

  /** SIGSTOP or SIGCONT. */
  signal(name: "SIGSTOP" | "SIGCONT"): void {
    process.kill(this.daemon.pid, name);
  }
}
