import { type PowerOff, powerOffOwner, startPods } from "../e2e/power-off.ts";
import { addressOf, service, startProduct } from "../e2e/product.ts";
import type { Benchmark } from "./figure.ts";

const RUNS = 10;

/**
 * Measures what a client loses when the owner of an IP is powered off, and what it sees when the node returns. The
 * limit is the detection time that was left of the same outage: from then on all is Herald's own doing.
 */
export const run: Benchmark = async (emit) => {
  const lab = await startProduct();
  try {
    await startPods(lab);
    await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: "n1" } }));
    const ip = await addressOf(lab, "web");
    const runs: PowerOff[] = [];
    while (runs.length < RUNS) {
      const seen = await powerOffOwner(lab, "web", ip);
      runs.push(seen);
      const { outageMs: value, detectionMs: limit } = seen;
      emit({ name: "outage", value, unit: "ms", limit, ratio: value / limit, ...seen });
    }
    const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
    const outages = sorted(runs.map((one) => one.outageMs));
    const limits = sorted(runs.map((one) => one.detectionMs));
    for (const [name, at] of [
      ["outage, median", RUNS >> 1],
      ["outage, worst", RUNS - 1],
    ] as const) {
      const [value = Number.NaN, limit = Number.NaN] = [outages[at], limits[at]];
      emit({ name, value, unit: "ms", limit, ratio: value / limit, runs: RUNS });
    }
    emit({ name: "two MACs answer, longest", value: Math.max(...runs.map((one) => one.longestDoubleMs)), unit: "ms" });
    emit({
      name: "lost on the node's return, worst",
      value: Math.max(...runs.map((one) => one.lostOnReturn)),
      unit: "datagrams",
    });
    emit({
      name: "moved on the node's return",
      value: runs.filter((one) => one.ownerAfterReturn !== one.successor).length,
      unit: "runs",
    });
  } finally {
    await lab.stop();
  }
};
