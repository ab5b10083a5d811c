import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { macOf, SERVICE } from "../../e2e/product.ts";
import { watching } from "../../e2e/watching.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES } from "../../lab/plan.ts";
import { byWriters, namesOf } from "../load/services.ts";
import { insist } from "./insist.ts";
import { sumOf } from "./metrics.ts";
import type { Row } from "./row.ts";
import { ownersOf, serve } from "./served.ts";

const SERVICES = 10_000;
/** So that each node owns some. */
const OF_EACH_FAMILY = 6;
const RELIST_MS = 30_000;
/** Ends with its parent, however that ends. */
const BUSY_LOOP = "const parent = process.ppid; while (process.ppid === parent) for (let i = 0; i < 1e8; i++);";

/**
 * Every core is busy for some minutes, and each half minute the API server starts anew, so that everybody lists its 10 000
 * Services again.
 */
export const BUSY: Row = {
  name: "busy",
  size: 10,
  measure: async ({ lab, size, bars }) => {
    const served = await serve(lab, OF_EACH_FAMILY);
    await byWriters(namesOf("idle", SERVICES), (name) =>
      insist(() => lab.api.create(SERVICE, { metadata: { name }, spec: { clusterIP: "None", ports: [{ port: 80 }] } })),
    );
    await sleep(10_000);
    const before = await ownersOf(lab, served);
    const idle = NODE_NAMES.filter((node) => ![...before.values()].includes(node));
    if (idle.length > 0) throw new Error(`${idle.join(" and ")} own nothing: their false death would not be seen`);
    const pids = () => NODE_NAMES.map((node) => lab.herald.speaker(node).pid).join();
    const running = pids();
    const takeovers = await takeoversOf(lab);
    const loops = busyLoops();
    let restarts = 0;
    let late = 0;
    let busiest = 0;
    try {
      const { seen } = await watching(
        lab,
        served.map(({ ip }) => ip),
        async () => {
          for (const end = performance.now() + size * 60_000; performance.now() < end; ) {
            const next = performance.now() + RELIST_MS;
            await lab.controlPlane.stopApiServer("SIGKILL");
            // On so busy a machine it may not be ready in the time that it is given; it is all the same in the end.
            await lab.controlPlane.startApiServer().catch(() => late++);
            restarts++;
            busiest = Math.max(busiest, loadavg()[0] as number);
            await sleep(Math.max(0, next - performance.now()));
          }
        },
      );
      const details = { minutes: size, restarts, late, busiest };
      bars.lost(seen);
      bars.show(
        "TCP connections broken",
        seen.reduce((sum, one) => sum + one.broken, 0),
        "connections",
        0,
      );
      const moved = [...before].filter(([{ ip }, owner]) =>
        seen.some((one) => one.ip === ip && one.macs.join() !== macOf(owner)),
      );
      bars.show("IPs that another MAC answered for", moved.length, "IPs", 0, details);
      bars.show("longest silence", Math.max(...seen.map(({ silenceMs }) => silenceMs)), "ms");
      if (pids() !== running) throw new Error("a speaker started anew: its counters say nothing");
      bars.show("takeovers", (await takeoversOf(lab)) - takeovers, "IPs", 0);
      bars.show("starts over after a sleep", await sumOf(lab, /^herald_l2_stalls_total\{.*\} (\d+)$/gm), "times");
    } finally {
      for (const loop of loops) loop.kill("SIGKILL");
    }
  },
};

function busyLoops(): readonly ChildProcess[] {
  return Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ["--eval", BUSY_LOOP], { detached: true, stdio: "ignore" }),
  );
}

const takeoversOf = (lab: Lab) => sumOf(lab, /^herald_l2_takeovers_total\{.*\} (\d+)$/gm);
