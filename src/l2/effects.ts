import type { DropReason } from "./frame.ts";

/** Something happened to an IP on this node. `cause` is a reason of src/election/ownership.ts, or one of the start. */
export interface OwnershipChange {
  readonly ip: string;
  readonly what: "Claimed" | "Yielding" | "Kept" | "Released" | "Lost";
  readonly cause: string;
  readonly epoch: bigint;
}

/** A claim as it stands in a Speaker object. */
export interface RecordedClaim {
  readonly ip: string;
  readonly epoch: bigint;
}

/**
 * What the shell is to do, in the order of the fields. An absent or empty field asks for nothing.
 * Answering comes first because a loser must have stopped before its frames say so.
 */
export interface Effects {
  /** The responder may answer for so long from now; 0: it stops now, before anything else. */
  readonly validForMs: number;
  /** All frames received before now are stale: drop those that still wait to be given to `hear`. */
  readonly discardQueued: boolean;
  /** IP to the MAC to answer with: replaces the responder's table. */
  readonly table?: ReadonlyMap<string, Uint8Array>;
  /** Whole Ethernet frames to send, in this order. */
  readonly frames: readonly Uint8Array[];
  /** What happened, by IP. */
  readonly changes: readonly OwnershipChange[];
  /** The claims changed: write these, by IP, into the Speaker object in place of those there. */
  readonly record?: readonly RecordedClaim[];
}

/** A neighbour, for status and tests. */
export interface NeighbourView {
  readonly node: string;
  readonly state: "Heard" | "Dead";
  readonly incarnation: bigint;
  readonly mac: Uint8Array;
  readonly starting: boolean;
  readonly leaving: boolean;
  /** It was dead less than 10 s ago. */
  readonly rejoining: boolean;
  /** Not all of its claims are known. */
  readonly claimsMissing: boolean;
  readonly claims: number;
}

/** The state of a segment as plain data, by name. */
export interface SegmentView {
  /** Answers for nothing yet. */
  readonly starting: boolean;
  /** Asked to leave, and all is handed over, or nobody is there to take it, or it took too long. */
  readonly left: boolean;
  readonly incarnation: bigint;
  readonly neighbours: readonly NeighbourView[];
  readonly claims: readonly { readonly ip: string; readonly epoch: bigint; readonly yielding: boolean }[];
  /** Frames not taken since the start, by reason. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}
