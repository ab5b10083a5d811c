import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import { checkContract } from "./invariants.ts";
import { type Step, sequences } from "./steps.ts";

/**
 * HERALD_MODEL_RUNS sequences of HERALD_MODEL_STEPS steps, the first of HERALD_MODEL_SEED: a failure names the seed that
 * shows it again in one run.
 */
const runs = Number(process.env.HERALD_MODEL_RUNS ?? 300);
const length = Number(process.env.HERALD_MODEL_STEPS ?? 50);
const first = Number(process.env.HERALD_MODEL_SEED ?? 1);
/** Sequences of one seed. */
const BATCH = 100;

test(`the address contract holds whatever happens, from HERALD_MODEL_SEED=${first} on`, {
  timeout: 3_600_000,
}, async () => {
  for (let done = 0; done < runs; done += BATCH) {
    const seed = first + done / BATCH;
    const numRuns = Math.min(BATCH, runs - done);
    const { failed, counterexample, errorInstance } = fc.check(fc.property(sequences(length), run), { numRuns, seed });
    expect(
      failed,
      `HERALD_MODEL_SEED=${seed} HERALD_MODEL_RUNS=${numRuns}: ${errorInstance}, after\n${told(counterexample?.[0])}`,
    ).toBe(false);
    if (runs > 1000 && (done + BATCH) % 1000 === 0) console.log(`${done + BATCH} of ${runs} sequences`);
    await setImmediate(); // lets the test runner hear from here
  }
});

function run(steps: readonly Step[]): void {
  const cluster = new Cluster(checkContract);
  for (const [at, step] of steps.entries()) {
    if (step.do === "nothing") continue;
    cluster.do(step);
    cluster.expectRestartChangesNothing(at);
  }
}

function told(steps: readonly Step[] = []): string {
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
  return steps
    .filter((step) => step.do !== "nothing")
    .map((step) => JSON.stringify(step, plain))
    .join("\n");
}
