import { byIP } from "./claim-book.ts";
import type { ConflictView } from "./effects.ts";
import { announcement, probe } from "./resolution.ts";

/** RFC 5227 section 1.1 asks for 3 probes in some 5 s; on a segment of servers each gets its answer in far less than these. */
const PROBES = 3;
const PROBE_GAP_MS = 100;
/** Questions in one go, at most: of many IPs they must not flood the segment. */
const BURST = 64;
/** How often an IP that a stranger has is asked for again: it is announced when nobody answers any more. */
const AGAIN_MS = 10_000;
/** How often an IP is defended, at most (RFC 5227 section 2.4: DEFEND_INTERVAL). */
const DEFEND_MS = 10_000;
/** When a conflict that is seen no more is over. */
const OVER_MS = 60_000;
/** A node's own MAC must be seen twice, so far apart: a former owner may answer until it has heard of its successor. */
const NODE_AGAIN_MS = 1000;

interface Conflict {
  readonly mac: string;
  readonly node: string | undefined;
  readonly sinceMs: number;
  /** The IP is not announced. */
  readonly blocks: boolean;
  lastMs: number;
  defendedMs: number;
}

/** What asking and listening have brought about. */
export interface ConflictNews {
  readonly ip: string;
  /** Free: nobody has it: announce it. Conflict, Over: another MAC has it, or no more. */
  readonly what: "Free" | "Conflict" | "Over";
  readonly cause: string;
}

/** Looks for strangers who have an IP that this node claims: before it is first announced, and afterwards. */
export class Conflicts {
  readonly #mac: Uint8Array;
  readonly #framesPerSecond: number;
  /** When the IPs that are asked for are due, by the number of probes sent; each in order of time. */
  readonly #asking = Array.from({ length: PROBES + 1 }, () => new Map<string, number>());
  readonly #conflicts = new Map<string, Conflict>();
  /** Nodes' MACs seen once, by IP: when. */
  readonly #suspects = new Map<string, { readonly mac: string; readonly atMs: number }>();
  #news: ConflictNews[] = [];
  #defences: string[] = [];
  #nextMs = Number.POSITIVE_INFINITY;

  #pausedUntilMs = 0;
  #version = 0;

  constructor(mac: Uint8Array, framesPerSecond: number) {
    this.#mac = mac;
    this.#framesPerSecond = framesPerSecond;
  }

  /** When `frames` has something to do; Infinity: never. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** Rises when more IPs are asked for, and when none is any more. */
  get version(): number {
    return this.#version;
  }

  /** The IPs that are asked for. */
  asked(): string[] {
    return this.#asking.flatMap((due) => [...due.keys()]);
  }

  /** Begins to ask whether anybody has the IP. */
  ask(ip: string, nowMs: number): void {
    this.#stopAsking(ip);
    this.#asking[0]?.set(ip, nowMs);
    this.#version++;
    this.#nextMs = Math.min(this.#nextMs, nowMs);
  }

  /** The IP is claimed here no more. */
  drop(ip: string): void {
    this.#stopAsking(ip);
    this.#suspects.delete(ip);
    if (this.#conflicts.delete(ip)) this.#news.push({ ip, what: "Over", cause: "Released" });
  }

  /** Somebody else says it has an IP that is claimed here. `node`: whose MAC it is, where it is a node's. */
  heard(ip: string, mac: Uint8Array, node: string | undefined, nowMs: number): void {
    const text = colons(mac);
    const asking = this.#isAsking(ip);
    const known = this.#conflicts.get(ip);
    if (known?.mac !== text) {
      if (node !== undefined && !asking && !this.#isSuspect(ip, text, nowMs)) return;
      // Who answers for a node is the same as ever: that is no reason to leave an IP unannounced.
      const blocks = node === undefined && (asking || known?.blocks === true);
      const never = Number.NEGATIVE_INFINITY;
      this.#conflicts.set(ip, { mac: text, node, sinceMs: nowMs, blocks, lastMs: nowMs, defendedMs: never });
      this.#news.push({ ip, what: "Conflict", cause: `${node === undefined ? "Stranger" : "Node"} ${node ?? text}` });
    }
    const conflict = this.#conflicts.get(ip);
    if (conflict === undefined) return;
    conflict.lastMs = nowMs;
    if (conflict.blocks) this.#stopAsking(ip);
    this.#nextMs = Math.min(this.#nextMs, nowMs + (conflict.blocks ? AGAIN_MS : OVER_MS));
    if (conflict.blocks || conflict.node !== undefined || nowMs - conflict.defendedMs < DEFEND_MS) return;
    conflict.defendedMs = nowMs;
    this.#defences.push(ip);
    this.#nextMs = nowMs;
  }

  /** A stranger asks for an IP as one who is about to take it: a conflict where this node is about to (RFC 5227 section 2.1.1). */
  probed(ip: string, mac: Uint8Array, nowMs: number): void {
    if (this.#isAsking(ip)) this.heard(ip, mac, undefined, nowMs);
  }

  /** Gives the frames that are due: questions, and announcements in defence. */
  frames(nowMs: number): Uint8Array[] {
    if (nowMs < this.#nextMs) return [];
    const frames = this.#defences.flatMap((ip) => announcement(this.#mac, ip));
    this.#defences = [];
    this.#nextMs = Number.POSITIVE_INFINITY;
    if (nowMs >= this.#pausedUntilMs) frames.push(...this.#questions(nowMs));
    if (frames.length > 0) this.#pausedUntilMs = nowMs + (frames.length * 1000) / this.#framesPerSecond;
    for (const due of this.#asking) {
      const [firstMs] = due.values();
      if (firstMs !== undefined) this.#nextMs = Math.min(this.#nextMs, Math.max(firstMs, this.#pausedUntilMs));
    }
    this.#review(nowMs);
    return frames;
  }

  /** Asks for the IPs whose turn it is. */
  #questions(nowMs: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const [sent, due] of this.#asking.entries()) {
      for (const [ip, atMs] of due) {
        if (atMs > nowMs || frames.length === BURST) break;
        due.delete(ip);
        if (sent === PROBES) this.#free(ip);
        else {
          frames.push(probe(this.#mac, ip));
          this.#asking[sent + 1]?.set(ip, nowMs + PROBE_GAP_MS);
        }
      }
    }
    return frames;
  }

  /** Ends conflicts that were not seen for long, and asks again for the IPs that strangers have. */
  #review(nowMs: number): void {
    for (const [ip, { lastMs, blocks }] of this.#conflicts) {
      const atMs = lastMs + (blocks ? AGAIN_MS : OVER_MS);
      if (this.#isAsking(ip)) continue;
      if (atMs > nowMs) this.#nextMs = Math.min(this.#nextMs, atMs);
      else if (blocks) this.ask(ip, nowMs);
      else {
        this.#conflicts.delete(ip);
        this.#news.push({ ip, what: "Over", cause: "NotSeen" });
      }
    }
  }

  /** Gives what has come about since it was last asked. */
  takeNews(): readonly ConflictNews[] {
    const news = this.#news;
    if (news.length > 0) this.#news = [];
    return news;
  }

  view(): ConflictView[] {
    return [...this.#conflicts]
      .map(([ip, { mac, node, sinceMs, blocks }]) => ({ ip, mac, node, sinceMs, announced: !blocks }))
      .sort(byIP);
  }

  /** Nobody has answered. */
  #free(ip: string): void {
    if (this.#asking.every((due) => due.size === 0)) this.#version++;
    if (this.#conflicts.get(ip)?.blocks && this.#conflicts.delete(ip))
      this.#news.push({ ip, what: "Over", cause: "NoAnswer" });
    this.#news.push({ ip, what: "Free", cause: "NoAnswer" });
  }

  #isAsking(ip: string): boolean {
    return this.#asking.some((due) => due.has(ip));
  }

  #stopAsking(ip: string): void {
    for (const due of this.#asking) due.delete(ip);
  }

  #isSuspect(ip: string, mac: string, nowMs: number): boolean {
    const before = this.#suspects.get(ip);
    if (before?.mac === mac && nowMs - before.atMs >= NODE_AGAIN_MS && nowMs - before.atMs < OVER_MS) {
      this.#suspects.delete(ip);
      return true;
    }
    if (before?.mac !== mac || nowMs - before.atMs >= OVER_MS) this.#suspects.set(ip, { mac, atMs: nowMs });
    return false;
  }
}

function colons(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
