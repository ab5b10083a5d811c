/**
 * Which of `size` numbered places are free, as a tree of 32-way bitmaps: a bit of level 0 is a taken place, a bit of a
 * higher level a word below it that is full. Finding, taking and freeing cost one word per level, so log32 of the size.
 * Words that are all zero are not kept: memory follows what is taken, so the list of an IPv6 /64 costs no more than
 * that of a /28.
 */
export class FreeList {
  readonly #size: number;
  readonly #levels: readonly Map<number, number>[];
  #taken = 0;

  /** `size` is 1 to 2^53 - 1. */
  constructor(size: number) {
    this.#size = size;
    const levels = [new Map<number, number>()];
    for (let words = Math.ceil(size / 32); words > 1; words = Math.ceil(words / 32)) levels.push(new Map());
    this.#levels = levels;
  }

  /** Gives the lowest free place, or undefined where all are taken. */
  lowest(): number | undefined {
    if (this.#taken >= this.#size) return undefined;
    let at = 0;
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const word = ~(this.#levels[level]?.get(at) ?? 0);
      at = at * 32 + 31 - Math.clz32(word & -word);
    }
    return at;
  }

  has(place: number): boolean {
    return (((this.#levels[0]?.get(Math.floor(place / 32)) ?? 0) >>> (place % 32)) & 1) === 1;
  }

  /** Takes a place; taking it twice does no more. */
  take(place: number): void {
    if (this.has(place)) return;
    this.#taken++;
    let at = place;
    for (const words of this.#levels) {
      const word = (words.get(Math.floor(at / 32)) ?? 0) | (1 << (at % 32));
      at = Math.floor(at / 32);
      words.set(at, word);
      if (word !== FULL) return;
    }
  }

  /** Frees a place; freeing it twice does no more. */
  release(place: number): void {
    if (!this.has(place)) return;
    this.#taken--;
    let at = place;
    for (const words of this.#levels) {
      const before = words.get(Math.floor(at / 32)) ?? 0;
      const word = before & ~(1 << (at % 32));
      at = Math.floor(at / 32);
      if (word === 0) words.delete(at);
      else words.set(at, word);
      if (before !== FULL) return;
    }
  }
}

const FULL = -1;
