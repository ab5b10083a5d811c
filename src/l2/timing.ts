/** What an operator may set, in ms; all nodes should have the same. */
export interface TimerSettings {
  readonly helloIntervalMs: number;
  /** Lost hellos that make a neighbour silent; 3 where absent. */
  readonly detectMultiplier?: number;
  /** How long a node whose speaker is away keeps its IPs, if the API does not show it ready; 60 s where absent. */
  readonly restartGraceMs?: number;
}

/** Every time of the protocol, in ms. The first group grows with the hello interval; docs/wire.md says why each. */
export interface Timing {
  readonly helloMs: number;
  readonly multiplier: number;
  /** Silence after which a neighbour is no longer heard. */
  readonly detectMs: number;
  /** A sleep of this process that makes all it knows stale. */
  readonly stallMs: number;
  /** How long the responder answers without hearing from the protocol. */
  readonly validForMs: number;
  /** How long a neighbour's missing claims are waited for. */
  readonly claimsWaitMs: number;
  /** How long each contender waits for the one before it. */
  readonly stepMs: number;
  /** How long a node that starts counts as a contender. */
  readonly startingHoldMs: number;
  /** How long a kernel that answered before may be silent; also how long a leaver that restarts goes on answering. */
  readonly kernelMs: number;
  /** Silence of a kernel after which a node that says it hears nothing is believed to be deaf. */
  readonly deafMs: number;
  /** Silence of everything after which this node wants a proof that it still hears. */
  readonly unsureMs: number;

  readonly restartGraceMs: number;
  readonly rejoinMs: number;
  /** How long a dead node must have been dead, and its kernel answer, before its speaker may be taken for away. */
  readonly deadRestMs: number;
  readonly kernelBackMs: number;
  /** When a speaker that is away, though the API shows it ready, is worth an operator's look. */
  readonly helloBlockedMs: number;
  /** How much longer than it takes a neighbour to tell of it an owner's view may be behind. */
  readonly overruleMs: number;
  /** When a dead neighbour without a record is forgotten. */
  readonly forgetMs: number;
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

export const DEFAULT_MULTIPLIER = 3;
export const DEFAULT_RESTART_GRACE_MS = 60_000;

/** A little for jitter, in hello intervals. */
const JITTER = 0.3;

/** Derives all times from the settings. */
export function timing(settings: TimerSettings): Timing {
  const { helloIntervalMs: helloMs, detectMultiplier: multiplier = DEFAULT_MULTIPLIER } = settings;
  return {
    helloMs,
    multiplier,
    detectMs: detectionTime(helloMs, multiplier),
    stallMs: multiplier * helloMs,
    validForMs: (multiplier + 1) * helloMs,
    claimsWaitMs: 3 * helloMs,
    stepMs: 3 * helloMs,
    startingHoldMs: (multiplier + 4) * helloMs,
    kernelMs: 3 * helloMs,
    deafMs: 2 * helloMs,
    unsureMs: 2 * helloMs,
    restartGraceMs: settings.restartGraceMs ?? DEFAULT_RESTART_GRACE_MS,
    rejoinMs: 10_000,
    deadRestMs: 5000,
    kernelBackMs: 3000,
    helloBlockedMs: 2000,
    overruleMs: 2000,
    forgetMs: 600_000,
    helloGapMs: 20,
    requestMs: 50,
    fullGapMs: 30,
    removalMs: 10_000,
    leaveMs: 2000,
  };
}

/** Gives the silence, in ms, after which a node that says hello every `helloMs` is not heard any more. */
export function detectionTime(helloMs: number, multiplier: number): number {
  return helloMs * (multiplier + JITTER);
}

/** Gives the silence, in ms, after which such a node has missed a hello. */
export function missTime(helloMs: number): number {
  return helloMs * (1 + JITTER);
}
