import type { ClaimNews, ClaimView, NodeConditions, SegmentSnapshot, SegmentView } from "../l2/segment.ts";
import type { TimerSettings } from "../l2/timing.ts";
import type { PersistentMap } from "../persistent-map.ts";
import type { SegmentUpdate } from "./segment-update.ts";
import type { SentKind } from "./sent-frames.ts";

/**
 * What the speaker's main thread and its segment thread tell each other. The main thread reads the API; the segment
 * thread, whose small heap makes no long pauses, keeps the protocol's time. All of it is plain data that can be cloned,
 * but for the claims of SegmentState, which the main thread puts together.
 */

/** How a segment thread starts; handed over as workerData. */
export interface SegmentThreadConfig extends TimerSettings {
  readonly node: string;
  readonly key: Uint8Array;
}

/** An interface to announce on, with what the API says for its segment. */
export interface SegmentInput {
  readonly interface: string;
  /** This node's own IPv4 address there; "" where there is none. */
  readonly address: string;
  /** Its IPv6 address there, best the link-local one; "" where there is none. */
  readonly address6: string;
  /** The IPs of the segment's routers. */
  readonly gateways: readonly string[];
  /** The MAC that this node's Speaker object has for it; undefined where it has none. */
  readonly recordedMac: string | undefined;
  readonly snapshot: SegmentSnapshot;
}

export type ToSegmentThread =
  /** What is new, and all interfaces to announce on: one that is missing is closed, one that can't be used is tried again. */
  | { readonly what: "update"; readonly interfaces: readonly string[]; readonly updates: readonly SegmentUpdate[] }
  | { readonly what: "conditions"; readonly conditions: NodeConditions }
  /** End, then answer "left". */
  | { readonly what: "leave"; readonly how: Leave };

/**
 * How a speaker ends. Restart: it is back soon, so the node keeps its IPs, and the others answer with its MAC meanwhile.
 * HandOver: the others take its IPs before it stops to answer.
 */
export type Leave = "Restart" | "HandOver";

export interface SegmentState {
  readonly interface: string;
  readonly up: boolean;
  readonly view: Omit<SegmentView, "claims">;
  /** By IP; the same map until something changes. */
  readonly claims: PersistentMap<ClaimView>;
  /** Totals since the interface was opened, by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** Frames sent since then, by kind. */
  readonly sent: Readonly<Partial<Record<SentKind, number>>>;
  /** How often the protocol slept for too long since then, and started over. */
  readonly stalls: number;
  /** When this was so, on the clock of the view's times. */
  readonly atMs: number;
}

export interface OwnershipChange {
  readonly interface: string;
  readonly ip: string;
  readonly what: string;
  readonly cause: string;
  readonly epoch: bigint;
  /** When, on the clock of SegmentState's times. */
  readonly atMs: number;
}

/** A state as it is told: of 10 000 claims those that changed. */
export interface SegmentReport extends Omit<SegmentState, "claims"> {
  /** What is new since the last report; absent: nothing is. `whole`: what was reported before stands no more. */
  readonly claims?: ClaimNews & { readonly whole: boolean };
}

export type FromSegmentThread =
  | { readonly what: "state"; readonly segments: readonly SegmentReport[]; readonly longestSleepMs: number }
  | { readonly what: "changes"; readonly changes: readonly OwnershipChange[] }
  /** The kernel says that something about an interface changed: look at it. */
  | { readonly what: "link"; readonly interface: string }
  /** An interface can't be used; it is tried again at the next update. */
  | { readonly what: "problem"; readonly interface: string; readonly message: string }
  | { readonly what: "left" };
