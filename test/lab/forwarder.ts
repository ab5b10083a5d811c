import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon } from "../cluster/daemon.ts";
import type { Reaper } from "../reaper/reaper.ts";
import { CONTROL_PLANE } from "./plan.ts";
import type { Topology } from "./topology.ts";

/**
 * Starts what lets the lab's own process, which is in no namespace of the lab, talk to the API server: a Unix socket
 * that leads there. Gives its path.
 */
export async function startForwarder(o: {
  readonly topology: Topology;
  readonly directory: string;
  readonly reaper: Reaper;
}): Promise<string> {
  const { topology, directory, reaper } = o;
  const path = join(directory, "api.sock");
  const daemon = await startDaemon({
    command: ["socat", `UNIX-LISTEN:${path},fork,backlog=128,mode=600`, `TCP:${CONTROL_PLANE.ipv4}:6443`],
    netns: topology.netns("mgmt"),
    log: join(directory, "logs", "socat.log"),
    directory,
    reaper,
  });
  while (!existsSync(path)) {
    if (!daemon.running) throw new Error(`start socat: it ended with ${await daemon.ended}: ${daemon.complaint()}`);
    await sleep(5);
  }
  return path;
}
