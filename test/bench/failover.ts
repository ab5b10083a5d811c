import { API_AWAY } from "./failover/api-away.ts";
import { BUSY } from "./failover/busy.ts";
import { HELLOS } from "./failover/hellos.ts";
import { NEW_SERVICE } from "./failover/new-service.ts";
import { OUTAGES } from "./failover/outage.ts";
import { PARTITION } from "./failover/partition.ts";
import { PODS_MOVE } from "./failover/pods-move.ts";
import { RETURNS } from "./failover/returns.ts";
import { runRow } from "./failover/row.ts";
import { SPEAKER_AWAY } from "./failover/speaker-away.ts";
import { STRANGER } from "./failover/stranger.ts";
import { TEN_THOUSAND } from "./failover/ten-thousand.ts";
import type { Benchmark } from "./figure.ts";

const ROWS = [
  ...OUTAGES,
  ...API_AWAY,
  ...SPEAKER_AWAY,
  ...RETURNS,
  ...HELLOS,
  ...PARTITION,
  PODS_MOVE,
  STRANGER,
  NEW_SERVICE,
  TEN_THOUSAND,
  BUSY,
];

export const parts = ROWS.map(({ name }) => name);

/**
 * Measures what clients see of faults, each in a lab of its own: three nodes, all that Herald has as default. The limit
 * of a figure is the bar that the product promises to keep.
 */
export const run: Benchmark = async (emit, size, chosen = parts) => {
  for (const row of ROWS) if (chosen.includes(row.name)) await runRow(row, emit, size);
};
