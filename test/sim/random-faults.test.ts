import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { ALL_FAULTS, FAULT_MS, type Fault, inflict } from "./faults.ts";
import { World } from "./world.ts";

/** Two MACs may answer for as long as it takes to hear of each other, with frames lost, in ms. */
const TWO_MACS_MS = 800;
/** An IP may go unanswered for as long as one death is noticed and a node that starts is waited for, in ms. */
const UNANSWERED_MS = 1500;

/** HERALD_SIM_SEED runs one seed, HERALD_SIM_SEEDS so many; both, so many from that one on. */
const one = process.env.HERALD_SIM_SEED;
const first = Number(one ?? 1);
const many = Number(process.env.HERALD_SIM_SEEDS ?? (one === undefined ? 120 : 1));

function run(seed: number): { faults: string[]; world: World } {
  const world = World.settled({ seed, nodes: 2 + (seed % 4), ips: 6 });
  world.reorders = seed % 2 === 0;
  const faults: string[] = [];
  const many = 1 + Math.floor(world.random.next() * 6);
  for (let i = 0; i < many; i++) {
    world.after(world.random.between(0, 4000), () => {
      const fault: Fault = world.random.pick(ALL_FAULTS);
      faults.push(`${Math.round(world.now())} ${fault}`);
      inflict(world, fault);
    });
  }
  world.run(4000 + FAULT_MS);
  world.run(12_000);
  return { faults, world };
}

test("after any mix of faults all agree, and no IP has two MACs or none for long", { timeout: 3_600_000 }, async () => {
  for (let seed = first; seed < first + many; seed++) {
    const { faults, world } = run(seed);
    const wrong = disagreements(world);
    const { twoMacs, unanswered } = world.observer.longest;
    if (twoMacs > TWO_MACS_MS) wrong.push(`two MACs for ${twoMacs} ms`);
    if (unanswered > UNANSWERED_MS) wrong.push(`no answer for ${unanswered} ms`);
    expect(wrong, `HERALD_SIM_SEED=${seed} (${world.nodes.length} nodes): ${faults.join(", ")}`).toEqual([]);
    const done = seed - first + 1;
    if (many > 1000 && done % 500 === 0) console.log(`${done} of ${many} seeds`);
    await setImmediate(); // lets the test runner hear from here
  }
});
