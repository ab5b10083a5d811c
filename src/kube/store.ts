import { firstNotBefore } from "../binary-search.ts";
import { type Log, noLog } from "../log.ts";
import { type Kept, keyOf } from "./resource.ts";
import { compareVersions } from "./version.ts";

/** One object came (`after` only), changed (both) or went (`before` only). A re-created object goes and then comes. */
export interface Change<T> {
  readonly key: string;
  readonly before?: T;
  readonly after?: T;
}

/** Gives the values under which an object is found by one index. */
export type Index<T> = (object: T) => readonly string[];

/** The objects of one kind as last heard of, with indexes that are kept up to date. A Reflector fills it. */
export class Store<T extends Kept> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, { readonly values: Index<T>; readonly found: Map<string, readonly T[]> }>;
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #log: Log;
  #sorted: readonly T[] | undefined = [];
  #synced = false;
  #version = "";

  constructor(indexes: Readonly<Record<string, Index<T>>> = {}, log: Log = noLog) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, values]) => [name, { values, found: new Map() }]));
    this.#log = log;
  }

  /** Whether all objects have been listed once; stays true. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The newest resourceVersion of an object or a delete event seen, never a list's or a bookmark's; "" at first. */
  get version(): string {
    return this.#version;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** All objects by key; the same array until something changes. */
  list(): readonly T[] {
    this.#sorted ??= sorted(this.#objects);
    return this.#sorted;
  }

  /**
   * The objects that `index` has under `value`, by key; the same array until one of them changes. Throws for an index that
   * the store was not made with.
   */
  by(index: string, value: string): readonly T[] {
    const all = this.#indexes.get(index)?.found;
    if (all === undefined) throw new RangeError(`no index ${index}`);
    return all.get(value) ?? NONE;
  }

  /** Calls `listener` after each change; one that throws is logged, and the others still hear. Gives the way to stop. */
  onChange(listener: (change: Change<T>) => void): () => void {
    const own = (change: Change<T>) => listener(change); // the same function may listen twice
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Takes an object as it is now; the same resourceVersion again is no change. */
  put(object: T): void {
    this.#see(object.meta.resourceVersion);
    const key = keyOf(object.meta);
    const before = this.#objects.get(key);
    if (before !== undefined && before.meta.uid !== object.meta.uid) {
      this.#set(key, before, undefined);
      this.#set(key, undefined, object);
    } else if (before?.meta.resourceVersion !== object.meta.resourceVersion) {
      this.#set(key, before, object);
    }
  }

  /** Forgets an object; `version` is the resourceVersion of the delete event. */
  remove(key: string, version: string): void {
    const before = this.#objects.get(key);
    if (before === undefined) return; // never wanted, so no event of this store
    this.#see(version);
    this.#set(key, before, undefined);
  }

  /** Takes the whole list: what is not in it is gone. */
  replace(objects: Iterable<T>): void {
    const listed = new Map<string, T>();
    for (const object of objects) listed.set(keyOf(object.meta), object);
    for (const [key, before] of [...this.#objects]) if (!listed.has(key)) this.#set(key, before, undefined);
    for (const object of listed.values()) this.put(object);
    this.#synced = true;
  }

  #see(version: string): void {
    if (compareVersions(version, this.#version) > 0) this.#version = version;
  }

  #set(key: string, before: T | undefined, after: T | undefined): void {
    if (before !== undefined) this.#unindex(before);
    if (after === undefined) this.#objects.delete(key);
    else {
      this.#objects.set(key, after);
      this.#index(key, after);
    }
    this.#sorted = undefined;
    const change = { key, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    for (const listener of [...this.#listeners]) {
      try {
        listener(change);
      } catch (error) {
        this.#log.error("a listener to changes threw", { key, error });
      }
    }
  }

  #index(key: string, object: T): void {
    for (const { values, found } of this.#indexes.values())
      for (const value of values(object)) found.set(value, withObject(found.get(value) ?? NONE, key, object));
  }

  #unindex(object: T): void {
    for (const { values, found } of this.#indexes.values()) {
      for (const value of values(object)) {
        const left = without(found.get(value) ?? NONE, object);
        if (left.length === 0) found.delete(value);
        else found.set(value, left);
      }
    }
  }
}

const NONE: readonly never[] = [];

function sorted<T>(objects: ReadonlyMap<string, T>): readonly T[] {
  return [...objects].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, object]) => object);
}

/** Gives `objects`, which are by key, with one more. */
function withObject<T extends Kept>(objects: readonly T[], key: string, object: T): readonly T[] {
  const at = firstNotBefore(objects, ({ meta }) => keyOf(meta) < key);
  return objects[at] === object ? objects : objects.toSpliced(at, 0, object);
}

function without<T>(objects: readonly T[], object: T): readonly T[] {
  const at = objects.indexOf(object);
  return at < 0 ? objects : objects.toSpliced(at, 1);
}
