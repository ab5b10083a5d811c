/** The most that the API server takes: with more it would refuse the whole status. */
export const MOST_INTERFACES = 64;
export const MOST_SUBNETS = 256;
/** Those that are not heard come first; the object goes to every speaker, so it stays small. */
export const MOST_NEIGHBOURS = 128;
export const MOST_CONFLICTS = 256;

/** What another speaker is to one; docs/wire.md explains each. */
export const NEIGHBOUR_STATES = ["Heard", "Indirect", "Away", "Dead", "Gone", "Deaf", "Unknown"] as const;

/** As many as a pool's bgp entry may name. */
export const MOST_PEERS = 64;

/** What is known of the node's gobgpd; docs/bgp.md explains each. */
export const GOBGPD_STATES = ["Running", "Away", "Frozen", "TooOld", "Refused", "Unknown"] as const;

/** Those of RFC 4271 section 8.2.2; Refused: Herald does not open it, and lastError says why. Unknown: gobgpd does not say. */
export const SESSION_STATES = [
  "Idle",
  "Connect",
  "Active",
  "OpenSent",
  "OpenConfirm",
  "Established",
  "Refused",
  "Unknown",
] as const;

/** Those of RFC 5880 section 6.2. */
export const BFD_STATES = ["AdminDown", "Down", "Init", "Up"] as const;

/** Why a node announces nothing though its sessions are open; docs/bgp.md explains each. */
export const WITHDRAWN_REASONS = ["NotForwarding", "Evacuated"] as const;
