/** Every time of the protocol, in ms. All but the last group grow with the hello interval; docs/wire.md says why each. */
export interface Timing {
  readonly helloMs: number;
  /** Silence after which a neighbour is dead. */
  readonly detectMs: number;
  /** A sleep of this process that makes all it knows stale. */
  readonly stallMs: number;
  /** How long the responder answers without hearing from the protocol. */
  readonly validForMs: number;
  /** How long a neighbour's missing claims are waited for. */
  readonly claimsWaitMs: number;
  /** How long each contender waits for the one before it. */
  readonly stepMs: number;
  /** How long a node that starts counts as holding what it held, and as a contender. */
  readonly startingHoldMs: number;

  readonly rejoinMs: number;
  /** Least time between two hellos. */
  readonly helloGapMs: number;
  readonly requestMs: number;
  /** Most often that all claims are sent. */
  readonly fullGapMs: number;
  /** How long a removal goes into full frames. */
  readonly removalMs: number;
  /** How long a leaver waits for its successors. */
  readonly leaveMs: number;
}

/** Silence in hello intervals after which a neighbour is dead: three lost hellos, and a little for jitter. */
const DETECT = 3.3;

/**
 * Silence in hello intervals after which a neighbour is no argument for a majority any more. Nodes that fall silent at
 * once are noticed up to one interval apart, so this is less than DETECT by more than one.
 */
const DOUBT = 2.15;

/** Derives all times from the hello interval. */
export function timing(helloMs: number): Timing {
  return {
    helloMs,
    detectMs: detectionTime(helloMs),
    stallMs: 3 * helloMs,
    validForMs: 4 * helloMs,
    claimsWaitMs: 3 * helloMs,
    stepMs: 3 * helloMs,
    startingHoldMs: 7 * helloMs,
    rejoinMs: 10_000,
    helloGapMs: 20,
    requestMs: 50,
    fullGapMs: 30,
    removalMs: 10_000,
    leaveMs: 2000,
  };
}

/** Gives the silence, in ms, after which a node that says hello every `helloMs` is dead. */
export function detectionTime(helloMs: number): number {
  return helloMs * DETECT;
}

/** Gives the silence, in ms, after which a node that says hello every `helloMs` may be dead. */
export function doubtTime(helloMs: number): number {
  return helloMs * DOUBT;
}
