/** The reasons that Herald's conditions have; docs/reasons.md explains each to users. */

/** Of the condition heraldlb.io/Assigned on a Service. */
export const ASSIGNED_REASONS = [
  "Assigned",
  "NoPool",
  "NoFittingPool",
  "PoolExhausted",
  "InvalidRequest",
  "ConflictingRequests",
  "WrongFamily",
  "UnknownPool",
  "PoolNotUsable",
  "IPOutsidePools",
  "IPNotInPool",
  "IPsInDifferentPools",
  "IPExcluded",
  "IPAvoided",
  "IPInUse",
  "SharingRefused",
] as const;

/** Of the condition heraldlb.io/Stranded on a Service. */
export const STRANDED_REASONS = [
  "PoolGone",
  "OutsidePool",
  "Excluded",
  "Avoided",
  "NamespaceSelector",
  "ServiceSelector",
] as const;

/** Of the condition heraldlb.io/Announced on a Service. */
export const ANNOUNCED_REASONS = [
  "Layer2",
  "BGP",
  "Layer2AndBGP",
  "AddressConflict",
  "NoEndpoints",
  "NoCandidate",
  "NoSpeaker",
  "NoBGPPeer",
  "NoBGPSession",
  "NoNextHop",
  "Pending",
  "NotAnnounced",
  "NoPool",
] as const;

/** Of the condition Ready on an IPPool. */
export const POOL_READY_REASONS = ["Valid", "InvalidSpec", "Overlapping", "Disabled", "Terminating"] as const;

/** Of the condition Overlapping on an IPPool. */
export const POOL_OVERLAPPING_REASONS = ["Overlapping", "NoOverlap"] as const;

/** Of the condition Exhausted on an IPPool. */
export const POOL_EXHAUSTED_REASONS = ["Exhausted", "AddressesAvailable", "NotReady"] as const;

/** Of the condition Stranded on an IPPool. */
export const POOL_STRANDED_REASONS = ["Stranded", "NoneStranded"] as const;

/** Of the condition HelloBlocked on a Speaker. */
export const SPEAKER_HELLO_BLOCKED_REASONS = ["HellosMissing", "HellosHeard"] as const;

/** Of the condition Isolated on a Speaker. */
export const SPEAKER_ISOLATED_REASONS = ["NothingHeard", "Connected"] as const;

/** Of the condition AddressConflict on a Speaker. */
export const SPEAKER_CONFLICT_REASONS = ["StrangerAnswers", "NodeAnswers", "NoConflict"] as const;

/** Of the condition TimersDiffer on a Speaker. */
export const SPEAKER_TIMERS_REASONS = ["OtherTimers", "SameTimers"] as const;

/** Of the condition BroadcastBlocked on a Speaker. */
export const SPEAKER_BROADCAST_REASONS = ["BroadcastsMissing", "BroadcastsHeard"] as const;

/** Of the condition GobgpUnavailable on a Speaker. */
export const SPEAKER_GOBGP_REASONS = ["Away", "Frozen", "TooOld", "Refused", "Available"] as const;

/** Of the condition PeerRefused on a Speaker. */
export const SPEAKER_PEER_REFUSED_REASONS = [
  "PasswordMissing",
  "SecretsUnreadable",
  "CannotListen",
  "SameRouter",
  "RouterIDsDiffer",
  "InvalidSpec",
  "NoneRefused",
] as const;

/** Of the condition SessionDown on a Speaker. */
export const SPEAKER_SESSION_REASONS = ["NotEstablished", "AllEstablished"] as const;

/** Of the condition NextHopMissing on a Speaker. */
export const SPEAKER_NEXT_HOP_REASONS = ["NoAddress", "NoneMissing"] as const;

/** Of events on a BGPPeer. */
export const BGP_EVENT_REASONS = ["BGPSessionUp", "BGPSessionDown"] as const;
