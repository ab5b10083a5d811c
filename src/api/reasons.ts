/** The reasons that Herald's conditions have; docs/reasons.md explains each to users. */

/** Of the condition heraldlb.io/Assigned on a Service. */
export const ASSIGNED_REASONS = ["Assigned", "NoPool", "NoFittingPool", "PoolExhausted"] as const;

/** Of the condition Ready on an IPPool. */
export const POOL_READY_REASONS = ["Valid", "InvalidAddresses"] as const;
