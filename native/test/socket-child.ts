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
    onLink: (link) => tell({ link: link === undefined ? "gone" : { ...link, mac: hex(link.mac) } }),
    onError: (error) => tell({ error: error.message }),
  });
} catch (error) {
  const { code, message } = error as Error & { code?: string };
  console.log(JSON.stringify({ code, message }));
  process.exit(3);
}

const answered = () => (socket.counters().arpAnswered ?? 0) + (socket.counters().nsAnswered ?? 0);

/** Lets no other JavaScript run for a time, or until so many more requests are answered; gives how many were. */
function block(answers: number, atMostMs: number): number {
  const before = answered();
  const until = boottimeMs() + atMostMs;
  let more = 0;
  while (more < answers && boottimeMs() < until) more = answered() - before;
  return more;
}

function blockUntil(counter: string, count: number): void {
  const until = boottimeMs() + 10_000;
  while ((socket.counters()[counter] ?? 0) < count && boottimeMs() < until);
}

function discardAfterPause(frame: string, pauseMs: number): number {
  let before = boottimeMs(); // whoever sees the frame may stop this process before it goes on
  socket.send([bytes(frame)]);
  for (let now = before; now - before < pauseMs; now = boottimeMs()) before = now;
  return socket.discardQueued();
}

function run(call: SocketCall): unknown {
  switch (call.do) {
    case "setTable":
      return socket.setTable(new Map(call.table.map(([ip, mac]) => [ip, bytes(mac)])));
    case "watch":
      return socket.watch(call.heard, call.probed);
    case "renew":
      return socket.renew(call.validForMs);
    case "send":
      return socket.send(call.frames.map(bytes));
    case "block":
      return block(call.answers, call.atMostMs);
    case "blockUntil":
      return blockUntil(call.counter, call.count);
    case "discardAfter":
      blockUntil("hellos", call.hellos);
      return socket.discardQueued();
    case "discardAfterPause":
      return discardAfterPause(call.frame, call.pauseMs);
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
