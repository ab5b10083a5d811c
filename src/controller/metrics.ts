import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { AddressBook } from "../ipam/address-book.ts";
import type { WorkQueue } from "../kube/work-queue.ts";
import type { WriteResult } from "../kube/write-status.ts";

/** What the controller counts; docs/metrics.md explains each. */
export interface ControllerMetrics {
  /** Counts a write to the API server by its kind and how it went. */
  wrote(kind: "Service" | "IPPool", result: WriteResult): void;
  /** Counts a key of a queue that has failed and is tried again. */
  retried(queue: QueueName): void;
  /** Notes how long after its first sight a Service's address was written that was there to be had. */
  assigned(latencyMs: number): void;
  /** Where the gauges look when they are read; undefined: this process does not lead, and they show nothing. */
  watch(term: Observed | undefined): void;
}

export type QueueName = "services" | "pools" | "finalizers";

export interface Observed {
  readonly book: Pick<AddressBook, "report" | "census"> & { readonly pools: readonly { readonly name: string }[] };
  readonly queues: Readonly<Record<QueueName, Pick<WorkQueue, "depth" | "retrying">>>;
  /** Looks at the book while nothing changes it. */
  look(look: () => void): Promise<void>;
}

/** The outcomes that have no reason but themselves. */
const STATES = ["Assigned", "Undecided", "Leaving"];

export function createControllerMetrics(registry: Registry): ControllerMetrics {
  const registers = [registry];
  let term: Observed | undefined;
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge, seen: Observed) => void) =>
    new Gauge({
      name,
      help,
      registers,
      labelNames,
      async collect() {
        this.reset();
        const seen = term;
        await seen?.look(() => collect(this, seen));
      },
    });
  poolGauges(gauge);
  gauge(
    "herald_services",
    "Services that Herald serves, by whether they have what they ask for, and by the reason of their condition Assigned.",
    ["state", "reason"],
    (services, { book }) => {
      for (const [reason, count] of book.census())
        services.set({ state: STATES.includes(reason) ? reason : "Waiting", reason }, count);
    },
  );
  gauge("herald_work_queue_depth", "Objects that wait to be looked at.", ["queue"], (depth, { queues }) => {
    for (const [queue, { depth: waiting }] of Object.entries(queues)) depth.set({ queue }, waiting);
  });
  gauge(
    "herald_work_queue_retrying",
    "Objects whose write has failed and that wait for their next try.",
    ["queue"],
    (retrying, { queues }) => {
      for (const [queue, { retrying: waiting }] of Object.entries(queues)) retrying.set({ queue }, waiting);
    },
  );
  const retries = new Counter({
    name: "herald_work_queue_retries_total",
    help: "Failures after which an object is tried again.",
    registers,
    labelNames: ["queue"],
  });
  const latency = new Histogram({
    name: "herald_service_assignment_seconds",
    help: "Time from when the leading controller first saw a Service to when its address was written. Services that had to wait for an address are not counted.",
    registers,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  });
  const writes = new Counter({
    name: "herald_api_writes_total",
    help: "Writes of statuses and finalizers to the API server.",
    registers,
    labelNames: ["kind", "result"],
  });
  return {
    wrote: (kind, result) => writes.inc({ kind, result }),
    retried: (queue) => retries.inc({ queue }),
    assigned: (latencyMs) => latency.observe(latencyMs / 1000),
    watch: (now) => {
      term = now;
    },
  };
}

function poolGauges(
  gauge: (name: string, help: string, labelNames: string[], collect: (gauge: Gauge, term: Observed) => void) => unknown,
): void {
  const usage = (name: string, help: string, field: "total" | "assigned" | "available") =>
    gauge(name, help, ["pool", "family"], (addresses, { book }) => {
      for (const { name: pool } of book.pools) {
        const report = book.report(pool);
        if (!report) continue;
        addresses.set({ pool, family: "IPv4" }, report.ipv4[field]);
        addresses.set({ pool, family: "IPv6" }, report.ipv6[field]);
      }
    });
  usage("herald_pool_addresses", "Addresses in the pool, without excluded ones.", "total");
  usage("herald_pool_addresses_assigned", "Addresses of the pool that Services hold.", "assigned");
  usage("herald_pool_addresses_available", "Addresses of the pool that are to be had now.", "available");
  gauge(
    "herald_pool_addresses_stranded",
    "Addresses that Services hold though the pool would no longer give them to these.",
    ["pool"],
    (addresses, { book }) => {
      for (const { name: pool } of book.pools) addresses.set({ pool }, book.report(pool)?.stranded ?? 0);
    },
  );
}
