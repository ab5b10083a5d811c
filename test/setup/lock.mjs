import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HERALD_CACHE } from "./cluster-cache.mjs";
import { Problem } from "./problem.mjs";

/** Runs `work` while no other process of this user does work of the same name; one that died does not count. */
export async function alone(name, waiting, work) {
  const folder = join(HERALD_CACHE, "locks", name);
  try {
    mkdirSync(dirname(folder), { recursive: true });
  } catch (error) {
    throw new Problem(`make ${dirname(folder)}: ${error.code}; set XDG_CACHE_HOME to a folder that you may write to`);
  }
  const mine = `${process.pid} ${startTime(process.pid)}`;
  for (let tries = 0; !take(folder, mine); tries++) {
    const holder = holderOf(folder);
    if (tries === 1) waiting(holder);
    await sleep(tries === 0 ? 50 : 500);
  }
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function take(folder, mine) {
  // Made beside and renamed: the lock never stands there without its holder. A rename onto a folder that holds a file fails.
  const made = `${folder}.${process.pid}`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made);
  writeFileSync(join(made, "holder"), mine);
  try {
    renameSync(made, folder);
    return true;
  } catch {
    rmSync(made, { recursive: true, force: true });
  }
  const holder = holderOf(folder);
  const [pid, started] = holder.split(" ");
  if (holder !== "" && startTime(Number(pid)) !== started) rmSync(folder, { recursive: true, force: true });
  return false;
}

function holderOf(folder) {
  try {
    return readFileSync(join(folder, "holder"), "utf8");
  } catch {
    return "";
  }
}

/** Field 22 of /proc/PID/stat: it tells a process from a later one with the same pid. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
