/**
 * Holds a packet socket in a network namespace, for a test: does what its parent says over IPC, and tells it what came.
 *   node socket-child.ts INTERFACE
 */
import { boottimeMs, openPacketSocket } from "../../src/l2/packet-socket.ts";
import type { SocketCall, SocketNews } from "./socket-process.ts";

const tell = (news: SocketNews) => process.send?.(news);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => Buffer.from(text, "hex");

let socket: ReturnType<typeof openPacketSocket>;
try {
  socket = openPacketSocket({
    interface: process.argv[2] ?? "",
    onFrames: (frames) => tell({ frames: frames.map(hex) }),
    onLink: (link) => tell({ link: link === undefined ? "gone" : { up: link.up, mac: hex(link.mac) } }),
    onError: (error) => tell({ error: error.message }),
  });
} catch (error) {
  const { code, message } = error as Error & { code?: string };
  console.log(JSON.stringify({ code, message }));
  process.exit(3);
}

/** Lets no other JavaScript run for a time, or until so many more requests are answered; gives how many were. */
function block(answers: number, atMostMs: number): number {
  const before = socket.counters().answered ?? 0;
  const until = boottimeMs() + atMostMs;
  let more = 0;
  while (more < answers && boottimeMs() < until) more = (socket.counters().answered ?? 0) - before;
  return more;
}

function run(call: SocketCall): unknown {
  switch (call.do) {
    case "setTable":
      return socket.setTable(new Map(call.table.map(([ip, mac]) => [ip, bytes(mac)])));
    case "renew":
      return socket.renew(call.validForMs);
    case "send":
      return socket.send(call.frames.map(bytes));
    case "block":
      return block(call.answers, call.atMostMs);
    case "discardAfter": {
      const until = boottimeMs() + 10_000;
      while ((socket.counters().hellos ?? 0) < call.hellos && boottimeMs() < until);
      return socket.discardQueued();
    }
    case "counters":
      return socket.counters();
    case "mac":
      return hex(socket.mac);
    case "close":
      socket.close();
      return process.disconnect();
  }
}

process.on("message", ({ id, call }: { id: number; call: SocketCall }) => {
  const value = run(call);
  if (call.do !== "close") tell({ id, value });
});
