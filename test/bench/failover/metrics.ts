import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES } from "../../lab/plan.ts";

/** Adds up what the metrics of all speakers say in these lines, whose first group is the value. */
export async function sumOf(lab: Lab, lines: RegExp): Promise<number> {
  const pages = await Promise.all(NODE_NAMES.map((node) => lab.statusPage(node, "/metrics")));
  return pages.flatMap((page) => [...page.matchAll(lines)]).reduce((sum, [, count]) => sum + Number(count), 0);
}
