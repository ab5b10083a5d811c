/**
 * Opens packet sockets in workers and ends these in every way, again and again, then tells what is left of them.
 *   node worker-exits.ts INTERFACE
 */
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { openPacketSocket } from "../../src/l2/packet-socket.ts";

const ENDINGS = ["terminate", "exit", "throw", "close", "close in a callback"] as const;
const SOCKETS = 2;
const ROUNDS = 5;

function hold(name: string, ending: (typeof ENDINGS)[number]): void {
  let linksSeen = 0;
  const sockets = Array.from({ length: SOCKETS }, () => {
    const socket = openPacketSocket({
      interface: name,
      onFrames: () => {},
      onLink: () => {
        if (ending === "close in a callback") socket.close();
        if (++linksSeen === SOCKETS) end();
      },
      onError: () => {},
    });
    socket.setTable(new Map([["192.0.2.10", socket.mac]]));
    socket.renew(60_000);
    return socket;
  });
  function end(): void {
    if (ending === "exit") process.exit(0);
    if (ending === "throw") throw new Error("on purpose");
    if (ending === "close") for (const socket of sockets) socket.close();
    if (ending === "terminate") process.getBuiltinModule("node:worker_threads").parentPort?.postMessage("ready");
  }
}

const left = () => ({
  descriptors: readdirSync("/proc/self/fd").length,
  threads: readdirSync("/proc/self/task").length,
});

async function endAll(name: string): Promise<void> {
  await Promise.all(
    ENDINGS.map(async (ending) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { name, ending } });
      const exited = new Promise((resolve) => worker.once("exit", resolve));
      worker.on("error", () => {});
      if (ending === "terminate") {
        await once(worker, "message");
        await worker.terminate();
      }
      await exited;
    }),
  );
}

if (isMainThread) {
  const name = process.argv[2] ?? "";
  await endAll(name);
  const before = left();
  for (let round = 0; round < ROUNDS; round++) await endAll(name);
  const after = left();
  console.log(
    JSON.stringify({
      descriptors: { before: before.descriptors, after: after.descriptors },
      threads: { before: before.threads, after: after.threads },
    }),
  );
} else {
  hold(workerData.name, workerData.ending);
}
