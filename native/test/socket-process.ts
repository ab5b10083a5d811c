import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { LinkState } from "../../src/l2/packet-socket.ts";
import { isWhollyStopped } from "../../test/reaper/processes.ts";
import type { VethPair } from "./veth-pair.ts";

/** What the parent may ask of socket-child.ts; bytes are hex. */
export type SocketCall =
  | { readonly do: "setTable"; readonly table: readonly (readonly [ip: string, mac: string])[] }
  | { readonly do: "watch"; readonly heard: readonly string[]; readonly probed: readonly string[] }
  | { readonly do: "renew"; readonly validForMs: number }
  | { readonly do: "send"; readonly frames: readonly string[] }
  | { readonly do: "block"; readonly answers: number; readonly atMostMs: number }
  /** Lets no other JavaScript run until so much is counted. */
  | { readonly do: "blockUntil"; readonly counter: string; readonly count: number }
  | { readonly do: "discardAfter"; readonly hellos: number }
  /** Sends a frame, then lets no other JavaScript run until the process has stood still for so long, and discards. */
  | { readonly do: "discardAfterPause"; readonly frame: string; readonly pauseMs: number }
  | { readonly do: "counters" | "mac" | "close" };

export type Link = "gone" | (Omit<LinkState, "mac"> & { readonly mac: string });

/** What socket-child.ts tells unasked, or as the answer to call `id`. */
export type SocketNews =
  | { readonly id: number; readonly value: unknown }
  | { readonly frames: readonly string[] }
  | { readonly link: Link }
  | { readonly error: string };

/** Runs what follows as nobody, with CAP_NET_RAW and no other capability. */
export const NET_RAW_ALONE: readonly string[] = [
  "setpriv",
  "--reuid=65534",
  "--regid=65534",
  "--clear-groups",
  "--bounding-set=-all,+net_raw",
  "--inh-caps=-all,+net_raw",
  "--ambient-caps=-all,+net_raw",
  "--",
];

/** A process in the pair's namespace that holds a packet socket on eth0. */
export class SocketProcess {
  /** Hello frames. */
  readonly frames: string[] = [];
  /** Frames of ARP and NDP. */
  readonly sightings: string[] = [];
  readonly errors: string[] = [];
  link: Link | undefined;
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (value: unknown) => void>();
  readonly #watchers = new Set<() => void>();
  #calls = 0;

  constructor(pair: VethPair, prefix: readonly string[] = []) {
    const child = [...prefix, process.execPath, new URL("socket-child.ts", import.meta.url).pathname, "eth0"];
    this.#child = spawn("ip", ["netns", "exec", pair.here, ...child], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    pair.owns(this.#child.pid);
    this.#child.on("message", (news: SocketNews) => this.#take(news));
  }

  /** Runs one call in the process and gives its result. */
  call<T = void>(call: SocketCall): Promise<T> {
    const id = ++this.#calls;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve as (value: unknown) => void);
      this.#child.send({ id, call });
    });
  }

  counters(): Promise<Record<string, number>> {
    return this.call({ do: "counters" });
  }

  /** Waits until the process has told something that makes `holds` true. */
  until(holds: (self: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = () => {
        if (!holds(this)) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  /** Asks for the counters again and again until they fit: the kernel's side of a frame tells nobody. */
  async untilCounted(fits: (counters: Record<string, number>) => boolean): Promise<Record<string, number>> {
    for (;;) {
      const counters = await this.counters();
      if (fits(counters)) return counters;
    }
  }

  /** Closes the socket; gives the exit code of the process, which has nothing left to do. */
  async close(): Promise<number | null> {
    const exited = once(this.#child, "exit");
    this.#child.send({ id: 0, call: { do: "close" } satisfies SocketCall });
    const [code] = await exited;
    return code;
  }

  /** Stops the process; resolves when none of its threads runs any more. */
  async stop(): Promise<void> {
    this.#child.kill("SIGSTOP");
    while (!isWhollyStopped(this.#child.pid as number)) await new Promise(setImmediate);
  }

  goOn(): void {
    this.#child.kill("SIGCONT");
  }

  #takeFrames(frames: readonly string[]): void {
    for (const frame of frames) (frame.slice(24, 28) === "88b5" ? this.frames : this.sightings).push(frame);
  }

  #take(news: SocketNews): void {
    if ("id" in news) this.#answers.get(news.id)?.(news.value);
    else if ("frames" in news) this.#takeFrames(news.frames);
    else if ("link" in news) this.link = news.link;
    else this.errors.push(news.error);
    for (const watch of [...this.#watchers]) watch();
  }
}

/** Starts a socket on eth0 that answers for `table`, and waits until its link is up. */
export async function startSocket(
  pair: VethPair,
  table: readonly (readonly [ip: string, mac: string])[],
  prefix?: readonly string[],
): Promise<SocketProcess> {
  const socket = new SocketProcess(pair, prefix);
  await socket.until(({ link }) => link !== undefined && link !== "gone" && link.up);
  await socket.call({ do: "setTable", table });
  await socket.call({ do: "renew", validForMs: 60_000 });
  return socket;
}
