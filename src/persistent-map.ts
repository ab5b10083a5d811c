/** So many parts a map has: a change copies one of them, a comparison looks into those that differ. */
const PARTS = 256;

/**
 * A map by text that never changes: what it becomes with some entries changed is another, which shares the rest with it.
 * So of two that came from each other what differs is found without looking at all of it. Its order is its own.
 */
export class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly #parts: readonly (ReadonlyMap<string, V> | undefined)[];
  readonly size: number;

  private constructor(parts: readonly (ReadonlyMap<string, V> | undefined)[], size: number) {
    this.#parts = parts;
    this.size = size;
  }

  static from<V>(entries: Iterable<readonly [key: string, value: V]>): PersistentMap<V> {
    return new PersistentMap<V>(new Array(PARTS).fill(undefined), 0).with(entries);
  }

  get(key: string): V | undefined {
    return this.#parts[partOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#parts[partOf(key)]?.has(key) ?? false;
  }

  /** Gives the map with these entries set; undefined takes an entry away. The same map where nothing changes. */
  with(changes: Iterable<readonly [key: string, value: V | undefined]>): PersistentMap<V> {
    const parts = [...this.#parts];
    const own = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of changes) {
      const at = partOf(key);
      const before = parts[at]?.get(key);
      if (before === value) continue;
      const part = own.get(at) ?? new Map(parts[at]);
      if (value === undefined) part.delete(key);
      else part.set(key, value);
      size += Number(value !== undefined) - Number(before !== undefined);
      own.set(at, part);
      parts[at] = part;
    }
    for (const [at, part] of own) if (part.size === 0) parts[at] = undefined;
    return own.size === 0 ? this : new PersistentMap(parts, size);
  }

  /** Gives the keys whose values are not the same object, or equal primitives, in both. */
  differences(other: PersistentMap<V>): string[] {
    const found: string[] = [];
    for (const [at, ours = EMPTY] of this.#parts.entries()) {
      const theirs = other.#parts[at] ?? EMPTY;
      if (ours === theirs) continue;
      for (const [key, value] of ours) if (theirs.get(key) !== value) found.push(key);
      for (const key of theirs.keys()) if (!ours.has(key)) found.push(key);
    }
    return found;
  }

  *entries(): MapIterator<[string, V]> {
    for (const part of this.#parts) if (part !== undefined) yield* part;
  }

  *keys(): MapIterator<string> {
    for (const part of this.#parts) if (part !== undefined) yield* part.keys();
  }

  *values(): MapIterator<V> {
    for (const part of this.#parts) if (part !== undefined) yield* part.values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(call: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) call(value, key, this);
  }
}

const EMPTY: ReadonlyMap<string, never> = new Map<string, never>();

/** FNV-1a over the text's code units, folded: keys that differ in one digit lie in different parts. */
function partOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return ((hash >>> 16) ^ hash) & (PARTS - 1);
}

/** Gives the keys whose values are not the same in both; of two maps that came from each other without looking at all. */
export function differences<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): readonly string[] {
  if (before === after) return [];
  const [was, is] = [before, after].map((map) => (map instanceof PersistentMap ? map : PersistentMap.from(map)));
  return (was as PersistentMap<V>).differences(is as PersistentMap<V>);
}
