import { cp } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import type { Seen } from "../../e2e/watching.ts";
import type { Lab } from "../../lab/lab.ts";
import type { Figure } from "../figure.ts";
import { startCluster } from "./served.ts";

/** A fault, or what else a promise is about, with the figures that it is measured by. */
export interface Row {
  /** As "power-off": it is chosen by it. */
  readonly name: string;
  /** How many runs, minutes or Services there are by default. */
  readonly size: number;
  /** The lab that it needs; default: startCluster. */
  readonly start?: () => Promise<Lab>;
  readonly measure: (stage: Stage) => Promise<void>;
}

export interface Stage {
  readonly lab: Lab;
  readonly size: number;
  readonly bars: Bars;
}

/** Hands out figures of one row, each beside its bar. */
export class Bars {
  readonly #row: string;
  readonly #emit: (figure: Figure) => void;

  constructor(row: string, emit: (figure: Figure) => void) {
    this.#row = row;
    this.#emit = emit;
  }

  /** `limit`: the bar; undefined where the figure has none. */
  show(what: string, value: number, unit: string, limit?: number, details: object = {}): void {
    const load = loadavg()[0];
    const kept = limit === undefined ? {} : { limit, ratio: ratio(value, limit), kept: value <= limit };
    this.#emit({ name: `${this.#row}: ${what}`, value, unit, ...kept, ...details, load });
  }

  /** What probes lost, of which nothing may be. */
  lost(seen: readonly Seen[], what = "lost"): void {
    const lost = seen.reduce((sum, one) => sum + one.lost, 0);
    const sent = seen.reduce((sum, one) => sum + one.udp.sent, 0);
    const gaps = seen.flatMap(({ ip, udp }) => udp.outages.slice(0, MOST_GAPS).map((gap) => ({ ip, ...gap })));
    const sendDelayMs = Math.max(...seen.map((one) => one.sendDelayMs));
    this.show(what, lost, "datagrams", 0, { sent, gaps, sendDelayMs });
  }

  /** Median and worst of some runs. */
  spread(
    what: string,
    values: readonly number[],
    unit: string,
    bar: { median: number; worst: number },
    details: object = {},
  ): void {
    const sorted = values.toSorted((a, b) => a - b);
    const runs = { runs: sorted.length, ...details };
    this.show(`${what}, median`, sorted[sorted.length >> 1] ?? Number.NaN, unit, bar.median, runs);
    this.show(`${what}, worst`, sorted.at(-1) ?? Number.NaN, unit, bar.worst, { ...runs, all: sorted });
  }
}

/** Told of each probe. */
const MOST_GAPS = 3;

function ratio(value: number, limit: number): number {
  if (limit > 0) return value / limit;
  return value <= limit ? 0 : Number.POSITIVE_INFINITY;
}

/**
 * Brings a lab with Herald up and measures a row in it; of a row that can't be measured it says why, and goes on. The logs
 * are kept in the directory that BENCH_LOGS names, if any.
 */
export async function runRow(row: Row, emit: (figure: Figure) => void, size = row.size): Promise<void> {
  const begun = performance.now();
  const lab = await (row.start ?? startCluster)();
  try {
    await row.measure({ lab, size, bars: new Bars(row.name, emit) });
  } catch (error) {
    process.exitCode = 1;
    console.error(`${row.name}: ${error instanceof Error ? error.stack : error}`);
    for (const one of [lab.herald.controller, ...lab.herald.speakers.values()])
      console.error(`${one.name}: ${one.state}: ${one.running ? one.complaint() : ""}`);
  } finally {
    const keep = process.env.BENCH_LOGS;
    if (keep !== undefined) await cp(join(lab.directory, "logs"), join(keep, row.name), { recursive: true });
    await lab.stop();
  }
  console.error(`${row.name}: ${Math.round((performance.now() - begun) / 1000)} s`);
}
