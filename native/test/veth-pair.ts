import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { type Reaper, startReaper } from "../../test/reaper/reaper.ts";

const exec = promisify(execFile);

/** Two network namespaces with one cable between them: the socket's end and the asker's. */
export interface VethPair {
  /** Name of the socket's namespace; its interface is `eth0`. */
  readonly here: string;
  /** Name of the asker's namespace; its interface is `ask0`. */
  readonly there: string;
  /** Lays the cable, with these MACs, and sets both ends up. Neither has an IP, not even a link-local one. */
  plug(hereMac: string): Promise<void>;
  /** Runs `ip` with these words in the socket's namespace; gives what it prints. */
  ip(words: string): Promise<string>;
  /** Runs `ip` with these words in the asker's namespace; gives what it prints. */
  ipThere(words: string): Promise<string>;
  /** Runs a command in the socket's namespace; gives what it prints. */
  execHere(words: string): Promise<string>;
  /** Runs a command in the asker's namespace; gives what it prints. */
  execThere(words: string): Promise<string>;
  /** Kills this process when the pair is removed. */
  owns(pid: number | undefined): void;
  remove(): Promise<void>;
}

export const HERE_MAC = "02:00:00:00:00:01";
export const THERE_MAC = "02:00:00:00:00:02";

/** Makes a pair that goes away with this process, however that ends. */
export async function makeVethPair(): Promise<VethPair> {
  const reaper: Reaper = await startReaper();
  const id = randomBytes(4).toString("hex");
  const pair: VethPair = {
    here: `herald-${id}-here`,
    there: `herald-${id}-there`,
    plug: async (hereMac) => {
      const ends = `eth0 netns ${pair.here} address ${hereMac} type veth peer name ask0 netns ${pair.there} address ${THERE_MAC}`;
      await exec("ip", ["link", "add", ...ends.split(" ")]);
      await pair.ip("link set eth0 addrgenmode none up");
      await pair.ipThere("link set ask0 addrgenmode none up");
    },
    ip: async (words) => (await exec("ip", ["-n", pair.here, ...words.split(" ")])).stdout,
    ipThere: async (words) => (await exec("ip", ["-n", pair.there, ...words.split(" ")])).stdout,
    execHere: async (words) => (await exec("ip", ["netns", "exec", pair.here, ...words.split(" ")])).stdout,
    execThere: async (words) => (await exec("ip", ["netns", "exec", pair.there, ...words.split(" ")])).stdout,
    owns: (pid) => pid !== undefined && reaper.process(pid),
    remove: () => reaper.reap(),
  };
  for (const name of [pair.here, pair.there]) {
    reaper.netns(name);
    await exec("ip", ["netns", "add", name]);
  }
  await pair.plug(HERE_MAC);
  return pair;
}
