/** Each scenario is run with each of these, which vary all delays; HERALD_SIM_SCENARIO_SEEDS: so many. */
export const SEEDS = Array.from({ length: Number(process.env.HERALD_SIM_SCENARIO_SEEDS ?? 2) }, (_, i) => i + 1);
