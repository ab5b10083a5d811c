/** For reaper.test.ts: makes one of each kind, says so, and waits to be killed. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startReaper } from "./reaper.ts";

const netns = process.argv[2] as string;
const reaper = await startReaper();
const directory = mkdtempSync(join(tmpdir(), "herald-reaper-"));
reaper.directory(directory);

const mountpoint = join(directory, "mounted");
mkdirSync(mountpoint);
execFileSync("mount", ["-t", "tmpfs", "herald-test", mountpoint]);
reaper.mount(mountpoint);

reaper.netns(netns);
execFileSync("ip", ["netns", "add", netns]);
// Not registered: the namespace's end has to find it.
const inside = spawn("ip", ["netns", "exec", netns, "sleep", "1000"], { detached: true, stdio: "ignore" });
const plain = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
reaper.process(plain.pid as number);

process.stdout.write(`${JSON.stringify({ pids: [inside.pid, plain.pid], directory })}\n`);
setInterval(() => {}, 1000);
