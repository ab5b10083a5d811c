import { parseIP } from "../ipam/addresses.ts";
import { gratuitousArp } from "./arp.ts";

/** When an IP is announced, in ms after its claim: at once, and again for those who missed it. */
const OFFSETS_MS = [0, 100, 1100, 2200] as const;

/** Pacing: a takeover of many IPs must not flood the segment. At most so many IPs, two frames each, then a pause. */
const BURST = 128;
const PAUSE_MS = 5;

interface Due {
  readonly ip: string;
  readonly series: object;
  readonly atMs: number;
}

/** Tells the segment which IPs moved here, by gratuitous ARP. IPv6 is not announced yet. */
export class Announcer {
  readonly #mac: Uint8Array;
  /** The running series of an IP; a newer one replaces it. */
  readonly #series = new Map<string, object>();
  /** What is due, per step, in order of time. */
  readonly #steps: Due[][] = OFFSETS_MS.map(() => []);
  #pausedUntilMs = 0;

  constructor(mac: Uint8Array) {
    this.#mac = mac;
  }

  /** Begins a series, anew where one runs. */
  start(ip: string, nowMs: number): void {
    const series = {};
    this.#series.set(ip, series);
    this.#steps[0]?.push({ ip, series, atMs: nowMs });
  }

  stop(ip: string): void {
    this.#series.delete(ip);
  }

  /** Gives the frames that are due. */
  frames(nowMs: number): Uint8Array[] {
    if (nowMs < this.#pausedUntilMs) return [];
    const frames: Uint8Array[] = [];
    let left = BURST;
    for (const [step, queue] of this.#steps.entries()) {
      let taken = 0;
      for (; taken < queue.length && left > 0; taken++) {
        const due = queue[taken] as Due;
        if (due.atMs > nowMs) break;
        if (this.#series.get(due.ip) !== due.series) continue;
        frames.push(...announcement(due.ip, this.#mac));
        this.#later(due, step + 1, nowMs);
        left--;
      }
      queue.splice(0, taken);
    }
    if (left === 0) this.#pausedUntilMs = nowMs + PAUSE_MS;
    return frames;
  }

  /** When there is something to send next; Infinity: never. */
  nextMs(): number {
    const next = Math.min(...this.#steps.map((queue) => queue[0]?.atMs ?? Number.POSITIVE_INFINITY));
    return Math.max(next, this.#pausedUntilMs);
  }

  #later({ ip, series }: Due, step: number, nowMs: number): void {
    const gapMs = (OFFSETS_MS[step] ?? 0) - (OFFSETS_MS[step - 1] ?? 0);
    if (step < OFFSETS_MS.length) this.#steps[step]?.push({ ip, series, atMs: nowMs + gapMs });
    else this.#series.delete(ip);
  }
}

/** Builds the frames for one IP. */
function announcement(ip: string, mac: Uint8Array): Uint8Array[] {
  const parsed = parseIP(ip);
  if (parsed?.family !== "IPv4") return [];
  return (["request", "reply"] as const).map((operation) => gratuitousArp(operation, mac, Number(parsed.value)));
}
