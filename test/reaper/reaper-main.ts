/** The child process of reaper.ts: takes registrations until its input ends, then undoes them. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { gone, signal, startTime } from "./processes.ts";
import type { Registration, Report } from "./registration.ts";

const run = promisify(execFile);
const GONE_MS = 10_000;

for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"] as const) process.on(name, () => {});
process.stdout.on("error", () => {});

const registered: Registration[] = [];
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => registered.push(JSON.parse(line) as Registration));
lines.on("close", async () => {
  const left = await undoAll(registered);
  process.stdout.write(`${JSON.stringify({ left } satisfies Report)}\n`);
});
process.stdout.write("ready\n");

async function undoAll(all: readonly Registration[]): Promise<string[]> {
  const left: string[] = [];
  for (const registration of all) if (registration.what === "process") kill(registration);
  // One that was started but not yet registered would write on into the directories below.
  const names = all.flatMap((registration) => (registration.what === "netns" ? [registration.name] : []));
  await Promise.allSettled(names.map(emptyNetns));
  for (const registration of all.toReversed()) {
    try {
      await undo(registration);
    } catch (error) {
      left.push(`${JSON.stringify(registration)}: ${error instanceof Error ? error.message.trim() : error}`);
    }
  }
  return left;
}

function kill({ pid, started, group }: Registration & { what: "process" }): void {
  const now = startTime(pid);
  // While any process of a group lives, the kernel gives its id to no new process.
  if (group && (now === started || now === undefined)) signal(-pid, "SIGKILL");
  else if (now === started) signal(pid, "SIGKILL");
}

async function undo(registration: Registration): Promise<void> {
  switch (registration.what) {
    case "process":
      if (await gone(registration.pid, registration.started, GONE_MS)) return;
      throw new Error("it does not die");
    case "netns":
      return deleteNetns(registration.name);
    case "mount":
      await run("umount", [registration.path]).catch(async (error: Error) => {
        if (/not mounted|no mount point|not found/.test(error.message)) return;
        await run("umount", ["--lazy", registration.path]);
      });
      return;
    case "directory":
      return rm(registration.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    case "link":
      if (existsSync(`/sys/class/net/${registration.name}`)) await run("ip", ["link", "delete", registration.name]);
  }
}

async function deleteNetns(name: string): Promise<void> {
  await emptyNetns(name);
  if (existsSync(`/run/netns/${name}`)) await run("ip", ["netns", "delete", name]);
}

async function emptyNetns(name: string): Promise<void> {
  for (let tries = 0; existsSync(`/run/netns/${name}`) && tries < 100; tries++) {
    const pids = (await run("ip", ["netns", "pids", name])).stdout.split("\n").filter(Boolean).map(Number);
    // A process there may have forked in between, so they are asked for again.
    if (pids.every((pid) => startTime(pid) === undefined)) break;
    for (const pid of pids) signal(pid, "SIGKILL");
    await sleep(5);
  }
}
