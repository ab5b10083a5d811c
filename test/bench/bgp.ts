import { DRAINS } from "./bgp/drain.ts";
import { MANY_SERVICES } from "./bgp/many-services.ts";
import { NEW_SERVICE } from "./bgp/new-service.ts";
import { POWER_OFFS } from "./bgp/power-off.ts";
import { runRow } from "./failover/row.ts";
import type { Benchmark } from "./figure.ts";

const ROWS = [...POWER_OFFS, ...DRAINS, NEW_SERVICE, MANY_SERVICES];

export const parts = ROWS.map(({ name }) => name);

/**
 * Measures BGP's part, each row in a lab of its own: what clients behind FRR and BIRD lose when a node is powered off
 * or drained, and how long Services take to the routers' kernels. The limit of a figure is the bar that the product promises to keep.
 */
export const run: Benchmark = async (emit, size, chosen = parts) => {
  for (const row of ROWS) if (chosen.includes(row.name)) await runRow(row, emit, size);
};
