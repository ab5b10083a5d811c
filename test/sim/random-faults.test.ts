import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { ALL_FAULTS, FAULT_MS, type Fault, inflict, LINK_FAULTS, SPEAKER_FAULTS } from "./faults.ts";
import { moves } from "./moves.ts";
import { World } from "./world.ts";

/** Two MACs may answer for as long as it takes to hear of each other, with frames lost, in ms. */
const TWO_MACS_MS = 800;
/** An IP may go unanswered for as long as one death is noticed and a node that starts is waited for, in ms. */
const UNANSWERED_MS = 1500;
/** A node that starts on a side without a gateway takes itself for cut off until a client there asks for something, in ms. */
const PARTED_MS = 4500;
/** Where links failed, nothing is bounded but by the end of the faults: FAULT_MS after the last one began, and some. */
const LINK_MS = 2 * FAULT_MS;

/** HERALD_SIM_SEED runs one seed, HERALD_SIM_SEEDS so many; both, so many from that one on. */
const one = process.env.HERALD_SIM_SEED;
const first = Number(one ?? 1);
const many = Number(process.env.HERALD_SIM_SEEDS ?? (one === undefined ? 100 : 1));

interface Mix {
  readonly faults: readonly string[];
  readonly world: World;
  /** Links failed too. */
  readonly links: boolean;
}

/** Runs a mix of faults of these kinds, until all are mended and some time has passed. */
function run(seed: number, kinds: readonly Fault[]): Mix {
  const world = World.settled({ seed, nodes: 2 + (seed % 4), ips: 6 });
  world.reorders = seed % 2 === 0;
  const faults: string[] = [];
  let links = false;
  const many = 1 + Math.floor(world.random.next() * 6);
  for (let i = 0; i < many; i++) {
    world.after(world.random.between(0, 4000), () => {
      const fault: Fault = world.random.pick(kinds);
      faults.push(`${Math.round(world.now())} ${fault}`);
      links ||= LINK_FAULTS.includes(fault);
      inflict(world, fault);
    });
  }
  world.run(4000 + FAULT_MS);
  world.run(16_000);
  world.reorders = false; // a hello that was overtaken makes deputies for a moment
  world.run(1000);
  return { faults, world, links };
}

test("after any mix of faults all agree, and no IP has two MACs or none for long", { timeout: 3_600_000 }, async () => {
  for (let seed = first; seed < first + many; seed++) {
    const { faults, world, links } = run(seed, ALL_FAULTS);
    const wrong = disagreements(world);
    const { twoMacs, unanswered } = world.observer.longest;
    if (twoMacs > (links ? LINK_MS : TWO_MACS_MS)) wrong.push(`two MACs for ${twoMacs} ms`);
    const parted = faults.some((fault) => /partition|cut/.test(fault));
    if (unanswered > (links ? LINK_MS : parted ? PARTED_MS : UNANSWERED_MS))
      wrong.push(`no answer for ${unanswered} ms`);
    expect(wrong, `HERALD_SIM_SEED=${seed} (${world.nodes.length} nodes): ${faults.join(", ")}`).toEqual([]);
    const done = seed - first + 1;
    if (many > 1000 && done % 500 === 0) console.log(`${done} of ${many} seeds`);
    await setImmediate(); // lets the test runner hear from here
  }
});

test("while speakers and the API alone fail, no IP moves, and no client notices", { timeout: 3_600_000 }, async () => {
  for (let seed = first; seed < first + many; seed += 2) {
    const { faults, world } = run(seed, SPEAKER_FAULTS);
    const wrong = disagreements(world);
    const { twoMacs, cached } = world.observer.longest;
    if (moves(world) > 6) wrong.push(`${moves(world) - 6} moves`);
    if (twoMacs + cached > 0) wrong.push(`two MACs for ${twoMacs} ms, clients cut off for ${cached} ms`);
    expect(wrong, `HERALD_SIM_SEED=${seed} (${world.nodes.length} nodes): ${faults.join(", ")}`).toEqual([]);
    const done = seed - first + 1;
    if (many > 1000 && done % 500 === 0) console.log(`${done} of ${many} seeds`);
    await setImmediate(); // lets the test runner hear from here
  }
});
