import { boottimeMs, type LinkState, openPacketSocket, type PacketSocket } from "../l2/packet-socket.ts";
import { type Effects, type NodeConditions, Segment } from "../l2/segment.ts";
import type { Leave, OwnershipChange, SegmentInput, SegmentReport, SegmentThreadConfig } from "./segment-messages.ts";
import { kindOfSent, type SentKind } from "./sent-frames.ts";

export interface SegmentHostDeps extends SegmentThreadConfig {
  readonly input: SegmentInput;
  readonly conditions: NodeConditions;
  /** The MAC with which this node announced on the interface before, in colon notation; undefined: it did not. */
  readonly formerMac: string | undefined;
  readonly random: () => number;
  readonly changed: (changes: readonly OwnershipChange[]) => void;
  /** Something that belongs into the status happened. */
  readonly touched: () => void;
  /** The kernel says that something about the interface changed. */
  readonly linkChanged: () => void;
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
  /** Claims of #segment were reported. */
  #reported = false;
  #input: SegmentInput;
  #conditions: NodeConditions;
  #leave: Leave | undefined;
  #mac: Uint8Array;
  #up = true;
  #gone = false;
  #timer: NodeJS.Timeout | undefined;
  #due: NodeJS.Immediate | undefined;
  #longestSleepMs = 0;
  #stalls = 0;
  readonly #sent: Partial<Record<SentKind, number>> = {};

  /** Opens the interface; throws NoSuchInterface or NoPacketSocket. */
  constructor(deps: SegmentHostDeps) {
    this.#deps = deps;
    this.#input = deps.input;
    this.#conditions = deps.conditions;
    this.#socket = openPacketSocket({
      interface: deps.input.interface,
      onFrames: (frames) => this.#hear(frames),
      onLink: (link) => this.#linkChanged(link),
      onError: (error) => deps.failed(error),
    });
    this.#mac = this.#socket.mac;
    const macChanged = deps.formerMac !== undefined && deps.formerMac !== this.mac;
    this.#segment = this.#newSegment(BigInt(Date.now()), macChanged);
    this.#begin();
  }

  /** In colon notation. */
  get mac(): string {
    return [...this.#mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  }

  /** The interface is not there any more. */
  get gone(): boolean {
    return this.#gone;
  }

  update(input: SegmentInput): void {
    this.#input = input;
    this.#segment.moveTo(input.address, input.address6);
    this.#segment.setGateways(input.gateways);
    this.#step((now) => this.#segment.setSnapshot(input.snapshot, now));
  }

  setConditions(conditions: NodeConditions): void {
    this.#conditions = conditions;
    this.#step((now) => this.#segment.setConditions(conditions, now));
  }

  /** Begins to end; `left` tells when nothing is lost if it is closed. */
  leave(how: Leave): void {
    this.#leave = how;
    this.#step((now) => (how === "Restart" ? this.#segment.restart(now) : this.#segment.leave(now)));
  }

  get left(): boolean {
    return this.#segment.summary().left;
  }

  /** Gives the state, and of the claims what changed since the last report. */
  report(): SegmentReport {
    const whole = !this.#reported;
    const news = this.#segment.takeClaimNews();
    this.#reported = true;
    return {
      interface: this.#input.interface,
      up: this.#up,
      view: this.#segment.summary(),
      ...((whole || news.set.length + news.removed.length > 0) && { claims: { whole, ...news } }),
      counters: this.#socket.counters(),
      sent: { ...this.#sent },
      stalls: this.#stalls,
      atMs: boottimeMs(),
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
    clearImmediate(this.#due);
    this.#socket.close();
  }

  #newSegment(incarnation: bigint, macChanged: boolean): Segment {
    const { node, key, helloIntervalMs, detectMultiplier, restartGraceMs, random } = this.#deps;
    const { address, address6 } = this.#input;
    const timers = {
      helloIntervalMs,
      ...(detectMultiplier === undefined ? {} : { detectMultiplier }),
      ...(restartGraceMs === undefined ? {} : { restartGraceMs }),
    };
    const own = { address, address6, incarnation, mac: this.#mac, macChanged };
    return new Segment({ node, key, random, ...timers, ...own }, boottimeMs());
  }

  /** Tells a new segment all that is known. */
  #begin(): void {
    this.#step((now) => this.#segment.setConditions(this.#conditions, now));
    this.update(this.#input);
    if (this.#leave !== undefined) this.leave(this.#leave);
  }

  #hear(frames: readonly Uint8Array[]): void {
    this.#step((now) => this.#segment.hearAll(frames, now));
  }

  #linkChanged(link: LinkState | undefined): void {
    this.#up = link?.up ?? false;
    this.#gone = link === undefined;
    if (link !== undefined && Buffer.compare(link.mac, this.#mac) !== 0) {
      // Others know this node by its old MAC: begin anew, as after a restart.
      this.#mac = Uint8Array.from(link.mac);
      this.#socket.renew(0);
      const next = this.#segment.summary().incarnation + 1n; // the clock may be behind it
      const clock = BigInt(Date.now());
      this.#segment = this.#newSegment(clock > next ? clock : next, true);
      this.#reported = false;
      this.#begin();
    }
    this.#deps.linkChanged();
    this.#deps.touched();
  }

  #step(run: (nowMs: number) => Effects): void {
    this.#apply(run(boottimeMs()));
    clearTimeout(this.#timer);
    const due = this.#segment.nextWake();
    this.#timer = setTimeout(
      () => {
        this.#longestSleepMs = Math.max(this.#longestSleepMs, boottimeMs() - due);
        this.#tickSoon();
      },
      Math.max(0, Math.ceil(due - boottimeMs())),
    );
  }

  /** Ticks when what has come is heard: where this process had to wait for its turn, timers run before frames are given out. */
  #tickSoon(): void {
    clearImmediate(this.#due);
    this.#due = setImmediate(() => this.#step((now) => this.#segment.tick(now)));
  }

  #apply(effects: Effects): void {
    if (effects.validForMs === 0) this.#socket.renew(0); // stop answering before anything else
    if (effects.discardQueued) {
      this.#socket.discardQueued();
      this.#stalls++;
    }
    if (effects.table !== undefined) this.#socket.setTable(effects.table);
    if (effects.validForMs > 0) this.#socket.renew(effects.validForMs);
    if (effects.frames.length > 0) this.#send(effects.frames);
    if (effects.watch !== undefined) this.#socket.watch(effects.watch.heard, effects.watch.probed);
    if (effects.changes.length > 0) {
      const { interface: name } = this.#input;
      const atMs = boottimeMs();
      this.#deps.changed(effects.changes.map((change) => ({ interface: name, atMs, ...change })));
      this.#deps.touched();
    }
  }

  #send(frames: readonly Uint8Array[]): void {
    this.#socket.send(frames);
    for (const frame of frames) {
      const kind = kindOfSent(frame);
      this.#sent[kind] = (this.#sent[kind] ?? 0) + 1;
    }
  }
}
