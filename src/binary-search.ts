/**
 * Gives the index of the first item that is not before what is looked for; the length where all are. `isBefore` has to be
 * true of a first part of the items, and of no other.
 */
export function firstNotBefore<T>(sorted: readonly T[], isBefore: (item: T) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(sorted[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
