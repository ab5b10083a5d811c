import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { VethPair } from "./veth-pair.ts";

const PROBER = new URL("../build/prober", import.meta.url).pathname;

/** What came of many requests. */
export interface Asked {
  readonly sent: number;
  readonly answered: number;
  /** In the order of the answers. */
  readonly latenciesUs: readonly number[];
}

export interface AskOptions {
  readonly firstIP: string;
  /** Asked in rotation, from `firstIP` on. */
  readonly ips: number;
  readonly count: number;
  readonly perSecond: number;
  /** Unanswered requests at a time. */
  readonly window: number;
  readonly senderIP?: string;
  /** The one CPU to run on; any if left out. */
  readonly cpu?: number;
}

type Prober = ChildProcessByStdio<Writable, Readable, null>;

function start(pair: VethPair, words: readonly string[], prefix: readonly string[] = []): Prober {
  const command = ["netns", "exec", pair.there, ...prefix, PROBER, "ask0", ...words];
  const child = spawn("ip", command, { stdio: ["pipe", "pipe", "inherit"] });
  pair.owns(child.pid);
  return child;
}

/** Asks from the other end of the cable, and gives the outcome when all is answered or lost. */
export function ask(pair: VethPair, options: AskOptions): Promise<Asked> {
  const { firstIP, ips, count, perSecond, window, cpu } = options;
  const senderIP = options.senderIP ?? (firstIP.includes(":") ? "2001:db8:1::1" : "198.51.100.1");
  const prefix = cpu === undefined ? [] : ["taskset", "--cpu-list", String(cpu)];
  const child = start(pair, ["ask", senderIP, firstIP, ...[ips, count, perSecond, window].map(String)], prefix);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(text) as Asked);
      else reject(new Error(`ask for ${firstIP}: the prober ended with ${code}`));
    });
  });
}

/** The other end of the cable: sends and sees whole frames, in hex, also those for other hosts. */
export class Wire {
  readonly seen: string[] = [];
  readonly #child: Prober;
  readonly #watchers = new Set<() => void>();

  private constructor(pair: VethPair) {
    this.#child = start(pair, ["wire"]);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.seen.push(line);
      for (const watch of [...this.#watchers]) watch();
    });
  }

  static async open(pair: VethPair): Promise<Wire> {
    const wire = new Wire(pair);
    await wire.until((frames) => frames.length > 0);
    wire.seen.length = 0; // "ready"
    return wire;
  }

  send(...frames: readonly string[]): void {
    this.#child.stdin.write(frames.map((frame) => `${frame.replaceAll(" ", "")}\n`).join(""));
  }

  /** Waits until the frames seen so far make `holds` true. */
  until(holds: (frames: readonly string[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = () => {
        if (!holds(this.seen)) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  close(): void {
    this.#child.stdin.end();
  }
}
