import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { gone, signal, startTime } from "../reaper/processes.ts";
import type { Reaper } from "../reaper/reaper.ts";

export interface DaemonOptions {
  /** The command and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** The network namespace to run in; the machine's own where absent. */
  readonly netns?: string | undefined;
  /** The file that gets its output, added at the end. */
  readonly log: string;
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly reaper: Reaper;
}

/** A server process of the test cluster. */
export interface Daemon {
  readonly pid: number;
  readonly running: boolean;
  /** Ends with the reason when the process ends, whoever asked for it. */
  readonly ended: Promise<string>;
  /** Sends the signal and waits for the end; after 10 s, SIGKILL. */
  stop(name?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** The last lines of its log that say something went wrong, on one line. */
  complaint(): string;
}

/** Starts a server in a process group of its own, so that Ctrl-C reaches only the process that will stop it. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { command, netns, log, directory, reaper } = options;
  const [file, ...args] = netns === undefined ? command : (["ip", "netns", "exec", netns, ...command] as const);
  const output = openSync(log, "a");
  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      cwd: directory,
      detached: true,
      // Nothing of the caller's environment: a proxy set there is not for the cluster's own addresses.
      env: { PATH: process.env.PATH, HOME: directory, ...options.env },
      stdio: ["ignore", output, output],
    });
  } finally {
    closeSync(output);
  }
  // At once, so that there is no moment in which a crash of this process would leave it behind.
  if (child.pid !== undefined) reaper.process(child.pid);
  await once(child, "spawn");
  const pid = child.pid as number;
  const started = startTime(pid);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, by) => resolve(by === null ? `exit code ${code}` : by));
  });
  const complaint = () => complaints(log);
  return {
    pid,
    ended,
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    stop: async (name = "SIGTERM") => {
      // The pid of one that has ended may be another's by now.
      if (started !== undefined && startTime(pid) === started) signal(pid, name);
      // A stopped process takes nothing but SIGKILL.
      if (!(await gone(pid, started, 10_000))) signal(pid, "SIGKILL");
      await ended;
    },
    complaint,
  };
}

/** klog writes `E1121 ...`, etcd JSON with a level; what has neither is a usage or panic text. */
function complaints(log: string): string {
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  const bad = lines.filter((line) =>
    /^[EF]\d{4} |"level":"(error|fatal|panic)"|^(Error|panic|fatal error):/i.test(line),
  );
  return (bad.length > 0 ? bad : lines).slice(-3).join(" | ").slice(-1500);
}
