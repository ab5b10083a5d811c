import {
  type Effects,
  type NodeRecord,
  Segment,
  type SegmentSnapshot,
  type SegmentView,
} from "../../src/l2/segment.ts";

const KEY = new TextEncoder().encode("a key of the simulated cluster, 32");

/** How a simulated node reaches its world. */
export interface NodeWorld {
  now(): number;
  after(delayMs: number, run: () => void): void;
  send(from: SimNode, frame: Uint8Array): void;
  /** Writes the node's record into the API, as late as the shell would. */
  writeRecord(from: SimNode): void;
  /** Has the API's state delivered, as late as a watch would. */
  subscribe(node: SimNode): void;
  readonly gateways: readonly string[];
  readonly timers: { readonly restartGraceMs?: number; readonly refreshMs?: number };
}

/**
 * A node: its kernel, and its speaker, which is the shell around one Segment with a responder. Its clock may be off and
 * run at another rate.
 */
export class SimNode {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly address: string;
  readonly world: NodeWorld;
  readonly clock: { offsetMs: number; readonly rate: number };
  segment: Segment | undefined;
  incarnation = 0n;
  /** Its kernel is there: it forwards, and answers ARP for its own address. */
  powered = true;
  /** The whole machine stands still, its clock included. */
  paused = false;
  /** Its speaker is past its start. */
  started = false;
  /** When the newest snapshot on its way here arrives. */
  snapshotAtMs = 0;
  notForwarding = false;
  evacuating = false;
  /** Its frames, while the process sleeps. */
  #asleep: Uint8Array[] | undefined;
  #table: ReadonlyMap<string, Uint8Array> = new Map();
  #validUntilMs = 0;
  #wake = 0;
  /** What the speaker last wanted to be recorded. */
  wantedRecord: NodeRecord["claims"] | undefined;
  #recordedClaims: SegmentView["claims"] | undefined;
  readonly changes: { readonly atMs: number; readonly ip: string; readonly what: string; readonly cause: string }[] =
    [];
  #pendingSnapshot: SegmentSnapshot | undefined;

  constructor(name: string, index: number, world: NodeWorld, rate = 1) {
    this.name = name;
    this.mac = Uint8Array.of(2, 0, 0, 0, 0, index + 1);
    this.address = `192.0.2.${100 + index}`;
    this.world = world;
    this.clock = { offsetMs: index * 1000, rate };
  }

  get running(): boolean {
    return this.kernelUp && this.segment !== undefined && this.#asleep === undefined;
  }

  get kernelUp(): boolean {
    return this.powered && !this.paused;
  }

  localMs(): number {
    return this.clock.offsetMs + this.world.now() * this.clock.rate;
  }

  start(): void {
    this.incarnation += 1n;
    this.#asleep = undefined;
    this.started = false;
    this.wantedRecord = undefined;
    this.#pendingSnapshot = undefined;
    const { node, key } = { node: this.name, key: KEY };
    this.segment = new Segment(
      {
        node,
        key,
        incarnation: this.incarnation,
        mac: this.mac,
        address: this.address,
        helloIntervalMs: 100,
        ...this.world.timers,
      },
      this.localMs(),
    );
    this.segment.setGateways(this.world.gateways);
    const { evacuating, notForwarding } = this;
    this.#step((segment, now) => segment.setConditions({ evacuating, notForwarding }, now));
    this.world.subscribe(this);
  }

  /** Ends the process at once, as kill -9 does. */
  crash(): void {
    this.segment = undefined;
    this.started = false;
    this.#table = new Map();
    this.#validUntilMs = 0;
    this.#asleep = undefined;
    this.#wake++;
  }

  sleep(): void {
    if (this.segment !== undefined) this.#asleep ??= [];
  }

  wakeUp(): void {
    const queued = this.#asleep;
    this.#asleep = undefined;
    if (queued === undefined || this.segment === undefined || !this.kernelUp) return;
    if (queued.length === 0) this.#step((segment, now) => segment.tick(now));
    else this.#step((segment, now) => segment.hearAll(queued, now));
    if (this.#pendingSnapshot) this.setSnapshot(this.#pendingSnapshot);
  }

  /** Stops the whole machine; its clock goes on only when it does. */
  pause(forMs: number): void {
    this.paused = true;
    this.world.after(forMs, () => {
      this.paused = false;
      this.clock.offsetMs -= forMs * this.clock.rate;
      if (this.running) this.#step((segment, now) => segment.tick(now));
      if (this.#pendingSnapshot) this.setSnapshot(this.#pendingSnapshot);
    });
  }

  leave(): void {
    if (this.running) this.#step((segment, now) => segment.leave(now));
  }

  /** Ends the process as an upgrade does: not before the others answer for it. */
  restart(awayMs: number): void {
    if (!this.running) return;
    this.#step((segment, now) => segment.restart(now));
    const leaver = this.segment;
    const poll = () => {
      if (this.segment !== leaver) return;
      if (!leaver?.view().left) return this.world.after(10, poll);
      this.crash();
      this.world.after(awayMs, () => this.powered && this.segment === undefined && this.start());
    };
    poll();
  }

  setConditions(evacuating: boolean, notForwarding: boolean): void {
    Object.assign(this, { evacuating, notForwarding });
    if (this.running) this.#step((segment, now) => segment.setConditions({ evacuating, notForwarding }, now));
  }

  hear(frame: Uint8Array): void {
    if (!this.kernelUp) return;
    if (this.#asleep !== undefined) this.#asleep.push(frame);
    else this.#step((segment, now) => segment.hear(frame, now));
  }

  setSnapshot(snapshot: SegmentSnapshot): void {
    this.#pendingSnapshot = snapshot;
    if (this.running) this.#step((segment, now) => segment.setSnapshot(snapshot, now));
  }

  /** The MAC that it answers an ARP request with. */
  answer(ip: string): Uint8Array | undefined {
    return this.running && this.localMs() < this.#validUntilMs ? this.#table.get(ip) : undefined;
  }

  #step(run: (segment: Segment, now: number) => Effects): Effects | undefined {
    const { segment } = this;
    if (segment === undefined) return undefined;
    const effects = run(segment, this.localMs());
    if (effects.table !== undefined) this.#table = effects.table;
    this.#validUntilMs = this.localMs() + effects.validForMs;
    if (effects.validForMs > 0) this.started = true;
    else if (effects.discardQueued) this.started = false;
    for (const { ip, what, cause } of effects.changes) this.changes.push({ atMs: this.world.now(), ip, what, cause });
    for (const frame of effects.frames) this.world.send(this, frame);
    this.#record(segment);
    const wake = ++this.#wake;
    const delayMs = Math.max(0, segment.nextWake() - this.localMs()) / this.clock.rate;
    this.world.after(delayMs + 0.05, () => {
      if (wake === this.#wake && this.running) this.#step((again, now) => again.tick(now));
    });
    return effects;
  }

  /** Has the claims recorded that are announced, once the start is over. */
  #record(segment: Segment): void {
    if (!this.started || segment.claims === this.#recordedClaims) return;
    this.#recordedClaims = segment.claims;
    const announced = segment.claims.filter(({ tentative }) => !tentative);
    this.wantedRecord = new Map(announced.map(({ ip, epoch }) => [ip, epoch]));
    this.world.writeRecord(this);
  }
}
