import type { Candidate } from "../../src/election/candidates.ts";
import { type Arp, decodeArp, encodeArp } from "../../src/l2/arp.ts";
import { decodeEthernet, encodeEthernet } from "../../src/l2/ethernet.ts";
import { HERALD_ETHER_TYPE, sameBytes } from "../../src/l2/frame.ts";
import { ipText } from "../../src/l2/ip-bytes.ts";
import { announcement, question } from "../../src/l2/resolution.ts";
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
  readonly restartGraceMs?: number;
}

/** What a frame is, for faults that hit one kind. */
export type FrameKind = "hello" | "arp";

/** Somebody on the segment who is no node: a gateway, a client, a stranger; it answers ARP for its IP. */
export interface Host {
  /** "client of" a node: it is on that node's side. */
  readonly name: string;
  readonly ip: string;
  readonly mac: Uint8Array;
}

/** How soon a shell writes a changed record, and how long it waits after a write, in ms. */
const RECORD_SOON_MS = 20;
const RECORD_GAP_MS = 1000;
/** How often the kubelets tell who is ready, and how long it takes the API to give up a node, in ms. */
const READY_MS = 1000;
const NODE_LOST_MS = 40_000;
/** How far a frame may be overtaken, in ms. */
const REORDER_MS = 40;

/** How often a client resolves something, in ms. */
const ASK_MS = 2000;

const GATEWAY: Host = { name: "gateway", ip: "192.0.2.254", mac: Uint8Array.of(2, 0, 0, 0, 1, 254) };
/** The name of a client in a fault's eyes. */
const CLIENT = "client";

/** A segment with nodes, an API and faults, in simulated time. Everything in it follows from the seed. */
export class World implements NodeWorld {
  readonly random: Random;
  readonly timeline = new Timeline();
  readonly nodes: readonly SimNode[];
  readonly observer: Observer;
  readonly timers: NodeWorld["timers"];
  readonly gateways = [GATEWAY.ip];
  readonly hosts: Host[];
  /** What the API has. */
  readonly ips = new Map<string, readonly Candidate[]>();
  readonly records = new Map<string, NodeRecord>();
  readonly ready = new Set<string>();
  apiUp = true;
  /** How late a node sees the API, in ms; more for one that lags. */
  readonly lagMs = new Map<string, number>();
  /** How late records come, in ms, on top. */
  recordLagMs = 0;
  lossRate = 0;
  duplicationRate = 0;
  /** Frames of one sender may overtake each other. */
  reorders = false;
  /** Says whether a frame is lost, for faults that hit single frames. */
  drop: (from: SimNode, to: SimNode, frame: Uint8Array) => boolean = () => false;
  /** What does not pass, by name of the fault: from whom (a node, gateway or client), to whom, of which kind. */
  readonly blocks = new Map<string, (from: string, to: string, kind: FrameKind) => boolean>();
  /** The side of each node; frames stay on their side. */
  readonly sides = new Map<string, number>();
  framesSent = 0;
  #version = 1;
  /** When the last frame arrives, by sender and receiver. */
  readonly #lines = new Map<string, number>();
  readonly #recordAtMs = new Map<string, number>();
  readonly #recordPlanned = new Set<string>();
  readonly #downSinceMs = new Map<string, number>();

  constructor({ seed, nodes, ips, clockRates, restartGraceMs }: WorldOptions) {
    this.random = new Random(seed);
    this.timers = restartGraceMs === undefined ? {} : { restartGraceMs };
    this.nodes = Array.from({ length: nodes }, (_, i) => new SimNode(`n${i + 1}`, i, this, clockRates?.[i]));
    for (let i = 0; i < ips; i++) this.ips.set(`192.0.2.${10 + i}`, this.everybody());
    for (const node of this.nodes) this.records.set(node.name, this.#recordOf(node, 0n, new Map()));
    this.hosts = [GATEWAY, ...this.nodes.map(clientOf)];
    this.observer = new Observer(this);
    this.#ask();
    this.#watchReadiness();
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

  byMac(mac: Uint8Array): SimNode | undefined {
    const node = this.nodes[(mac[5] ?? 0) - 1];
    return node !== undefined && sameBytes(node.mac, mac) ? node : undefined;
  }

  /** The nodes that answer for an IP on a side, each with the node whose MAC it answers with. */
  answering(ip: string, side?: number): { readonly by: SimNode; readonly owner: SimNode | undefined }[] {
    return this.nodes.flatMap((by) => {
      const mac = side === undefined || this.sideOf(by) === side ? by.answer(ip) : undefined;
      return mac === undefined ? [] : [{ by, owner: this.byMac(mac) }];
    });
  }

  /** The nodes whose MAC is answered for an IP on a side. */
  answered(ip: string, side?: number): SimNode[] {
    return [...new Set(this.answering(ip, side).flatMap(({ owner }) => owner ?? []))];
  }

  /** The one node whose MAC is answered for an IP. */
  owner(ip: string): SimNode {
    const [owner, ...others] = this.answered(ip);
    if (owner === undefined || others.length > 0)
      throw new Error(`${(owner === undefined ? 0 : 1) + others.length} owners of ${ip}`);
    return owner;
  }

  owners(): Record<string, string> {
    return Object.fromEntries([...this.ips.keys()].map((ip) => [ip, this.owner(ip).name]));
  }

  sideOf(node: SimNode): number {
    return this.sides.get(node.name) ?? 0;
  }

  /** The side of a host by its name; of a client that of its node, unless that node alone was cut off. */
  sideOfHost(name: string): number {
    return this.sides.get(name) ?? 0;
  }

  /** The side of the client beside a node. */
  sideOfClient(node: SimNode): number {
    if (this.sides.size === 0) return 0;
    return this.sideOfHost(clientName(node.name));
  }

  /** Cuts the segment in two: these nodes with their clients, and all others. */
  partition(...names: string[]): void {
    for (const name of names) {
      this.sides.set(name, 1);
      this.sides.set(clientName(name), 1);
    }
  }

  /** Cuts a node's cable. */
  cut(node: SimNode): void {
    this.sides.set(node.name, 10 + this.nodes.indexOf(node));
  }

  heal(): void {
    this.sides.clear();
    this.blocks.clear();
  }

  blocked(from: string, to: string, kind: FrameKind): boolean {
    if (this.blocks.size === 0) return false;
    for (const block of this.blocks.values()) if (block(from, to, kind)) return true;
    return false;
  }

  /** A client on a side can reach a node, and hears its answer. */
  reaches(side: number, node: SimNode): boolean {
    if (this.sideOf(node) !== side || !node.kernelUp) return false;
    return !this.blocked(CLIENT, node.name, "arp") && !this.blocked(node.name, CLIENT, "arp");
  }

  /** A host that is no node appears, and says where it is. */
  addHost(host: Host): void {
    this.hosts.push(host);
    this.announce(host);
  }

  removeHost({ ip, name }: Host): void {
    const at = this.hosts.findIndex((host) => host.ip === ip && host.name === name);
    if (at >= 0) this.hosts.splice(at, 1);
  }

  /** A host sends gratuitous ARP. */
  announce(host: Host): void {
    for (const frame of announcement(host.mac, host.ip))
      for (const node of this.nodes)
        if (this.sideOf(node) === this.sideOfHost(host.name) && !this.blocked(host.name, node.name, "arp"))
          node.hear(frame);
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
    this.timeline.at(atMs + this.recordLagMs, () => this.#write(from));
  }

  send(from: SimNode, frame: Uint8Array): void {
    this.framesSent++;
    const ethernet = decodeEthernet(frame);
    if (typeof ethernet === "string") throw new Error("a node sent half a frame");
    if (ethernet.etherType === HERALD_ETHER_TYPE) {
      for (const to of this.nodes) if (to !== from) this.#transmit(from, to, frame, "hello");
      return;
    }
    const arp = decodeArp(ethernet.payload);
    if (typeof arp === "string") throw new Error(`a node sent an ARP frame that is ${arp}`);
    const group = ((ethernet.destination[0] ?? 0) & 1) === 1;
    for (const to of this.nodes)
      if (to !== from && (group || sameBytes(ethernet.destination, to.mac))) this.#transmit(from, to, frame, "arp");
    if (arp.operation === "request" && arp.senderIP !== arp.targetIP)
      for (const host of this.hosts)
        if (group || sameBytes(ethernet.destination, host.mac)) this.#transmitToHost(from, host, arp);
    if (!group || arp.senderIP === 0 || arp.senderIP !== arp.targetIP) return;
    for (const client of this.nodes)
      if (this.sideOfClient(client) === this.sideOf(from) && !this.#lost() && !this.blocked(from.name, CLIENT, "arp"))
        this.observer.heardArp(client, arp);
  }

  #transmit(from: SimNode, to: SimNode, frame: Uint8Array, kind: FrameKind): void {
    if (this.sideOf(to) !== this.sideOf(from) || this.blocked(from.name, to.name, kind) || this.#lost()) return;
    if (this.drop(from, to, frame)) return;
    const copies = this.duplicationRate > 0 && this.random.chance(this.duplicationRate) ? 2 : 1;
    for (let i = 0; i < copies; i++) this.#carry(from, to, frame, kind);
  }

  #carry(from: SimNode, to: SimNode, frame: Uint8Array, kind: FrameKind): void {
    const line = `${from.name} ${to.name}`;
    const soonest = this.reorders ? 0 : (this.#lines.get(line) ?? 0);
    const delayMs = this.reorders && this.random.chance(0.1) ? REORDER_MS : 1;
    const atMs = Math.max(soonest, this.now() + this.random.between(0.05, delayMs));
    this.#lines.set(line, atMs);
    this.timeline.at(atMs, () => {
      if (this.sideOf(to) !== this.sideOf(from)) return;
      if (kind === "arp") this.#resolve(from, to, frame);
      to.hear(frame);
    });
  }

  /** What a node's kernel, and its responder, answer to an ARP request. */
  #resolve(from: SimNode, to: SimNode, frame: Uint8Array): void {
    const arp = decodeArp(frame.subarray(14));
    if (typeof arp === "string" || !to.kernelUp) return;
    if (arp.operation !== "request" || arp.senderIP === arp.targetIP) return;
    const ip = ipText(ipBytesOf(arp.targetIP));
    const mac = ip === to.address ? to.mac : to.answer(ip);
    if (mac !== undefined) this.#transmit(to, from, reply(mac, arp), "arp");
  }

  #transmitToHost(from: SimNode, host: Host, arp: Arp): void {
    if (this.sideOf(from) !== this.sideOfHost(host.name) || this.blocked(from.name, host.name, "arp") || this.#lost())
      return;
    if (ipText(ipBytesOf(arp.targetIP)) !== host.ip) return;
    if (this.blocked(host.name, from.name, "arp") || this.#lost()) return;
    this.after(this.random.between(0.1, 2), () => {
      if (this.sideOf(from) === this.sideOfHost(host.name) && !this.blocked(host.name, from.name, "arp"))
        from.hear(reply(host.mac, arp));
    });
  }

  /** Clients resolve something now and then, which everybody on their side hears. */
  #ask(): void {
    for (const host of this.hosts) {
      this.after(this.random.between(0, ASK_MS), () => {
        for (const node of this.nodes)
          if (
            this.sideOf(node) === this.sideOfHost(host.name) &&
            !this.blocked(host.name, node.name, "arp") &&
            !this.#lost()
          )
            node.hear(question(host.mac, { ipv4: host.ip, ipv6: "" }, "192.0.2.250"));
      });
    }
    this.after(ASK_MS, () => this.#ask());
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
    this.records.set(node.name, this.#recordOf(node, node.incarnation, node.wantedRecord));
    this.apiChanged();
  }

  #recordOf({ name, mac, address }: SimNode, incarnation: bigint, claims: NodeRecord["claims"]): NodeRecord {
    return { node: name, incarnation, claims, mac, address };
  }

  /** A kubelet tells whether its speaker is ready; of one that is silent the API believes it for a while. */
  #watchReadiness(): void {
    let changed = false;
    for (const node of this.nodes) {
      if (node.kernelUp) this.#downSinceMs.delete(node.name);
      else if (!this.#downSinceMs.has(node.name)) this.#downSinceMs.set(node.name, this.now());
      const downMs = this.now() - (this.#downSinceMs.get(node.name) ?? this.now());
      const ready = node.kernelUp ? node.running && node.started : this.ready.has(node.name) && downMs < NODE_LOST_MS;
      if (ready === this.ready.has(node.name)) continue;
      changed = true;
      if (ready) this.ready.add(node.name);
      else this.ready.delete(node.name);
    }
    if (changed) this.apiChanged();
    this.after(READY_MS, () => this.#watchReadiness());
  }

  #snapshot(): SegmentSnapshot {
    return {
      versions: new Map([["services", String(this.#version)]]),
      ips: new Map(this.ips),
      records: [...this.records.values()],
      ready: new Set(this.ready),
    };
  }
}

function reply(mac: Uint8Array, to: Arp): Uint8Array {
  const senderMac = to.senderMac.slice();
  const arp = {
    operation: "reply",
    senderMac: mac,
    senderIP: to.targetIP,
    targetMac: senderMac,
    targetIP: to.senderIP,
  };
  return encodeEthernet(senderMac, mac, 0x0806, encodeArp(arp as Arp));
}

function ipBytesOf(ip: number): Uint8Array {
  return Uint8Array.of(ip >>> 24, ip >>> 16, ip >>> 8, ip);
}

function clientName(node: string): string {
  return `client of ${node}`;
}

function clientOf({ name }: SimNode, index: number): Host {
  return { name: clientName(name), ip: `192.0.2.${200 + index}`, mac: Uint8Array.of(2, 0, 0, 0, 2, index) };
}
