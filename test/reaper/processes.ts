import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Gives the time at which a process started (field 22 of /proc/PID/stat, in clock ticks since boot), which tells it from
 * a later one with the same pid; undefined where there is none, or only its zombie.
 */
export function startTime(pid: number): string | undefined {
  const [state, ...fields] = stat(`${pid}`);
  return state === "Z" || state === "X" ? undefined : fields[18];
}

/** Tells whether a process hangs by SIGSTOP. */
export function isStopped(pid: number): boolean {
  return stat(`${pid}`)[0] === "T";
}

/** Says whether each thread of a process is stopped: a signal takes hold of one after the other. */
export function isWhollyStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => stat(`${pid}/task/${thread}`)[0] === "T");
}

/** Gives the fields of proc_pid_stat(5) from the third on, the state; none where there is no such process or thread. */
function stat(process: string): readonly string[] {
  try {
    const text = readFileSync(`/proc/${process}/stat`, "latin1");
    // The command name, in parentheses, may itself hold spaces and parentheses.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/** Waits until the process that started at `started` is gone, or has become a zombie; false after `timeoutMs`. */
export async function gone(pid: number, started: string | undefined, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (started !== undefined && startTime(pid) === started) {
    if (performance.now() > deadline) return false;
    await sleep(5);
  }
  return true;
}

/** Sends a signal; nothing happens where the process is gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
