import type { ClaimView } from "./claim-book.ts";
import type { DropReason } from "./frame.ts";

/** Something happened to an IP on this node. `cause` is a reason of src/election/ownership.ts, or one of the start. */
export interface OwnershipChange {
  readonly ip: string;
  readonly what: "Claimed" | "Yielding" | "Kept" | "Released" | "Lost" | "Announced" | "Conflict" | "ConflictOver";
  readonly cause: string;
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
  /** What ARP and NDP tell of these IPs is wanted too, in place of those before: others' addresses, and IPs that are asked for. */
  readonly watch?: { readonly heard: readonly string[]; readonly probed: readonly string[] };
}

/**
 * What a node is to this one. Heard: its hellos come. Indirect: not heard here, but by another that hears this node too.
 * Away: its kernel answers, its speaker does not. Dead: neither does. Gone: it was away for too long. Deaf: it speaks,
 * but hears nothing. Unknown: there is only a record of it.
 */
export type NeighbourState = "Heard" | "Indirect" | "Away" | "Dead" | "Gone" | "Deaf" | "Unknown";

/** A neighbour, for status and tests. */
export interface NeighbourView {
  readonly node: string;
  readonly state: NeighbourState;
  /** When its last hello came, on the clock that the Segment is given; undefined: none did. */
  readonly lastHeardMs: number | undefined;
  readonly incarnation: bigint;
  readonly mac: Uint8Array;
  readonly starting: boolean;
  readonly leaving: boolean;
  /** Its node proxy says that it does not forward. */
  readonly notForwarding: boolean;
  /** It was dead less than 10 s ago. */
  readonly rejoining: boolean;
  /** Not all of its claims are known. */
  readonly claimsMissing: boolean;
  readonly claims: number;
}

/** This node answers for so many IPs of another. */
export interface DeputyView {
  readonly node: string;
  readonly addresses: number;
}

/** Another MAC that says it has an IP that this node claims. */
export interface ConflictView {
  readonly ip: string;
  /** In colon notation. */
  readonly mac: string;
  /** The node whose MAC that is, where it is one: its kernel or node proxy answers for the IP. */
  readonly node: string | undefined;
  /** The IP is announced nevertheless: it was before the conflict, or the MAC is a node's. */
  readonly announced: boolean;
  readonly sinceMs: number;
}

/** The state of a segment as plain data, by name. */
export interface SegmentView {
  /** Answers for nothing yet. */
  readonly starting: boolean;
  /** Asked to leave or restart, and all is handed over, or nobody is there to take it, or it took too long. */
  readonly left: boolean;
  readonly incarnation: bigint;
  readonly neighbours: readonly NeighbourView[];
  readonly claims: readonly ClaimView[];
  /** For how many IPs this node answers with another's MAC, by node. */
  readonly deputyFor: readonly DeputyView[];
  readonly conflicts: readonly ConflictView[];
  /** This node hears nothing at all. */
  readonly isolated: boolean;
  /** Neighbours' hellos come, but not their announcements: the interface or the switch drops broadcasts. */
  readonly hearsNoBroadcast: boolean;
  /** Nodes whose hellos don't come though the API shows their speaker ready and their kernel answers: something filters them. */
  readonly helloBlocked: readonly string[];
  /** Nodes that go by other timers than this one. */
  readonly otherTimers: readonly {
    readonly node: string;
    readonly helloIntervalMs: number;
    readonly multiplier: number;
    readonly restartGraceMs: number;
  }[];
  /** Frames not taken since the start, by reason. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}
