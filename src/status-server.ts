import type { Server } from "node:http";
import type { Registry } from "prom-client";
import { HeraldError } from "./errors.ts";
import { http } from "./http.ts";

export interface StatusServerOptions {
  /** Absent: all addresses, IPv4 alone on a machine without IPv6. */
  readonly host?: string;
  readonly port: number;
  readonly registry: Registry;
  /** Undefined: ready; else what is missing. */
  readonly notReady: () => string | undefined;
}

/** Serves /healthz, /readyz and /metrics. Throws PortInUse when the address can't be had. */
export async function startStatusServer({ host, port, registry, notReady }: StatusServerOptions): Promise<Server> {
  const server = http.createServer((request, response) => {
    const answer = (status: number, body: string, type = "text/plain; charset=utf-8") => {
      response.writeHead(status, { "content-type": type });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "only GET\n");
    switch (request.url?.split("?")[0]) {
      case "/healthz":
        return answer(200, "ok\n");
      case "/readyz": {
        const missing = notReady();
        return missing === undefined ? answer(200, "ok\n") : answer(503, `${missing}\n`);
      }
      case "/metrics":
        registry.metrics().then(
          (text) => answer(200, text, registry.contentType),
          () => answer(500, "metrics could not be written\n"),
        );
        return;
      default:
        return answer(404, "not found; there are /healthz, /readyz and /metrics\n");
    }
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "the port is in use" : cause.message;
      const message = `listen on ${host ?? ""}:${port}: ${why}; pass another --metrics-address`;
      reject(new HeraldError("PortInUse", message, { cause }));
    });
    server.listen({ port, ...(host !== undefined && { host }) }, resolve);
  });
  return server;
}
