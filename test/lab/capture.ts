import { setTimeout as sleep } from "node:timers/promises";
import { inNetnsOnly } from "./netns.ts";
import { Observer } from "./observe.ts";
import type { ProbeDeps } from "./probe.ts";

/** A frame that an interface saw; `at` is milliseconds since 1970, by the kernel's receive time. */
export type Frame = ArpFrame | NdpFrame | HelloFrame;

export interface ArpFrame {
  readonly at: number;
  readonly kind: "arp";
  readonly op: "request" | "reply";
  /** Who sent it, and the address that it says is there. */
  readonly mac: string;
  readonly ip: string;
  readonly targetMac: string;
  readonly targetIp: string;
  /** Set on an answer to the capture itself: which of its rounds asked. */
  readonly round?: number;
}

export interface NdpFrame {
  readonly at: number;
  readonly kind: "ndp";
  readonly op: "solicitation" | "advertisement";
  /** The MAC that an advertisement names; else the sender's. */
  readonly mac: string;
  /** The target of the message. */
  readonly ip: string;
  readonly source: string;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly round?: number;
}

/** An answer to the capture itself. */
export type Reply = (ArpFrame | NdpFrame) & { readonly round: number };

export interface HelloFrame {
  readonly at: number;
  readonly kind: "hello";
  readonly mac: string;
  readonly bytes: number;
}

/** A stretch of time in which more than one MAC answered for an address. */
export interface Double {
  readonly ip: string;
  readonly macs: readonly string[];
  readonly from: number;
  readonly ms: number;
}

/** Watches an interface until stopped. */
export class Capture {
  readonly #frames: Frame[] = [];
  readonly #intervalMs: number;
  readonly #observer: Observer;

  /** `asks`: addresses asked for, by ARP or NDP, each `intervalMs`, from a MAC that nobody has. */
  constructor(deps: ProbeDeps, o: { interface?: string; asks?: readonly string[]; intervalMs?: number } = {}) {
    this.#intervalMs = o.intervalMs ?? 10;
    const args = ["watch", o.interface ?? "eth0", String(this.#intervalMs), ...(o.asks ?? [])];
    this.#observer = new Observer(inNetnsOnly(deps.netns, [deps.labTool, ...args]), deps.reaper, (line) =>
      this.#frames.push(JSON.parse(line)),
    );
  }

  /** Resolves when nothing can be missed any more. */
  get started(): Promise<void> {
    return this.#observer.started;
  }

  /** What was seen so far, oldest first. */
  get frames(): readonly Frame[] {
    return this.#frames;
  }

  async stop(): Promise<readonly Frame[]> {
    await this.#observer.stop();
    return this.#frames;
  }

  /** The answers to its own asking. */
  answers(ip: string): readonly Reply[] {
    return this.#frames.filter(
      (frame): frame is Reply => frame.kind !== "hello" && frame.round !== undefined && frame.ip === ip,
    );
  }

  /** The longest time without an answer between two of them; in ms. */
  longestSilence(ip: string): number {
    return this.silences(ip)[0]?.ms ?? 0;
  }

  /** The times without an answer, as many intervals as were asked in vain, the longest first. `from`: the answer before. */
  silences(ip: string): readonly { readonly from: number; readonly ms: number }[] {
    const answers = this.answers(ip);
    const gaps = answers.slice(1).map(({ round }, i) => {
      const before = answers[i] as Reply;
      return { from: before.at, ms: (round - before.round - 1) * this.#intervalMs };
    });
    return gaps.filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms);
  }

  /** When more than one MAC answered for an address, the longest first. */
  doubles(ip: string): readonly Double[] {
    return doubleAnswers(this.answers(ip), this.#intervalMs);
  }

  /** ARP messages that say by themselves who has the address. */
  gratuitous(ip: string): readonly ArpFrame[] {
    return this.#frames.filter(
      (frame): frame is ArpFrame =>
        frame.kind === "arp" && frame.ip === ip && frame.targetIp === ip && frame.round === undefined,
    );
  }
}

/**
 * Finds the stretches of rounds that more than one MAC answered. One round counts as `intervalMs`: what happens between
 * two of them isn't seen.
 */
export function doubleAnswers(answers: readonly Reply[], intervalMs: number): Double[] {
  const rounds = Map.groupBy(answers, (answer) => answer.round);
  const doubles: { ip: string; macs: Set<string>; from: number; first: number; last: number }[] = [];
  for (const [round, heard] of [...rounds].sort(([a], [b]) => a - b)) {
    const macs = new Set(heard.map((answer) => answer.mac));
    if (macs.size < 2) continue;
    const { ip, at } = heard[0] as Reply;
    const last = doubles.at(-1);
    if (last?.last === round - 1) {
      last.last = round;
      for (const mac of macs) last.macs.add(mac);
    } else {
      doubles.push({ ip, macs, from: at, first: round, last: round });
    }
  }
  return doubles
    .map(({ ip, macs, from, first, last }) => ({
      ip,
      macs: [...macs].sort(),
      from,
      ms: (last - first + 1) * intervalMs,
    }))
    .sort((a, b) => b.ms - a.ms);
}

/** Asks for addresses for a while, and gives the MACs that answered for each. */
export async function whoAnswers(
  deps: ProbeDeps,
  ips: readonly string[],
  forMs = 200,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const capture = new Capture(deps, { asks: ips, intervalMs: 20 });
  await capture.started;
  await sleep(forMs);
  await capture.stop();
  return new Map(ips.map((ip) => [ip, [...new Set(capture.answers(ip).map((answer) => answer.mac))].sort()]));
}
