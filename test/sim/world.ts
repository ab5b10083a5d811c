import type { Candidate } from "../../src/election/candidates.ts";
import { decodeArp } from "../../src/l2/arp.ts";
import { decodeEthernet } from "../../src/l2/ethernet.ts";
import { HERALD_ETHER_TYPE } from "../../src/l2/frame.ts";
import type { NodeRecord, SegmentSnapshot } from "../../src/l2/segment.ts";
import { Observer } from "./observer.ts";
import { Random } from "./random.ts";
import { type NodeWorld, SimNode } from "./sim-node.ts";
import { Timeline } from "./timeline.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly ips: number;
  /** By node; 1 where absent. */
  readonly clockRates?: readonly number[];
}

/** How soon a shell writes a changed record, and how long it waits after a write, in ms. */
const RECORD_SOON_MS = 20;
const RECORD_GAP_MS = 1000;

/** A segment with speakers, an API and faults, in simulated time. Everything in it follows from the seed. */
export class World implements NodeWorld {
  readonly random: Random;
  readonly timeline = new Timeline();
  readonly nodes: readonly SimNode[];
  readonly observer: Observer;
  /** What the API has. */
  readonly ips = new Map<string, readonly Candidate[]>();
  readonly records = new Map<string, NodeRecord>();
  apiUp = true;
  /** How late a node sees the API, in ms; more for one that lags. */
  readonly lagMs = new Map<string, number>();
  lossRate = 0;
  duplicationRate = 0;
  /** Frames of one sender may overtake each other. */
  reorders = false;
  /** Says whether a frame is lost, for faults that hit single frames. */
  drop: (from: SimNode, to: SimNode, frame: Uint8Array) => boolean = () => false;
  /** The side of each node; frames stay on their side. */
  readonly sides = new Map<string, number>();
  framesSent = 0;
  #version = 1;
  /** When the last frame arrives, by sender and receiver. */
  readonly #lines = new Map<string, number>();
  readonly #recordAtMs = new Map<string, number>();
  readonly #recordPlanned = new Set<string>();

  constructor({ seed, nodes, ips, clockRates }: WorldOptions) {
    this.random = new Random(seed);
    this.nodes = Array.from({ length: nodes }, (_, i) => new SimNode(`n${i + 1}`, i, this, clockRates?.[i]));
    for (let i = 0; i < ips; i++) this.ips.set(`192.0.2.${10 + i}`, this.everybody());
    for (const node of this.nodes) this.records.set(node.name, { node: node.name, incarnation: 0n, claims: [] });
    this.observer = new Observer(this);
  }

  /** Starts all speakers and runs until they have settled. */
  static settled(options: WorldOptions): World {
    const world = new World(options);
    for (const node of world.nodes) world.after(world.random.between(0, 50), () => node.start());
    world.run(3000);
    world.observer.reset();
    return world;
  }

  everybody(): Candidate[] {
    return this.nodes.map(({ name }) => ({ node: name, score: 0 }));
  }

  now(): number {
    return this.timeline.nowMs;
  }

  after(delayMs: number, run: () => void): void {
    this.timeline.after(delayMs, run);
  }

  run(forMs: number): void {
    const endMs = this.now() + forMs;
    while (this.now() < endMs) {
      this.timeline.runUntil(Math.min(endMs, this.now() + Observer.STEP_MS));
      this.observer.look();
    }
  }

  node(name: string): SimNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  /** The nodes that answer for an IP on a side. */
  answering(ip: string, side?: number): SimNode[] {
    return this.nodes.filter((node) => (side === undefined || this.sideOf(node) === side) && node.answer(ip));
  }

  /** The one node that answers for an IP. */
  owner(ip: string): SimNode {
    const [owner, ...others] = this.answering(ip);
    if (owner === undefined || others.length > 0) throw new Error(`${1 + others.length} owners of ${ip}`);
    return owner;
  }

  owners(): Record<string, string> {
    return Object.fromEntries([...this.ips.keys()].map((ip) => [ip, this.owner(ip).name]));
  }

  sideOf(node: SimNode): number {
    return this.sides.get(node.name) ?? 0;
  }

  /** Cuts the segment in two: these nodes, and all others. */
  partition(...names: string[]): void {
    for (const name of names) this.sides.set(name, 1);
  }

  heal(): void {
    this.sides.clear();
  }

  powerOff(node: SimNode): void {
    node.crash();
    node.powered = false;
  }

  powerOn(node: SimNode): void {
    node.powered = true;
    node.start();
  }

  restart(node: SimNode): void {
    node.crash();
    node.start();
  }

  stall(node: SimNode, forMs: number): void {
    node.sleep();
    this.after(forMs, () => node.wakeUp());
  }

  setIP(ip: string, candidates: readonly Candidate[] | undefined): void {
    if (candidates === undefined) this.ips.delete(ip);
    else this.ips.set(ip, candidates);
    this.apiChanged();
  }

  /** Tells all nodes what the API has, each after its lag. */
  apiChanged(): void {
    this.#version++;
    for (const node of this.nodes) this.subscribe(node);
  }

  subscribe(node: SimNode): void {
    if (!this.apiUp) return;
    const { segment } = node;
    const snapshot = this.#snapshot();
    const lagMs = this.lagMs.get(node.name) ?? this.random.between(5, 25);
    // A watch keeps the order, also where the lag differs from event to event.
    const atMs = Math.max(this.now() + lagMs, node.snapshotAtMs);
    node.snapshotAtMs = atMs;
    this.timeline.at(atMs, () => {
      if (node.segment === segment) node.setSnapshot(snapshot);
    });
  }

  writeRecord(from: SimNode): void {
    if (this.#recordPlanned.has(from.name)) return;
    this.#recordPlanned.add(from.name);
    const atMs = Math.max(this.now() + RECORD_SOON_MS, (this.#recordAtMs.get(from.name) ?? 0) + RECORD_GAP_MS);
    this.timeline.at(atMs, () => this.#write(from));
  }

  send(from: SimNode, frame: Uint8Array): void {
    this.framesSent++;
    const ethernet = decodeEthernet(frame);
    if (typeof ethernet === "string") throw new Error("a node sent half a frame");
    if (ethernet.etherType !== HERALD_ETHER_TYPE) {
      const arp = decodeArp(ethernet.payload);
      if (typeof arp === "string") throw new Error(`a node sent an ARP frame that is ${arp}`);
      for (const client of this.nodes)
        if (this.sideOf(client) === this.sideOf(from) && !this.#lost()) this.observer.heardArp(client, from, arp);
      return;
    }
    for (const to of this.nodes) {
      if (to === from || this.sideOf(to) !== this.sideOf(from) || this.#lost() || this.drop(from, to, frame)) continue;
      const copies = this.random.chance(this.duplicationRate) ? 2 : 1;
      for (let i = 0; i < copies; i++) this.#carry(from, to, frame);
    }
  }

  #carry(from: SimNode, to: SimNode, frame: Uint8Array): void {
    const line = `${from.name} ${to.name}`;
    const soonest = this.reorders ? 0 : (this.#lines.get(line) ?? 0);
    const atMs = Math.max(soonest, this.now() + this.random.between(0.05, 1));
    this.#lines.set(line, atMs);
    this.timeline.at(atMs, () => this.#deliver(from, to, frame));
  }

  #deliver(from: SimNode, to: SimNode, frame: Uint8Array): void {
    if (this.sideOf(to) === this.sideOf(from)) to.hear(frame);
  }

  #lost(): boolean {
    return this.lossRate > 0 && this.random.chance(this.lossRate);
  }

  #write(node: SimNode): void {
    this.#recordPlanned.delete(node.name);
    if (node.wantedRecord === undefined || !node.running) return;
    this.#recordAtMs.set(node.name, this.now());
    if (!this.apiUp) {
      this.writeRecord(node);
      return;
    }
    this.records.set(node.name, { node: node.name, incarnation: node.incarnation, claims: node.wantedRecord });
    this.apiChanged();
  }

  #snapshot(): SegmentSnapshot {
    return {
      versions: new Map([["services", String(this.#version)]]),
      ips: new Map(this.ips),
      records: [...this.records.values()],
    };
  }
}
