import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { startTime } from "./processes.ts";
import type { Registration, Report } from "./registration.ts";

/**
 * Undoes what a test or the lab has made on the machine, also when its process crashes or is killed: a child process in
 * a session of its own holds the list, and acts at the end of its input. Everything is registered before, or as soon as,
 * it is made; it is undone in the reverse order, after all processes have been killed.
 */
export interface Reaper {
  /** A process to kill with SIGKILL; `group`: and all processes of the group that it leads. */
  process(pid: number, options?: { readonly group?: boolean }): void;
  /** A network namespace to delete, with the processes that are still in it. */
  netns(name: string): void;
  mount(path: string): void;
  /** A directory to remove with all it holds. */
  directory(path: string): void;
  /** A network interface to delete. */
  link(name: string): void;
  /** Undoes everything now, and ends the child. Throws with what could not be undone. */
  reap(): Promise<void>;
}

/** Starts the child process that cleans up after this one. */
export async function startReaper(): Promise<Reaper> {
  const main = new URL("reaper-main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [main], {
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
    env: reaperEnv(),
  });
  const lines = createInterface({ input: child.stdout });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const first = await Promise.race([once(lines, "line"), ended, once(child, "error")]);
  if (first?.[0] !== "ready") throw new Error(`start ${main}: it ended, or gave no sign of life`);

  // Only `reap` waits for the child; otherwise this process may end before it.
  const streams = [child, child.stdin, child.stdout] as { ref?(): void; unref?(): void }[];
  for (const stream of streams) stream.unref?.();
  child.stdin.on("error", () => {});

  const register = (registration: Registration) => {
    if (child.stdin.writableEnded) throw new Error(`register ${JSON.stringify(registration)}: the reaper has ended`);
    child.stdin.write(`${JSON.stringify(registration)}\n`);
  };
  let reaping: Promise<void> | undefined;
  const reap = async () => {
    for (const stream of streams) stream.ref?.();
    const report = once(lines, "line");
    child.stdin.end();
    const line = await Promise.race([report, ended]);
    await ended;
    if (line === undefined) throw new Error("clean up: the reaper was killed");
    const { left } = JSON.parse(String(line[0])) as Report;
    if (left.length > 0) throw new Error(`clean up: ${left.join("; ")}`);
  };
  return {
    process: (pid, options) => {
      const started = startTime(pid);
      if (started !== undefined) register({ what: "process", pid, started, group: options?.group ?? false });
    },
    netns: (name) => register({ what: "netns", name }),
    mount: (path) => register({ what: "mount", path }),
    directory: (path) => register({ what: "directory", path }),
    link: (name) => register({ what: "link", name }),
    reap: () => {
      reaping ??= reap();
      return reaping;
    },
  };
}

/** Leaves out what would make the child part of a test runner or a debugger. */
function reaperEnv(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, NODE_CHANNEL_FD: _channel, ...env } = process.env;
  return env;
}
