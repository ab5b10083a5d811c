import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createControllerMetrics, type Observed } from "./metrics.ts";

/** What is shown, without comments and without the histogram. */
async function shown(registry: Registry): Promise<string[]> {
  const lines = (await registry.metrics()).split("\n");
  return lines.filter((line) => /^herald_/.test(line) && !line.startsWith("herald_service_assignment_seconds_bucket"));
}

const queue = (depth: number, retrying: number) => ({ depth, retrying });
const term: Observed = {
  book: {
    pools: [{ name: "p" }],
    report: () => ({
      state: { state: "Valid" },
      ipv4: { total: 4, assigned: 3, available: 1 },
      ipv6: { total: 0, assigned: 0, available: 0 },
      stranded: 2,
      holders: 3,
    }),
    census: () => new Map([...Object.entries({ Assigned: 3, NoPool: 1, IPInUse: 2, Undecided: 1 })]),
  },
  queues: { services: queue(7, 1), pools: queue(0, 0), finalizers: queue(0, 2) },
  look: async (look) => look(),
};

test("the controller that leads shows pools, Services and queues", async () => {
  const registry = new Registry();
  const metrics = createControllerMetrics(registry);
  metrics.watch(term);
  metrics.retried("services");
  metrics.wrote("IPPool", "conflict");
  metrics.assigned(40);
  expect(await shown(registry)).toEqual([
    'herald_pool_addresses{pool="p",family="IPv4"} 4',
    'herald_pool_addresses{pool="p",family="IPv6"} 0',
    'herald_pool_addresses_assigned{pool="p",family="IPv4"} 3',
    'herald_pool_addresses_assigned{pool="p",family="IPv6"} 0',
    'herald_pool_addresses_available{pool="p",family="IPv4"} 1',
    'herald_pool_addresses_available{pool="p",family="IPv6"} 0',
    'herald_pool_addresses_stranded{pool="p"} 2',
    'herald_services{state="Assigned",reason="Assigned"} 3',
    'herald_services{state="Waiting",reason="NoPool"} 1',
    'herald_services{state="Waiting",reason="IPInUse"} 2',
    'herald_services{state="Undecided",reason="Undecided"} 1',
    'herald_work_queue_depth{queue="services"} 7',
    'herald_work_queue_depth{queue="pools"} 0',
    'herald_work_queue_depth{queue="finalizers"} 0',
    'herald_work_queue_retrying{queue="services"} 1',
    'herald_work_queue_retrying{queue="pools"} 0',
    'herald_work_queue_retrying{queue="finalizers"} 2',
    'herald_work_queue_retries_total{queue="services"} 1',
    "herald_service_assignment_seconds_sum 0.04",
    "herald_service_assignment_seconds_count 1",
    'herald_api_writes_total{kind="IPPool",result="conflict"} 1',
  ]);
});

test("what is shown is looked at when nothing changes it", async () => {
  const registry = new Registry();
  const metrics = createControllerMetrics(registry);
  const idle = Promise.withResolvers<void>();
  let assigned = 1;
  const book = { ...term.book, census: () => new Map([["Assigned", assigned]]) };
  const look = async (look: () => void) => {
    await idle.promise;
    look();
  };
  metrics.watch({ ...term, book, look });
  const read = shown(registry);
  assigned = 2;
  idle.resolve();
  expect(await read).toContain('herald_services{state="Assigned",reason="Assigned"} 2');
});

test("one that does not lead shows no gauges", async () => {
  const registry = new Registry();
  const metrics = createControllerMetrics(registry);
  metrics.watch(term);
  metrics.watch(undefined);
  expect((await shown(registry)).filter((line) => !/_(sum|count|total)/.test(line))).toEqual([]);
});
