import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Gives the time at which a process started (field 22 of /proc/PID/stat, in clock ticks since boot), which tells it from
 * a later one with the same pid; undefined where there is none, or only its zombie.
 */
export function startTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The command name, in parentheses, may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
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
