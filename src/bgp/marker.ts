/**
 * A route that follows a profile carries it as a large community that never leaves the node: 0:MARKER:profile. Nobody
 * else's can be the same, as RFC 8092, section 5, reserves the global administrator 0.
 */
const GLOBAL_ADMIN = 0;
/** "LB". */
const MARKER = 0x4c42;

/** Gives the marker of a profile. */
export function markerOf(profile: number): {
  readonly global_admin: number;
  readonly local_data1: number;
  readonly local_data2: number;
} {
  return { global_admin: GLOBAL_ADMIN, local_data1: MARKER, local_data2: profile };
}

/** Gives the profile that a large community names, or undefined where it is none of Herald's markers. */
export function profileOf(community: {
  readonly global_admin: number;
  readonly local_data1: number;
  readonly local_data2: number;
}): number | undefined {
  const { global_admin, local_data1, local_data2 } = community;
  return global_admin === GLOBAL_ADMIN && local_data1 === MARKER ? local_data2 : undefined;
}

/** Regular expressions, as gobgpd matches communities by them. */
export const ANY_MARKER = `^${GLOBAL_ADMIN}:${MARKER}:.*$`;
export function markerPattern(profile: number): string {
  return `^${GLOBAL_ADMIN}:${MARKER}:${profile}$`;
}
