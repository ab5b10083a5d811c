/** Counts who is in which state. */
export class Census {
  readonly #states = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** By state; those that nobody is in are left out. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Notes the state of somebody; undefined: it is not counted any more. */
  set(key: string, state: string | undefined): void {
    const before = this.#states.get(key);
    if (before === state) return;
    if (before !== undefined) this.#count(before, -1);
    if (state === undefined) this.#states.delete(key);
    else {
      this.#states.set(key, state);
      this.#count(state, 1);
    }
  }

  #count(state: string, by: 1 | -1): void {
    const count = (this.#counts.get(state) ?? 0) + by;
    if (count > 0) this.#counts.set(state, count);
    else this.#counts.delete(state);
  }
}
