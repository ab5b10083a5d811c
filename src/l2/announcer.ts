import { announcement } from "./resolution.ts";

/** When an IP is announced, in ms after its claim: at once, and again for those who missed it. */
const OFFSETS_MS = [0, 100, 1100, 2200] as const;

/** Frames sent in one go, at most. */
const BURST = 128;
/** Refreshing takes at most this part of the frames: everybody on the segment hears them. */
const REFRESH_SHARE = 1 / 500;
/** How many IPs are refreshed in one go: all that a second has room for, so that this process wakes but once for them. */
const REFRESH_BURST = 10;

/** Pacing: announcing many IPs must not flood the segment. */
export interface Pace {
  /** Announcements, in frames each second. */
  readonly framesPerSecond: number;
  /** How often an IP is announced though nothing happens, where there are not too many; 0: never. */
  readonly refreshMs: number;
}

interface Due {
  readonly ip: string;
  readonly series: object;
  readonly atMs: number;
}

/** Tells the segment which IPs moved here: IPv4 by gratuitous ARP, IPv6 by unsolicited neighbor advertisement. */
export class Announcer {
  readonly #mac: Uint8Array;
  readonly #pace: Pace;
  readonly #random: () => number;
  /** The running series of an IP; a newer one replaces it. */
  readonly #series = new Map<string, object>();
  /** What is due, per step, in order of time. */
  readonly #steps: Due[][] = OFFSETS_MS.map(() => []);
  /** The IPs that are refreshed, and when each was announced last; by IP, the longest ago first. */
  readonly #kept = new Map<string, number>();
  #pausedUntilMs = 0;
  #refreshAtMs = Number.POSITIVE_INFINITY;

  /** `random` gives a number in [0, 1). */
  constructor(mac: Uint8Array, pace: Pace, random: () => number) {
    this.#mac = mac;
    this.#pace = pace;
    this.#random = random;
  }

  /** Begins a series, anew where one runs. */
  start(ip: string, nowMs: number): void {
    const series = {};
    this.#series.set(ip, series);
    this.#steps[0]?.push({ ip, series, atMs: nowMs });
    this.keep(ip, nowMs);
  }

  /** Announces the IP from time to time, beginning some time from now. */
  keep(ip: string, nowMs: number): void {
    if (this.#pace.refreshMs === 0) return;
    this.#kept.delete(ip);
    this.#kept.set(ip, nowMs + this.#random() * this.#pace.refreshMs * JITTER);
    if (this.#refreshAtMs === Number.POSITIVE_INFINITY) this.#refreshAtMs = nowMs + this.#gapMs();
  }

  stop(ip: string): void {
    this.#series.delete(ip);
    this.#kept.delete(ip);
  }

  /** Gives the frames that are due. */
  frames(nowMs: number): Uint8Array[] {
    if (nowMs < this.#pausedUntilMs) return [];
    const frames: Uint8Array[] = [];
    for (const [step, queue] of this.#steps.entries()) {
      let taken = 0;
      for (; taken < queue.length && frames.length < BURST; taken++) {
        const due = queue[taken] as Due;
        if (due.atMs > nowMs) break;
        if (this.#series.get(due.ip) !== due.series) continue;
        frames.push(...announcement(this.#mac, due.ip));
        this.#later(due, step + 1, nowMs);
      }
      queue.splice(0, taken);
    }
    if (frames.length === 0) frames.push(...this.#refresh(nowMs));
    if (frames.length > 0) this.#pausedUntilMs = nowMs + (frames.length * 1000) / this.#pace.framesPerSecond;
    return frames;
  }

  /** When there is something to send next; Infinity: never. */
  nextMs(): number {
    const next = Math.min(...this.#steps.map((queue) => queue[0]?.atMs ?? Number.POSITIVE_INFINITY));
    return Math.max(Math.min(next, this.#refreshAtMs), this.#pausedUntilMs);
  }

  /** Announces those again that were announced the longest ago, at most a few at a time. */
  #refresh(nowMs: number): Uint8Array[] {
    if (nowMs < this.#refreshAtMs) return [];
    const frames: Uint8Array[] = [];
    let left = REFRESH_BURST;
    for (const [ip, sinceMs] of this.#kept) {
      if (left-- === 0 || nowMs < sinceMs + this.#pace.refreshMs * (1 - JITTER)) break;
      frames.push(...announcement(this.#mac, ip));
      this.keep(ip, nowMs);
    }
    this.#refreshAtMs = this.#kept.size === 0 ? Number.POSITIVE_INFINITY : nowMs + this.#gapMs();
    return frames;
  }

  /** How long to wait between two rounds of refreshing: so that each IP's turn comes, if the pace allows. */
  #gapMs(): number {
    const needed = (this.#pace.refreshMs * REFRESH_BURST) / Math.max(1, this.#kept.size);
    const allowed = (2 * REFRESH_BURST * 1000) / (this.#pace.framesPerSecond * REFRESH_SHARE);
    return Math.max(allowed, Math.min(needed, LONGEST_GAP_MS));
  }

  #later({ ip, series }: Due, step: number, nowMs: number): void {
    const gapMs = (OFFSETS_MS[step] ?? 0) - (OFFSETS_MS[step - 1] ?? 0);
    if (step < OFFSETS_MS.length) this.#steps[step]?.push({ ip, series, atMs: nowMs + gapMs });
    else this.#series.delete(ip);
  }
}

/** The part of the refresh interval that is chance, so that nodes and IPs do not fall into step. */
const JITTER = 0.2;
/** How long a round waits at most: a new IP must not be refreshed much later than the others. */
const LONGEST_GAP_MS = 5000;
