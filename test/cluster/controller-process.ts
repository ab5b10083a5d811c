import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Reaper } from "../reaper/reaper.ts";

/** A line of the controller's log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** `herald controller` as a process of its own. */
export interface ControllerProcess {
  readonly pid: number;
  /** What it has written until now; a line that is not JSON is the message of a line of level "text". */
  readonly lines: readonly LogLine[];
  /** Resolves with the first line, past or to come, that `is` takes; rejects when the process ends without it. */
  line(is: (line: LogLine) => boolean): Promise<LogLine>;
  /** Sends SIGTERM and gives the exit code, or the signal that has ended it. */
  end(): Promise<number | string>;
  readonly ended: Promise<number | string>;
}

/** Starts the controller from its sources, with its status served on a free port. */
export async function startControllerProcess(reaper: Reaper, flags: readonly string[]): Promise<ControllerProcess> {
  const main = new URL("../../src/main.ts", import.meta.url).pathname;
  const args = [main, "controller", "--metrics-address", "127.0.0.1:0", ...flags];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "ignore", "pipe"],
  });
  // At once, so that there is no moment in which a crash of this process would leave it behind.
  if (child.pid !== undefined) reaper.process(child.pid);
  await once(child, "spawn");
  const pid = child.pid as number;
  const lines: LogLine[] = [];
  const looks = new Set<() => void>();
  createInterface(child.stderr).on("line", (text) => {
    lines.push(parse(text));
    for (const look of [...looks]) look();
  });
  const ended = once(child, "close").then(([code, by]) => (code ?? by) as number | string);
  return {
    pid,
    lines,
    ended,
    line: async (is) => {
      const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
      const look = () => {
        const found = lines.find(is);
        if (found) resolve(found);
      };
      looks.add(look);
      look();
      void ended.then((how) => reject(new Error(`ended with ${how} after ${JSON.stringify(lines.slice(-5))}`)));
      return await promise.finally(() => looks.delete(look));
    },
    end: async () => {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}

function parse(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: "text", message: text };
  }
}
