import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "./problem.mjs";

/** The checkout. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The Node that the work runs on, whatever the machine's own is. */
export const NODE = join(ROOT, "node_modules/.bin/node");

/** Gives the path of a command, looked for where root has them too, or undefined. */
export function command(name) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/go/bin", "/usr/sbin", "/sbin"];
  const paths = name.startsWith("/") ? [name] : folders.filter(Boolean).map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a command out of sight; throws a Problem that ends with the last of what it wrote. Ctrl-C ends it first. */
export function quietly(what, file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], ...options });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => {
        output = (output + chunk).slice(-20_000);
      });
    }
    let interrupted;
    const interrupt = (name) => {
      interrupted = name;
      child.kill("SIGTERM");
    };
    for (const name of ["SIGINT", "SIGTERM"]) process.on(name, interrupt);
    const settle = (error) => {
      for (const name of ["SIGINT", "SIGTERM"]) process.off(name, interrupt);
      if (interrupted !== undefined) reject(new Problem(`${what}: interrupted`));
      else if (error !== undefined) reject(new Problem(`${what}: ${error}`));
      else resolve(output);
    };
    child.once("error", (error) => settle(error.message));
    child.once("close", (code, signal) => {
      settle(code === 0 ? undefined : `${file} ended with ${signal ?? `exit code ${code}`}: ${complaint(output)}`);
    });
  });
}

/** The reason is the first line that names an error with its words (npm), or stands among the last. */
function complaint(output) {
  const lines = output.trim().split("\n");
  const named = lines.find((line) => /\b\w*error: /i.test(line));
  const last = lines.filter((line) => !/^npm error\b/.test(line)).slice(-3);
  return [named, ...last.filter((line) => line !== named)].filter(Boolean).join(" | ") || lines.slice(-3).join(" | ");
}

/** npm, or its shell. */
const PARENT = process.ppid;

/**
 * Runs the work itself, on the terminal; gives its exit code. Ctrl-C reaches it from the terminal, so it ends by itself.
 * A signal to npm alone reaches nobody here: the work is ended when npm is gone.
 */
export function openly(file, args) {
  return new Promise((resolve, reject) => {
    const path = [join(ROOT, "node_modules/.bin"), process.env.PATH, "/usr/sbin", "/sbin"].join(delimiter);
    const child = spawn(file, args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, PATH: path } });
    const stay = () => {};
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", stay);
    process.on("SIGTERM", forward);
    const orphaned = setInterval(() => process.ppid === PARENT || forward(), 1000);
    child.once("error", (error) => reject(new Problem(`run ${file}: ${error.message}`)));
    child.once("close", (code, signal) => {
      process.off("SIGINT", stay);
      process.off("SIGTERM", forward);
      clearInterval(orphaned);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}
