import { spawn } from "node:child_process";

/** What a command that ended gave. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, whatever its exit code is. */
export function tryRun(command: readonly string[], input = ""): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0] as string, command.slice(1), { stdio: ["pipe", "pipe", "pipe"] });
    const ran = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        ran[name] += text;
      });
    }
    child.once("error", (error) => reject(new Error(`${command.join(" ")}: ${error.message}`, { cause: error })));
    child.once("close", (code) => resolve({ code: code ?? -1, ...ran }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** Gives the command that runs `command` in a network namespace; it becomes that command, under the same pid. */
export function inNetns(netns: string, command: readonly string[]): [string, ...string[]] {
  return ["ip", "netns", "exec", netns, ...command];
}

/**
 * The same without the mount namespace that `ip netns exec` makes, which costs 3 ms: for what doesn't read /sys and
 * mounts nothing.
 */
export function inNetnsOnly(netns: string, command: readonly string[]): [string, ...string[]] {
  return ["nsenter", `--net=/run/netns/${netns}`, "--", ...command];
}
