import { getEventListeners } from "node:events";
import * as http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { FakeClock } from "../../test/unit/fake-clock.ts";
import { systemClock } from "../clock.ts";
import { errorText } from "../log.ts";
import { KubeClient, type WatchEvent } from "./client.ts";
import type { Connection } from "./connection.ts";

type Handler = (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server on loopback that answers as told. */
async function serve(handler: Handler) {
  const sockets = new Set<Socket>();
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    handler(request, response, body);
  });
  let connections = 0;
  server.on("connection", (socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return { url, sockets, connections: () => connections };
}

function clientOf(server: URL, more: Partial<Connection> = {}, clock = systemClock) {
  const answers: string[] = [];
  const client = new KubeClient(
    { server, namespace: "default", ...more },
    { clock, answered: (method, status) => answers.push(`${method} ${status}`) },
  );
  cleanups.push(() => client.close());
  return { client, answers };
}

async function all(watch: AsyncIterable<readonly WatchEvent[]>): Promise<WatchEvent[]> {
  const got: WatchEvent[] = [];
  for await (const together of watch) got.push(...together);
  return got;
}

const forever = () => new AbortController().signal;

test("an answer that nobody wants to read frees its connection; a refusal, and one that breaks off, are told", async () => {
  const { url, sockets } = await serve(({ method }, response) => {
    if (method === "PUT") response.writeHead(409).end('{"reason":"Conflict"}');
    else if (method === "DELETE") response.writeHead(200, { "content-length": 9 }).write("{", () => response.destroy());
    else response.end("not even JSON".repeat(10_000));
  });
  const { client } = clientOf(url);
  const ask = (method: "PUT" | "PATCH" | "DELETE") => client.request({ method, path: "/", unread: true });
  for (let i = 0; i < 5; i++) expect(await ask("PATCH")).toBeUndefined();
  expect(sockets.size).toBe(1);
  await expect(ask("PUT")).rejects.toMatchObject({ status: 409, reason: "Conflict" });
  await expect(ask("DELETE")).rejects.toMatchObject({ code: "NoApiServer" });
});

test("sends method, path, query, token and body, and gives the parsed answer", async () => {
  const seen: unknown[] = [];
  const { url } = await serve(({ method, url, headers }, response, body) => {
    seen.push({ method, url, body, type: headers["content-type"], authorization: headers.authorization });
    response.end('{"kind":"Service"}');
  });
  let token = "first";
  const { client, answers } = clientOf(new URL("/k8s/clusters/c1/", url), { token: () => token });
  const path = "/api/v1/services";
  expect(await client.request({ method: "GET", path, query: { limit: "500", labelSelector: "a=b,c" } })).toEqual({
    kind: "Service",
  });
  token = "second";
  const contentType = "application/merge-patch+json";
  await client.request({ method: "PATCH", path, contentType, body: { a: "ä" } });
  expect(seen).toEqual([
    {
      method: "GET",
      url: "/k8s/clusters/c1/api/v1/services?limit=500&labelSelector=a%3Db%2Cc",
      body: "",
      authorization: "Bearer first",
    },
    {
      method: "PATCH",
      url: "/k8s/clusters/c1/api/v1/services",
      body: '{"a":"ä"}',
      type: contentType,
      authorization: "Bearer second",
    },
  ]);
  expect(answers).toEqual(["GET 200", "PATCH 200"]);
});

test("a refusal is an ApiError with the server's words, in one line", async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(429, { "retry-after": "3" });
    response.end(JSON.stringify({ kind: "Status", reason: "TooManyRequests", message: "too many\nrequests" }));
  });
  const { client } = clientOf(url);
  const error: unknown = await client
    .request({ method: "GET", path: "/api/v1/nodes" })
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "ApiRefused",
    status: 429,
    reason: "TooManyRequests",
    retryAfterMs: 3000,
    message: "GET /api/v1/nodes: 429 TooManyRequests: too many requests",
  });
});

test("a proxy's page of text is quoted, shortened", async () => {
  const { url } = await serve((_, response) => response.writeHead(502).end(`<html>${"x".repeat(10_000)}`));
  const { client } = clientOf(url);
  const error: unknown = await client.request({ method: "GET", path: "/" }).catch((thrown: unknown) => thrown);
  expect(errorText(error)).toMatch(/^GET \/: 502: <html>x{494}\.\.\.$/);
});

test.each<{ name: string; handler: Handler; text: string }>([
  { name: "an answer that is no JSON", handler: (_, r) => r.end("<html>"), text: "not JSON" },
  { name: "a connection that is cut", handler: (r) => r.socket.destroy(), text: "is it up and reachable from here" },
  {
    name: "an answer that is cut",
    handler: (r, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{", () => r.socket.destroy());
    },
    text: "is it up and reachable from here",
  },
])("$name is no answer", async ({ handler, text }) => {
  const { url } = await serve(handler);
  const { client } = clientOf(url, { token: () => "s3cret" });
  const error: unknown = await client.request({ method: "GET", path: "/version" }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "NoApiServer",
    message: expect.stringContaining(`GET /version: no answer from the API server ${url.origin}`),
  });
  expect(errorText(error)).toContain(text);
  expect(errorText(error)).not.toContain("s3cret");
});

test("a server that says nothing is given up in time, and its connection closed", async () => {
  const clock = new FakeClock();
  const asked = Promise.withResolvers<void>();
  const { url, sockets } = await serve(() => asked.resolve());
  const { client } = clientOf(url, {}, clock);
  const outcome = expect(client.request({ method: "GET", path: "/version", timeoutMs: 5000 })).rejects.toThrow(
    "silent for 5 s",
  );
  await asked.promise;
  const [socket] = sockets;
  const closed = new Promise((resolve) => socket?.on("close", resolve));
  await clock.advance(5000);
  await outcome;
  await closed;
  expect(clock.pending).toBe(0);
});

test("an abort ends a request with the abort's reason", async () => {
  const asked = Promise.withResolvers<void>();
  const { url } = await serve(() => asked.resolve());
  const { client } = clientOf(url);
  const end = new AbortController();
  const outcome = expect(client.request({ method: "GET", path: "/version", signal: end.signal })).rejects.toBe(
    "enough",
  );
  await asked.promise;
  end.abort("enough");
  await outcome;
  await expect(client.request({ method: "GET", path: "/", signal: end.signal })).rejects.toBe("enough");
});

test("one connection serves many requests; one that the server has closed meanwhile is replaced unseen", async () => {
  const { url, sockets, connections } = await serve((_, response) => response.end("{}"));
  const { client } = clientOf(url);
  for (let i = 0; i < 20; i++) await client.request({ method: "GET", path: "/" });
  expect(connections()).toBe(1);
  const reset = await serve((request, response) => {
    if (++asked === 2) request.socket.resetAndDestroy();
    else response.end("{}");
  });
  let asked = 0;
  const other = clientOf(reset.url).client;
  for (let i = 0; i < 3; i++) await other.request({ method: "GET", path: "/" });
  expect(asked).toBe(4);
  expect(sockets.size).toBe(1);
});

test("a watch gives its events however the stream is cut, without a last half line", async () => {
  const { url } = await serve((request, response) => {
    expect(request.url).toBe("/api/v1/services?resourceVersion=5&watch=true");
    response.write('{"type":"ADDED","object":{"a":1}}\n{"type":"MOD');
    setImmediate(() => {
      response.write('IFIED","object":{"a":2}}\n');
      response.end('{"type":"DELETED","obj');
    });
  });
  const { client } = clientOf(url);
  const events = await all(client.watch("/api/v1/services", { resourceVersion: "5" }, forever()));
  expect(events).toEqual([
    { type: "ADDED", object: { a: 1 } },
    { type: "MODIFIED", object: { a: 2 } },
  ]);
});

test.each<{ name: string; handler: Handler; want: object }>([
  {
    name: "is refused",
    handler: (_, r) => r.writeHead(410).end('{"reason":"Expired","message":"too old"}'),
    want: { status: 410, reason: "Expired" },
  },
  {
    name: "breaks",
    handler: (r, response) => response.write("{", () => r.socket.destroy()),
    want: { code: "NoApiServer" },
  },
  { name: "sends no JSON", handler: (_, r) => r.end("<html>\n"), want: { code: "NoApiServer" } },
  {
    name: "sends JSON of another kind",
    handler: (_, r) => r.end("[1]\n"),
    want: { message: expect.stringContaining("no watch event") },
  },
])("a watch that $name throws", async ({ handler, want }) => {
  const { url } = await serve(handler);
  const { client } = clientOf(url);
  await expect(all(client.watch("/api/v1/services", {}, forever()))).rejects.toMatchObject(want);
});

test("a watch of which nothing is heard is given up, one with bookmarks is not", async () => {
  const clock = new FakeClock();
  const streams: http.ServerResponse[] = [];
  const { url } = await serve((_, response) => {
    response.write("\n");
    streams.push(response);
  });
  const { client } = clientOf(url, {}, clock);
  const opened = Promise.withResolvers<void>();
  const events = client.watch("/api/v1/services", {}, forever(), opened.resolve);
  let next = events.next();
  await opened.promise;
  for (let minute = 0; minute < 10; minute++) {
    await clock.advance(60_000);
    streams[0]?.write('{"type":"BOOKMARK","object":{}}\n');
    expect(await next).toMatchObject({ value: [{ type: "BOOKMARK" }] });
    next = events.next();
  }
  const outcome = expect(next).rejects.toThrow("silent for 150 s");
  await clock.advance(150_000);
  await outcome;
});

test("the connection of a watch is closed when its reader leaves, when it is aborted, and with the client", async () => {
  const { url, sockets } = await serve((request, response) => {
    if (request.url === "/short") response.setHeader("connection", "close").end();
    else response.write('{"type":"ADDED","object":{}}\n');
  });
  const { client } = clientOf(url);
  const gone = async () => {
    while (sockets.size > 0) await sleep(5);
  };
  for await (const _ of client.watch("/", {}, forever())) break;
  await gone();
  const end = new AbortController();
  await client.request({ method: "GET", path: "/short", signal: end.signal });
  expect(getEventListeners(end.signal, "abort")).toEqual([]);
  const aborted = client.watch("/", {}, end.signal);
  await aborted.next();
  const outcome = expect(aborted.next()).rejects.toBe("enough");
  end.abort("enough");
  await outcome;
  await gone();
  const open = client.watch("/", {}, forever());
  await open.next();
  const closed = expect(open.next()).rejects.toThrow("closed on purpose");
  client.close();
  await closed;
  await gone();
});
