import type { SegmentSnapshot, SegmentView } from "../l2/segment.ts";
import type { SegmentUpdate } from "./segment-update.ts";

/**
 * What the speaker's main thread and its segment thread tell each other. The main thread reads the API; the segment
 * thread, whose small heap makes no long pauses, keeps the protocol's time. All of it is plain data that can be cloned.
 */

/** How a segment thread starts; handed over as workerData. */
export interface SegmentThreadConfig {
  readonly node: string;
  readonly key: Uint8Array;
  readonly helloIntervalMs: number;
}

/** An interface to announce on, with what the API says for its segment. */
export interface SegmentInput {
  readonly interface: string;
  /** This node's own IPv4 address there. */
  readonly address: string;
  readonly snapshot: SegmentSnapshot;
}

export type ToSegmentThread =
  /** What is new, and all interfaces to announce on: one that is missing is closed, one that can't be used is tried again. */
  | { readonly what: "update"; readonly interfaces: readonly string[]; readonly updates: readonly SegmentUpdate[] }
  /** Hand everything over, then answer "left". */
  | { readonly what: "leave" };

export interface SegmentState {
  readonly interface: string;
  readonly up: boolean;
  readonly view: Omit<SegmentView, "claims">;
  /** The same array until something changes. */
  readonly claims: SegmentView["claims"];
  /** Totals since the interface was opened, by name. */
  readonly counters: Readonly<Record<string, number>>;
}

export interface OwnershipChange {
  readonly interface: string;
  readonly ip: string;
  readonly what: string;
  readonly cause: string;
  readonly epoch: bigint;
}

/** A state without what was told before: 10 000 claims are not copied each second. */
export type SegmentReport = Omit<SegmentState, "claims"> & Partial<Pick<SegmentState, "claims">>;

export type FromSegmentThread =
  | { readonly what: "state"; readonly segments: readonly SegmentReport[]; readonly longestSleepMs: number }
  | { readonly what: "changes"; readonly changes: readonly OwnershipChange[] }
  /** An interface can't be used; it is tried again at the next update. */
  | { readonly what: "problem"; readonly interface: string; readonly message: string }
  | { readonly what: "left" };
