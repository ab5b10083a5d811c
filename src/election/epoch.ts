/**
 * The highest epoch that is believed. No IP gets there by moving: at 1000 moves a second it would take 9000 years. What is
 * above was not made by these rules, and would be the last word for ever: it counts as 0, alike at both ends of a conflict.
 */
export const MAX_EPOCH = 2n ** 48n - 1n;

/** Reads an epoch from the wire or a record. */
export function believedEpoch(epoch: bigint): bigint {
  return epoch <= MAX_EPOCH ? epoch : 0n;
}

export interface EpochInput {
  /** K: the highest epoch ever known of this IP; 0 where there was none. */
  readonly known: bigint;
  /** At least half of the known nodes are within reach. */
  readonly majority: boolean;
  /** The live claim that is being replaced with its owner's consent, where there is one. */
  readonly yielded?: bigint;
}

/**
 * Gives the epoch of a new claim. A majority's is odd and above all that is known. A minority's is even, and not above
 * what is known, so that its takeover loses when the segment heals; only where it relieves a live owner that yields it
 * must be above that owner's, or the owner would never let go.
 */
export function newEpoch({ known, majority, yielded }: EpochInput): bigint {
  const epoch = majority ? known + 1n + (known & 1n) : minorityEpoch(known, yielded);
  return epoch > MAX_EPOCH ? MAX_EPOCH : epoch;
}

function minorityEpoch(known: bigint, yielded: bigint | undefined): bigint {
  if (yielded === undefined) return known - (known & 1n);
  return yielded + 2n - (yielded & 1n);
}

/** Says whether those within reach, oneself included, are at least half of all known nodes. */
export function isMajority(reachable: number, known: number): boolean {
  return reachable * 2 >= known;
}
