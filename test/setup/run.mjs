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
      const last = output.trim().split("\n").slice(-3).join(" | ");
      settle(code === 0 ? undefined : `${file} ended with ${signal ?? `exit code ${code}`}: ${last}`);
    });
  });
}

/** Runs the work itself, on the terminal; gives its exit code. Ctrl-C reaches it from the terminal, so it ends by itself. */
export function openly(file, args) {
  return new Promise((resolve, reject) => {
    const path = [join(ROOT, "node_modules/.bin"), process.env.PATH, "/usr/sbin", "/sbin"].join(delimiter);
    const child = spawn(file, args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, PATH: path } });
    const stay = () => {};
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", stay);
    process.on("SIGTERM", forward);
    child.once("error", (error) => reject(new Problem(`run ${file}: ${error.message}`)));
    child.once("close", (code, signal) => {
      process.off("SIGINT", stay);
      process.off("SIGTERM", forward);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}
