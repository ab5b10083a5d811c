/** Sets by name. */
export class Index<T> {
  readonly #sets = new Map<string, Set<T>>();

  get(name: string): ReadonlySet<T> {
    return this.#sets.get(name) ?? new Set();
  }

  add(name: string, item: T): void {
    const set = this.#sets.get(name) ?? new Set();
    this.#sets.set(name, set.add(item));
  }

  delete(name: string, item: T): void {
    const set = this.#sets.get(name);
    set?.delete(item);
    if (set?.size === 0) this.#sets.delete(name);
  }
}
