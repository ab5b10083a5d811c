import type { Candidate } from "../election/candidates.ts";
import type { NodeRecord } from "./epoch-history.ts";
import type { TimerSettings } from "./timing.ts";

export interface SegmentConfig extends TimerSettings {
  readonly node: string;
  /** The secret that all speakers of the cluster share; not empty. */
  readonly key: Uint8Array;
  /** Higher at each start of this node's speaker: milliseconds since 1970 will do. */
  readonly incarnation: bigint;
  readonly mac: Uint8Array;
  /** Own IPv4 address on the segment; "" where there is none. */
  readonly address: string;
  /** Own IPv6 address, best a link-local one; "" or absent where there is none. */
  readonly address6?: string;
  /** The MAC is not the one with which this node claimed before: what it takes up again must be announced. */
  readonly macChanged?: boolean;
  /** Announcements, in frames each second, at most; 10 000 where absent. */
  readonly announceRate?: number;
  /** How often each IP is announced though nothing happens; a minute where absent, 0: never. */
  readonly refreshMs?: number;
  /** Gives a number in [0, 1), to spread refreshes; where absent they are not. */
  readonly random?: () => number;
}

/** What the API says, for one segment. All IPs are in canonical text. */
export interface SegmentSnapshot {
  /** Per watched kind the newest resourceVersion of an object or a delete event seen. */
  readonly versions: ReadonlyMap<string, string>;
  /** Each assigned IP with its candidates; none: nobody may have it. */
  readonly ips: ReadonlyMap<string, readonly Candidate[]>;
  /** Of each node with a Speaker object that has this segment, this node too: its claims here, or none. */
  readonly records: readonly NodeRecord[];
  /** The nodes whose speaker's Pod is Ready; absent: not known of any. */
  readonly ready?: ReadonlySet<string>;
}

/** What is asked of this node or wrong with it, whatever the segment. */
export interface NodeConditions {
  /** It is to give its IPs away, and take none where another can. */
  readonly evacuating: boolean;
  /** Its node proxy says that it does not forward. */
  readonly notForwarding: boolean;
}
