import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { binary } from "../cluster/binaries.ts";
import { type Daemon, startDaemon } from "../cluster/daemon.ts";
import type { Reaper } from "../reaper/reaper.ts";
import type { NodeName } from "./plan.ts";
import type { Topology } from "./topology.ts";

export interface GobgpdOptions {
  readonly topology: Topology;
  readonly directory: string;
  readonly reaper: Reaper;
  readonly node: NodeName;
  /** The user and group that it runs as, and that may talk to it. */
  readonly uid: number;
}

/** The socket of a node's gobgpd, in a directory that the node's speaker and its gobgpd share. */
export function gobgpdSocket(directory: string, node: NodeName): string {
  return join(directory, `gobgp-${node}`, "gobgp.sock");
}

/** Starts the gobgpd of a node with the rights that it has in a cluster: to listen on port 179, and no other. */
export async function startGobgpd({ topology, directory, reaper, node, uid }: GobgpdOptions): Promise<Daemon> {
  const socket = gobgpdSocket(directory, node);
  const shared = join(socket, "..");
  await mkdir(shared, { recursive: true, mode: 0o700 });
  await chown(shared, uid, uid);
  // A container that was killed leaves its socket behind, and gobgpd binds to it no more.
  await rm(socket, { force: true });
  const capabilities = "-all,+net_bind_service";
  return startDaemon({
    command: [
      ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--no-new-privs"],
      ...[`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`, `--bounding-set=${capabilities}`, "--"],
      ...[binary("gobgpd"), "--api-hosts", `unix://${socket}`, "--pprof-disable", "--log-plain"],
    ] as [string, ...string[]],
    netns: topology.netns(node),
    log: join(directory, "logs", `gobgpd-${node}.log`),
    directory,
    reaper,
  });
}

/** Gives the command line of the `gobgp` command for a node's gobgpd, as a person would use it who meddles with it. */
export function gobgpCommand(directory: string, node: NodeName, args: readonly string[]): [string, ...string[]] {
  return [binary("gobgp"), "--target", `unix://${gobgpdSocket(directory, node)}`, ...args];
}
