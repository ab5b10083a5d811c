/** Knows whether so much comes that to take each thing for itself would cost more than the things are worth. */
export class Storm {
  readonly #count: number;
  readonly #withinMs: number;
  /** When the last of them came, the oldest first. */
  readonly #cameMs: number[] = [];

  /** `count` within `withinMs` are one. */
  constructor(count: number, withinMs: number) {
    this.#count = count;
    this.#withinMs = withinMs;
  }

  came(nowMs: number): void {
    this.#cameMs.push(nowMs);
    if (this.#cameMs.length > this.#count) this.#cameMs.shift();
  }

  rages(nowMs: number): boolean {
    const [first = nowMs] = this.#cameMs;
    return this.#cameMs.length === this.#count && nowMs - first < this.#withinMs;
  }
}
