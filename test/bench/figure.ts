/** One measured figure. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** "ms", "us", "MB", ... */
  readonly unit: string;
  /** The floor measured in the same run: what the machine gives at best. Of a promise: its bar. */
  readonly limit?: number;
  /** value / limit; of a bar of 0: 0 where it is kept. */
  readonly ratio?: number;
  readonly [detail: string]: unknown;
}

/**
 * A file of this folder exports one as `run`: it measures, and hands each figure out as soon as it has it. `size` is how
 * much of a thing there is to be, where the benchmark has such a number. `parts`: what of it to run, of those that the
 * file exports as `parts`.
 */
export type Benchmark = (emit: (figure: Figure) => void, size?: number, parts?: readonly string[]) => Promise<void>;
