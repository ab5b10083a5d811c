import { type OwnAddresses, question } from "./resolution.ts";
import type { Timing } from "./timing.ts";

/** What this node knows about its own hearing. Unsure: it is asking; Isolated: it heard nothing at all for too long. */
export type HearingState = "Sure" | "Unsure" | "Isolated";

/** What it depends on, at one moment. */
export interface Surroundings {
  /** Neighbours whose hellos come. */
  readonly heard: number;
  /** Somebody should be heard within a hello's time: neighbours were until just now, or this node starts. */
  readonly expecting: boolean;
  /** One of them has missed a hello, or nobody is heard. */
  readonly late: boolean;
  /** There should be somebody: neighbours were heard, or the API names other nodes of this segment. */
  readonly company: boolean;
}

/** Hosts to ask that are not gateways: so many are remembered. */
const MOST_HOSTS = 8;
/** For how long it matters how many neighbours were heard, in ms. */
const MEMORY_MS = 1000;
/** A host is not replaced by another for so long, in ms. */
const HOST_MS = 10_000;
/** How often somebody is asked while there is nobody to be heard, and for how long that may go unanswered, in ms. */
const LONELY_MS = 1000;
const LONELY_UNSURE_MS = 2200;
const LONELY_ISOLATED_MS = 3300;

/**
 * Tells a node that hears nothing from one whose neighbours have died: while a neighbour is silent, and nothing else is
 * heard, it asks the gateway and hosts that asked lately. Where there is nobody to ask, only the silence of two neighbours
 * and more is taken for a fault of one's own.
 */
export class Hearing {
  readonly #mac: Uint8Array;
  readonly #timing: Timing;
  #lastFrameMs: number;
  #gateways: readonly string[] = [];
  /** Hosts by IP, the latest last. */
  readonly #hosts = new Map<string, { readonly mac: Uint8Array; readonly atMs: number }>();
  /** MACs of the gateways that have answered. */
  readonly #gatewayMacs = new Map<string, Uint8Array>();
  #nextAskMs = Number.NEGATIVE_INFINITY;
  #unanswered = 0;
  #isolatedSinceMs: number | undefined;
  #claimAtMs = Number.NEGATIVE_INFINITY;
  /** The most neighbours that were heard at once lately, and when. */
  #heardBefore = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #version = 0;

  constructor(mac: Uint8Array, timing: Timing, nowMs: number) {
    this.#mac = mac;
    this.#timing = timing;
    this.#lastFrameMs = nowMs;
  }

  get isolated(): boolean {
    return this.#isolatedSinceMs !== undefined;
  }

  setGateways(ips: readonly string[]): void {
    this.#gateways = ips;
    this.#version++;
    for (const ip of this.#gatewayMacs.keys()) if (!ips.includes(ip)) this.#gatewayMacs.delete(ip);
  }

  /** A frame of any kind came in. */
  heard(nowMs: number): void {
    this.#lastFrameMs = nowMs;
    this.#unanswered = 0;
  }

  /** Rises when `witnesses` changes. */
  get version(): number {
    return this.#version;
  }

  /** Who is asked whether this node still hears. */
  witnesses(): string[] {
    return [...this.#gateways, ...this.#hosts.keys()];
  }

  /** A host that is no node said where it is. */
  located(ip: string, mac: Uint8Array, nowMs: number): void {
    if (this.#gateways.includes(ip)) {
      this.#gatewayMacs.set(ip, mac);
      return;
    }
    const known = this.#hosts.delete(ip);
    const [oldest] = this.#hosts;
    if (!known && this.#hosts.size === MOST_HOSTS && oldest !== undefined) {
      if (nowMs - oldest[1].atMs < HOST_MS) return;
      this.#hosts.delete(oldest[0]);
    }
    this.#hosts.set(ip, { mac, atMs: nowMs });
    if (!known) this.#version++;
  }

  /** Finds out what there is to know now; to be called whenever something happens, and at `nextMs`. */
  review(around: Surroundings, nowMs: number): HearingState {
    if (around.heard >= this.#heardBefore || nowMs - this.#heardAtMs > MEMORY_MS) {
      this.#heardBefore = around.heard;
      this.#heardAtMs = nowMs;
    }
    const silentMs = nowMs - this.#lastFrameMs;
    const isolated = around.company && silentMs >= this.#isolatedAfterMs(around) && this.#isOwnFault();
    if (isolated) this.#isolatedSinceMs ??= nowMs;
    else if (this.isolated) {
      this.#isolatedSinceMs = undefined;
      this.#claimAtMs = nowMs + this.#timing.detectMs;
    }
    return this.#state(around, nowMs);
  }

  /** After an isolation nothing is claimed until everybody's hellos had time to come in. */
  #state(around: Surroundings, nowMs: number): HearingState {
    if (this.isolated || nowMs < this.#claimAtMs) return "Isolated";
    const unsureMs = around.expecting ? this.#timing.unsureMs : LONELY_UNSURE_MS;
    return around.company && this.#hasWitnesses && nowMs - this.#lastFrameMs >= unsureMs ? "Unsure" : "Sure";
  }

  /** Gives the questions to ask now. `from`: this node's own addresses. */
  questions(around: Surroundings, from: OwnAddresses, nowMs: number): Uint8Array[] {
    if (!around.company || nowMs < this.#askAtMs(around)) return [];
    this.#nextAskMs = nowMs + (this.#isFast(around) ? this.#timing.helloMs / 2 : LONELY_MS);
    const frames = this.witnesses().map((ip) => {
      const known = this.#gatewayMacs.get(ip) ?? this.#hosts.get(ip)?.mac;
      return question(this.#mac, from, ip, this.#unanswered % 3 === 2 ? undefined : known); // its MAC may have changed
    });
    this.#unanswered++;
    return frames;
  }

  /** When to call `review` again though nothing is heard. */
  nextMs(around: Surroundings, nowMs: number): number {
    if (!around.company) return Number.POSITIVE_INFINITY;
    let next = this.#hasWitnesses ? Math.max(nowMs, this.#askAtMs(around)) : Number.POSITIVE_INFINITY;
    for (const atMs of [this.#lastFrameMs + this.#isolatedAfterMs(around), this.#claimAtMs])
      if (atMs > nowMs && atMs < next) next = atMs;
    return next;
  }

  get #hasWitnesses(): boolean {
    return this.#gateways.length + this.#hosts.size > 0;
  }

  #isOwnFault(): boolean {
    return this.#hasWitnesses || this.#heardBefore > 1;
  }

  /** Somebody should be heard within a hello's time; else only those who are asked speak. */
  #isFast({ expecting, late }: Surroundings): boolean {
    return expecting && late;
  }

  #askAtMs(around: Surroundings): number {
    const silentAtMs = this.#lastFrameMs + this.#timing.helloMs * 1.3;
    if (around.expecting && !around.late) return Number.POSITIVE_INFINITY;
    return Math.max(silentAtMs, this.#nextAskMs);
  }

  #isolatedAfterMs({ expecting }: Surroundings): number {
    return expecting || this.isolated ? this.#timing.detectMs : LONELY_ISOLATED_MS;
  }
}
