/** Longer texts are neither shared nor kept: no name in Kubernetes is longer. */
const LONGEST = 253;

/**
 * Gives one value for equal keys, so that what many objects have alike is in memory once. It never knows more than `most`:
 * before that it forgets all, and what comes then is shared anew, but not with what came before.
 */
export class Shared<T> {
  readonly #most: number;
  readonly #known = new Map<string, T>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Gives the value of `key`; `make` always has to make an equal one of it. */
  of(key: string, make: () => T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (key.length > LONGEST) return made;
    if (this.#known.size >= this.#most) this.#known.clear();
    this.#known.set(key, made);
    return made;
  }
}
