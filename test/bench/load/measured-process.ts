import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Reaper } from "../../reaper/reaper.ts";

/** What a process tells of itself. */
export interface LoopReport {
  /** The longest gap between two looks at the clock. */
  readonly longestMs: number;
  /** The most CPU time that the event loop's thread used in such a gap. */
  readonly longestCpuMs: number;
  /** What is in use of V8's heap, in MB (10^6 bytes). */
  readonly heapMB: number;
}

/** A process whose cost is measured. */
export interface MeasuredProcess {
  /** performance.now() when it was started. */
  readonly startedAt: number;
  /** CPU time used since its start, in seconds. */
  cpuS(): number;
  /** Resident memory now, and the most it ever was, in MB (10^6 bytes). */
  memoryMB(): { readonly now: number; readonly most: number };
  /** Begins to look how long the event loop is blocked; until then, and after `loop`, nothing is spent on that. */
  watchLoop(): void;
  /** How long the event loop was blocked since `watchLoop`. */
  loop(): Promise<LoopReport>;
  /** What it has written to standard error. */
  readonly log: string;
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<void>;
}

/** Ticks of /proc/PID/stat a second: USER_HZ, which Linux keeps at 100. */
const TICKS = 100;

/** Starts a process whose Node.js has loop-watch.mjs loaded. */
export async function startMeasured(
  reaper: Reaper,
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv,
): Promise<MeasuredProcess> {
  const [file, ...args] = command;
  const startedAt = performance.now();
  const child = spawn(file, args, { env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
  if (child.pid !== undefined) reaper.process(child.pid);
  await once(child, "spawn");
  const pid = child.pid as number;
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    log = (log + chunk).slice(-20_000);
  });
  return {
    startedAt,
    cpuS: () => cpuS(pid),
    memoryMB: () => memoryMB(pid),
    watchLoop: () => child.send("watch"),
    loop: () => askLoop(child),
    get log() {
      return log;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the process has ended: ${log}`);
      child.kill("SIGTERM");
      await once(child, "close");
    },
  };
}

async function askLoop(child: ChildProcess): Promise<LoopReport> {
  const answer = once(child, "message");
  child.send("report");
  const [report] = (await answer) as [LoopReport];
  return report;
}

/** Gives the CPU time that a process used since its start. proc_pid_stat(5): utime and stime are the 14th and 15th field; the 2nd, in parentheses, may hold blanks. */
export function cpuS(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Gives the resident memory of a process. */
export function memoryMB(pid: number): { now: number; most: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024) / 1e6;
  return { now: field("VmRSS"), most: field("VmHWM") };
}
