import type { Claim } from "../election/ownership.ts";
import { type ClaimsBody, type Entry, type FullBody, splitEntries } from "./claims.ts";

/** A claim, for status and tests. */
export interface ClaimView extends Claim {
  readonly ip: string;
}

/** What of the claims is other than when it was last told. */
export interface ClaimNews {
  readonly set: readonly ClaimView[];
  readonly removed: readonly string[];
}

interface Removal {
  readonly epoch: bigint;
  readonly successor: number;
  readonly atMs: number;
}

/** The claims of this node, their version, and what of them is still to be told. */
export class ClaimBook {
  readonly #node: string;
  readonly #removalMs: number;
  readonly #claims = new Map<string, Claim>();
  readonly #removals = new Map<string, Removal>();
  readonly #untold = new Map<string, Entry>();
  /** The IPs whose claims changed since `takeNews`. */
  readonly #news = new Set<string>();
  #version = 0n;
  #view: readonly ClaimView[] | undefined;

  /** `removalMs`: how long a removal is told to those who ask for everything. */
  constructor(node: string, removalMs: number) {
    this.#node = node;
    this.#removalMs = removalMs;
  }

  /** Rises with each frame of changes; 0: nothing was ever claimed. */
  get version(): bigint {
    return this.#version;
  }

  get claims(): ReadonlyMap<string, Claim> {
    return this.#claims;
  }

  /** All claims by IP; the same array until something changes. */
  view(): readonly ClaimView[] {
    this.#view ??= [...this.#claims].map(([ip, claim]) => ({ ip, ...claim })).sort(byIP);
    return this.#view;
  }

  /** Gives what changed since it was last asked: of 10 000 claims those few. */
  takeNews(): ClaimNews {
    const set: ClaimView[] = [];
    const removed: string[] = [];
    for (const ip of this.#news) {
      const claim = this.#claims.get(ip);
      if (claim === undefined) removed.push(ip);
      else set.push({ ip, ...claim });
    }
    this.#news.clear();
    return { set, removed };
  }

  set(ip: string, claim: Claim): void {
    this.#changed(ip);
    this.#claims.set(ip, claim);
    this.#removals.delete(ip);
    this.#untold.set(ip, entryOf(ip, claim));
  }

  /** `successor`: nodeHash of whom it was given way to, or 0. */
  remove(ip: string, successor: number, nowMs: number): void {
    this.#changed(ip);
    const epoch = this.#claims.get(ip)?.epoch ?? 0n;
    this.#claims.delete(ip);
    this.#removals.set(ip, { epoch, successor, atMs: nowMs });
    this.#untold.set(ip, { ip, epoch, removed: true, successor });
  }

  /** Gives what changed since the last time, in frames of one version each, by IP. */
  tell(): ClaimsBody[] {
    if (this.#untold.size === 0) return [];
    const parts = splitEntries(this.#node, [...this.#untold.values()].sort(byIP));
    this.#untold.clear();
    return parts.map((entries) => ({ before: this.#version++, version: this.#version, entries }));
  }

  /** Gives all claims, and the removals of late, by IP. */
  full(nowMs: number): FullBody[] {
    const entries: Entry[] = [...this.#claims].map(([ip, claim]) => entryOf(ip, claim));
    for (const [ip, { epoch, successor, atMs }] of this.#removals) {
      if (nowMs - atMs > this.#removalMs) this.#removals.delete(ip);
      else entries.push({ ip, epoch, removed: true, successor });
    }
    const parts = splitEntries(this.#node, entries.sort(byIP));
    return parts.map((part, i) => ({ version: this.#version, part: i, parts: parts.length, entries: part }));
  }

  #changed(ip: string): void {
    this.#view = undefined;
    this.#news.add(ip);
  }
}

function entryOf(ip: string, claim: Claim): Entry {
  return { ip, ...claim, removed: false };
}

/** Orders by text: the same everywhere. */
export function byIP(a: { readonly ip: string }, b: { readonly ip: string }): number {
  return a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0;
}
