import { execFile } from "node:child_process";

/** Runs a command to its end and gives its output; throws with what it wrote to stderr. */
export function run(
  command: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const { input = "", ...rest } = options;
  const [file, ...args] = command as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { maxBuffer: 256 * 1024 * 1024, ...rest }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command.join(" ")}: ${stderr.trim() || error.message}`, { cause: error }));
    });
    // A command that ends without reading its input is no error.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
