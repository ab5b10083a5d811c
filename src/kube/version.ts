/**
 * Compares two resourceVersions of one kind: below 0 where `a` is older, 0 where equal, above 0 where `a` is newer; ""
 * is older than any. They are decimal numbers without leading zeros that may exceed 2^53 (Kubernetes API concepts,
 * "Resource versions").
 */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
