import { Counter, Gauge, type Registry } from "prom-client";
import type { AddressBook } from "../ipam/address-book.ts";

/** What the controller counts; docs/metrics.md explains each. */
export interface ControllerMetrics {
  /** Counts a write to the API server by its kind and how it went. */
  wrote(kind: "Service" | "IPPool", result: WriteResult): void;
  /** Where the gauges look when they are read; undefined: this process does not lead, and they show nothing. */
  watch(book: AddressBook | undefined): void;
}

export type WriteResult = "written" | "conflict" | "failed";

export function createControllerMetrics(registry: Registry): ControllerMetrics {
  const registers = [registry];
  let book: AddressBook | undefined;
  const poolGauge = (name: string, help: string, field: "total" | "assigned" | "available") =>
    new Gauge({
      name,
      help,
      registers,
      labelNames: ["pool", "family"],
      collect() {
        this.reset();
        for (const pool of book?.pools ?? [])
          for (const family of ["IPv4", "IPv6"] as const)
            this.set({ pool: pool.name, family }, pool.usage(family)[field]);
      },
    });
  poolGauge("herald_pool_addresses", "Addresses in the pool.", "total");
  poolGauge("herald_pool_addresses_assigned", "Addresses of the pool that Services hold.", "assigned");
  poolGauge("herald_pool_addresses_available", "Addresses of the pool that are free to be given out.", "available");
  new Gauge({
    name: "herald_services",
    help: "Services that Herald serves, by the reason of their condition Assigned.",
    registers,
    labelNames: ["reason"],
    collect() {
      this.reset();
      for (const [reason, count] of book?.census() ?? []) this.set({ reason }, count);
    },
  });
  const writes = new Counter({
    name: "herald_api_writes_total",
    help: "Writes of object statuses to the API server.",
    registers,
    labelNames: ["kind", "result"],
  });
  return {
    wrote: (kind, result) => writes.inc({ kind, result }),
    watch: (now) => {
      book = now;
    },
  };
}
