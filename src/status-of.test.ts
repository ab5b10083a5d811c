import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { http } from "./http.ts";
import { statusOf } from "./status-of.ts";

test("the status is given, whatever follows, and no connection is kept", async () => {
  const asked: (string | undefined)[] = [];
  const server = http.createServer(({ url }, response) => {
    asked.push(url);
    if (url === "/silent") return;
    response.writeHead(url === "/moved" ? 302 : 503, { location: "/elsewhere" });
    response.write("a body that never ends");
  });
  const closed = new Promise((resolve) => server.once("close", resolve));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, signal = new AbortController().signal) =>
    statusOf(`http://127.0.0.1:${port}${path}`, signal);
  expect(await ask("/healthz")).toBe(503);
  expect(await ask("/moved")).toBe(302);
  const stop = new AbortController();
  server.once("request", () => stop.abort());
  await expect(ask("/silent", stop.signal)).rejects.toThrow("aborted");
  expect(asked).toEqual(["/healthz", "/moved", "/silent"]);
  server.close(); // waits for the connections that are open
  await closed;
  await expect(ask("/healthz")).rejects.toThrow("ECONNREFUSED");
});
