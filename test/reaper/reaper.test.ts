import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { startTime } from "./processes.ts";
import { startReaper } from "./reaper.ts";

test("reap undoes everything, and says when it is done", async () => {
  const reaper = await startReaper();
  const directory = mkdtempSync(join(tmpdir(), "herald-reaper-"));
  reaper.directory(directory);
  mkdirSync(join(directory, "a/b"), { recursive: true });
  const child = spawn("sh", ["-c", "trap '' TERM INT; sleep 1000 & wait"], { detached: true, stdio: "ignore" });
  await once(child, "spawn");
  const pid = child.pid as number;
  reaper.process(pid, { group: true });
  await reaper.reap();
  expect(startTime(pid)).toBeUndefined();
  expect(existsSync(directory)).toBe(false);
  expect(() => reaper.directory("/nowhere")).toThrow("the reaper has ended");
});

test("what is gone already is no error", async () => {
  const reaper = await startReaper();
  reaper.directory("/tmp/herald-reaper-never-made");
  reaper.netns("herald-reaper-never-made");
  reaper.link("never-made");
  reaper.mount("/tmp/herald-reaper-never-made");
  reaper.process(2 ** 22 + 1);
  await reaper.reap();
});

test("kill -9 of the process that made things leaves none of them", async () => {
  const netns = `hr-reaper-${process.pid}`;
  const crash = spawn(process.execPath, [new URL("crash.ts", import.meta.url).pathname, netns], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: crash.stdout });
  const [line] = await once(lines, "line");
  const made = JSON.parse(line) as { pids: number[]; directory: string };
  expect(made.pids.map((pid) => startTime(pid) !== undefined)).toEqual([true, true]);
  expect(existsSync(join(made.directory, "mounted"))).toBe(true);

  crash.kill("SIGKILL");
  await expect.poll(() => existsSync(made.directory), { timeout: 20_000, interval: 10 }).toBe(false);
  expect(made.pids.map(startTime)).toEqual([undefined, undefined]);
  expect(existsSync(`/run/netns/${netns}`)).toBe(false);
});
