import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Reaper } from "../reaper/reaper.ts";

/** A program that runs until its input ends, and says "started" first. */
export class Observer {
  readonly #child: ChildProcess;
  readonly #started: Promise<void>;
  readonly #ended: Promise<void>;
  #complaint = "";

  constructor(command: readonly string[], reaper: Reaper, onLine: (line: string) => void) {
    const child = spawn(command[0] as string, command.slice(1), { stdio: ["pipe", "pipe", "pipe"], detached: true });
    this.#child = child;
    if (child.pid !== undefined) reaper.process(child.pid);
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint += text;
    });
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    failed.catch(() => {});
    const lines = createInterface({ input: child.stdout });
    let started = () => {};
    const first = new Promise<void>((resolve) => {
      started = resolve;
    });
    lines.on("line", (line) => (line === "started" ? started() : onLine(line)));
    const closed = Promise.race([once(child, "close"), failed]).then(() => {
      if (child.exitCode !== 0)
        throw new Error(
          `${command.join(" ")}: ${this.#complaint.trim() || `it ended with ${child.signalCode ?? child.exitCode}`}`,
        );
    });
    closed.catch(() => {});
    this.#ended = closed;
    this.#started = Promise.race([first, closed]);
    this.#started.catch(() => {});
  }

  /** Resolves when it has begun. */
  get started(): Promise<void> {
    return this.#started;
  }

  /** Ends its input, and waits until it has written its last line. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }
}
