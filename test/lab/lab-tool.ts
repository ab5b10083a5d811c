import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "../cluster/run.ts";

const SOURCES = new URL("native/", import.meta.url).pathname;

/** Gives the path of the lab's small C program, compiled where its sources have changed. */
export async function labTool(): Promise<string> {
  const files = (await readdir(SOURCES)).filter((name) => /\.[ch]$/.test(name)).sort();
  const texts = await Promise.all(files.map((name) => readFile(join(SOURCES, name))));
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const directory = join(cache, "herald", "lab-tool", hash.digest("hex").slice(0, 16));
  const path = join(directory, "lab-tool");
  if (existsSync(path)) return path;
  await mkdir(directory, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  const sources = files.filter((name) => name.endsWith(".c")).map((name) => join(SOURCES, name));
  await run(["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-o", unfinished, ...sources]);
  await rename(unfinished, path);
  return path;
}
