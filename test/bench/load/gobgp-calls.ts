import { statSync } from "node:fs";
import { chown, rename } from "node:fs/promises";
import {
  connect,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { connect as connectSocket } from "node:net";

/** Counts the gRPC calls that go through a Unix socket. */
export interface CallCounter {
  /** By the method's name, since the start. */
  counts(): ReadonlyMap<string, number>;
  /** Puts the server's own socket back. */
  stop(): Promise<void>;
}

/** Steps between a gRPC server's Unix socket and whoever connects from now on. */
export async function countCalls(socket: string): Promise<CallCounter> {
  const behind = `${socket}.real`;
  const { uid, gid } = statSync(socket);
  await rename(socket, behind);
  const counts = new Map<string, number>();
  const client = connect("http://localhost", { createConnection: () => connectSocket(behind) });
  client.on("error", () => {});
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const method = String(headers[":path"]).split("/").at(-1) ?? "";
    counts.set(method, (counts.get(method) ?? 0) + 1);
    const forwarded = client.request(headers);
    forwarded.on("response", (answer, flags) => {
      const { ":status": status, "content-type": contentType, ...rest } = answer;
      const own = { ":status": status, "content-type": contentType, ...plain(rest) };
      // A flag says that nothing follows: the answer is its trailers.
      if (flags & 1) return stream.respond(own, { endStream: true });
      stream.respond(own, { waitForTrailers: true });
      let trailers: OutgoingHttpHeaders = {};
      forwarded.on("trailers", (those) => {
        trailers = plain(those);
      });
      forwarded.on("data", (chunk) => stream.write(chunk));
      forwarded.on("end", () => stream.end());
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    });
    stream.on("data", (chunk) => forwarded.write(chunk));
    stream.on("end", () => forwarded.end());
    stream.on("close", () => forwarded.close());
    for (const one of [stream, forwarded]) one.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  await chown(socket, uid, gid);
  return {
    counts: () => new Map(counts),
    stop: async () => {
      client.destroy();
      server.close();
      await rename(behind, socket);
    },
  };
}

function plain(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":")));
}
