import type { KubeClient } from "../../src/kube/client.ts";
import { oneByOne } from "../unit/one-by-one.ts";

/** What every object has. */
export interface Versioned {
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
}

interface List<T> {
  readonly items: readonly T[];
  readonly metadata: { readonly resourceVersion: string };
}

const RETRY_MS = 50;
const PATIENCE_MS = 30_000;

/** Follows a collection, also over restarts of the API server, and keeps every version of each object. */
export class Follower<T extends Versioned> {
  readonly #client: KubeClient;
  readonly #path: string;
  readonly #over = new AbortController();
  readonly #now = new Map<string, T>();
  readonly #versions = new Map<string, T[]>();
  readonly #hears: ((key: string, version: T | undefined) => void)[] = [];
  readonly #looks = new Set<() => void>();
  #resourceVersion: string | undefined;

  constructor(client: KubeClient, path: string) {
    this.#client = client;
    this.#path = path;
  }

  /** Calls `hear` with each new version of an object, and with undefined for one that is gone. */
  onVersion(hear: (key: string, version: T | undefined) => void): void {
    this.#hears.push(hear);
  }

  all(): readonly T[] {
    return [...this.#now.values()];
  }

  get(key: string): T | undefined {
    return this.#now.get(key);
  }

  /** All versions of the object that has the key, or had it last; those of an earlier one of that name are no more. */
  versions(key: string): readonly T[] {
    return this.#versions.get(key) ?? [];
  }

  /** Waits until `look` gives something; what does not come is explained by `complaint`. */
  async until<R>(look: () => R | undefined, complaint: () => string, patienceMs = PATIENCE_MS): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const again = () => {
      const found = look();
      if (found !== undefined) resolve(found);
    };
    this.#looks.add(again);
    const timer = setTimeout(() => reject(new Error(complaint())), patienceMs);
    again();
    return await promise.finally(() => {
      clearTimeout(timer);
      this.#looks.delete(again);
    });
  }

  /** Follows until stopped. */
  async run(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        await this.#read(signal);
      } catch {
        // The API server is away, or has forgotten the version.
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  stop(): void {
    this.#over.abort();
  }

  async #read(signal: AbortSignal): Promise<void> {
    this.#resourceVersion ??= await this.#list();
    const query = { resourceVersion: this.#resourceVersion };
    for await (const { type, object } of oneByOne(this.#client.watch(this.#path, query, signal))) {
      if (type === "ERROR") {
        this.#resourceVersion = undefined;
        return;
      }
      const one = object as T;
      this.#resourceVersion = one.metadata.resourceVersion;
      this.#take(one, type === "DELETED");
      this.#tell();
    }
  }

  async #list(): Promise<string> {
    const list = await this.#client.request<List<T>>({ method: "GET", path: this.#path });
    const keys = new Set(list.items.map(keyOf));
    for (const [key, one] of this.#now) if (!keys.has(key)) this.#take(one, true);
    for (const one of list.items) this.#take(one, false);
    this.#tell();
    return list.metadata.resourceVersion;
  }

  #take(one: T, isGone: boolean): void {
    const key = keyOf(one);
    if (isGone) {
      this.#now.delete(key);
      for (const hear of this.#hears) hear(key, undefined);
      return;
    }
    const known = this.#versions.get(key) ?? [];
    const last = known.at(-1);
    if (last?.metadata.resourceVersion === one.metadata.resourceVersion) return;
    this.#versions.set(key, last?.metadata.uid === one.metadata.uid ? [...known, one] : [one]);
    this.#now.set(key, one);
    for (const hear of this.#hears) hear(key, one);
  }

  #tell(): void {
    for (const look of [...this.#looks]) look();
  }
}

/** "namespace/name", or "name". */
export function keyOf({ metadata: { namespace, name } }: Versioned): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
