import { boottimeMs, openPacketSocket, type PacketSocket } from "../l2/packet-socket.ts";
import { type Effects, Segment, type SegmentSnapshot } from "../l2/segment.ts";
import type { OwnershipChange, SegmentState, SegmentThreadConfig } from "./segment-messages.ts";

export interface SegmentHostDeps extends SegmentThreadConfig {
  readonly interface: string;
  readonly address: string;
  readonly changed: (changes: readonly OwnershipChange[]) => void;
  /** Something that belongs into the status happened. */
  readonly touched: () => void;
  /** The socket can't do its work any more: close it. */
  readonly failed: (error: Error) => void;
}

/**
 * Runs the protocol on one interface: gives the state machine its frames, ticks and snapshots, and does what it
 * returns. Every step happens at once and in the order of the returned effects.
 */
export class SegmentHost {
  readonly #deps: SegmentHostDeps;
  readonly #socket: PacketSocket;
  #segment: Segment;
  #address: string;
  #mac: Uint8Array;
  #up = true;
  #snapshot: SegmentSnapshot | undefined;
  #timer: NodeJS.Timeout | undefined;
  #longestSleepMs = 0;

  /** Opens the interface; throws NoSuchInterface or NoPacketSocket. */
  constructor(deps: SegmentHostDeps) {
    this.#deps = deps;
    this.#socket = openPacketSocket({
      interface: deps.interface,
      onFrames: (frames) => this.#hear(frames),
      onLink: (link) => this.#linkChanged(link),
      onError: (error) => deps.failed(error),
    });
    this.#mac = this.#socket.mac;
    this.#address = deps.address;
    this.#segment = this.#newSegment(BigInt(Date.now()), false);
    this.#step((now) => this.#segment.tick(now));
  }

  /** `address`: this node's own here. */
  update(address: string, snapshot: SegmentSnapshot): void {
    this.#address = address;
    this.#segment.moveTo(address);
    this.#snapshot = snapshot;
    this.#step((now) => this.#segment.setSnapshot(snapshot, now));
  }

  /** Starts to hand over; `left` tells when nothing is owned any more. */
  leave(): void {
    this.#step((now) => this.#segment.leave(now));
  }

  get left(): boolean {
    return this.#segment.view().left;
  }

  state(): SegmentState {
    const { claims, ...view } = this.#segment.view();
    return {
      interface: this.#deps.interface,
      up: this.#up,
      view,
      claims,
      counters: this.#socket.counters(),
    };
  }

  /** The longest time by which a timer came late since this was last asked, in ms. */
  takeLongestSleep(): number {
    const longest = this.#longestSleepMs;
    this.#longestSleepMs = 0;
    return longest;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #newSegment(incarnation: bigint, macChanged: boolean): Segment {
    const { node, key, helloIntervalMs } = this.#deps;
    const config = { node, key, helloIntervalMs, address: this.#address, incarnation, mac: this.#mac, macChanged };
    return new Segment(config, boottimeMs());
  }

  #hear(frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.#step((now) => this.#segment.hear(frame, now));
  }

  #linkChanged(link: { readonly up: boolean; readonly mac: Uint8Array } | undefined): void {
    this.#up = link?.up ?? false;
    if (link !== undefined && Buffer.compare(link.mac, this.#mac) !== 0) {
      // Others know this node by its old MAC: begin anew, as after a restart.
      this.#mac = Uint8Array.from(link.mac);
      this.#socket.renew(0);
      const next = this.#segment.view().incarnation + 1n; // the clock may be behind it
      const clock = BigInt(Date.now());
      this.#segment = this.#newSegment(clock > next ? clock : next, true);
      if (this.#snapshot === undefined) this.#step((now) => this.#segment.tick(now));
      else this.update(this.#address, this.#snapshot);
    }
    this.#deps.touched();
  }

  #step(run: (nowMs: number) => Effects): void {
    this.#apply(run(boottimeMs()));
    clearTimeout(this.#timer);
    const due = this.#segment.nextWake();
    this.#timer = setTimeout(
      () => {
        this.#longestSleepMs = Math.max(this.#longestSleepMs, boottimeMs() - due);
        this.#step((now) => this.#segment.tick(now));
      },
      Math.max(0, Math.ceil(due - boottimeMs())),
    );
  }

  #apply(effects: Effects): void {
    if (effects.validForMs === 0) this.#socket.renew(0); // stop answering before anything else
    if (effects.discardQueued) this.#socket.discardQueued();
    if (effects.table !== undefined) this.#socket.setTable(effects.table);
    if (effects.validForMs > 0) this.#socket.renew(effects.validForMs);
    if (effects.frames.length > 0) this.#socket.send(effects.frames);
    if (effects.changes.length > 0) {
      const { interface: name } = this.#deps;
      this.#deps.changed(effects.changes.map((change) => ({ interface: name, ...change })));
      this.#deps.touched();
    }
  }
}
