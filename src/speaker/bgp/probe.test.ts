import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { probePeer } from "./probe.ts";

const OPEN = Buffer.from(`${"ff".repeat(16)}001d0104fde80009c000020100`, "hex");
const NOTIFICATION = Buffer.from(`${"ff".repeat(16)}001503 0605`.replace(" ", ""), "hex");

test.each([
  { name: "says its AS in two parts", serve: inTwoParts, want: { what: "Opened", asn: 65000 } },
  { name: "hangs up at once", serve: (socket: Socket) => socket.end(), want: { what: "Closed" } },
  { name: "sends a NOTIFICATION", serve: (socket: Socket) => socket.write(NOTIFICATION), want: { what: "Closed" } },
])("a peer that $name", async ({ serve, want }) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await probePeer({ address: "127.0.0.1", port, localAddress: "127.0.0.2", bindInterface: "lo" })).toEqual(want);
  server.close();
});

test("a port where nobody listens", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const target = { address: "127.0.0.1", port, localAddress: undefined };
  expect(await probePeer({ ...target, bindInterface: undefined })).toEqual({ what: "Refused" });
  expect(await probePeer({ ...target, bindInterface: "lo" })).toEqual({ what: "Refused" });
  expect(await probePeer({ ...target, bindInterface: "vrf-a" })).toEqual({ what: "Elsewhere" });
});

function inTwoParts(socket: Socket): void {
  socket.setNoDelay(true);
  socket.write(OPEN.subarray(0, 20));
  setImmediate(() => socket.write(OPEN.subarray(20)));
}
