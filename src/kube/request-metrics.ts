import { Counter, type Registry } from "prom-client";
import type { KubeClientDeps } from "./client.ts";

/** Counts the answers of the API server; docs/metrics.md explains it. */
export function createRequestMetrics(registry: Registry): NonNullable<KubeClientDeps["answered"]> {
  const requests = new Counter({
    name: "herald_api_requests_total",
    help: "Requests to the API server; a watch counts once. Status 0: no answer.",
    labelNames: ["method", "status"],
    registers: [registry],
  });
  return (method, status) => requests.inc({ method, status });
}
