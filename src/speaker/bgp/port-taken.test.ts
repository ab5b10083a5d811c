import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { hasListener, isPortTaken } from "./port-taken.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const REST = "00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0";

test.each([
  { name: "that listens on all addresses", line: `   0: 00000000:00B3 00000000:0000 0A ${REST}`, want: true },
  { name: "that listens by IPv6", line: `   0: ${"0".repeat(32)}:00B3 ${"0".repeat(32)}:0000 0A ${REST}`, want: true },
  { name: "of a session", line: `   0: 0B0200C0:00B3 010200C0:9C40 01 ${REST}`, want: false },
  { name: "on another port", line: `   0: 00000000:10B3 00000000:0000 0A ${REST}`, want: false },
])("a socket $name", ({ line, want }) => {
  expect(hasListener([HEAD, line, ""].join("\n"), 179)).toBe(want);
});

test.each(["127.0.0.1", "::1"])("the kernel says that %s is listened on", async (address) => {
  const server = createServer().listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(isPortTaken(port)).toBe(true);
  server.close();
  await once(server, "close");
  expect(isPortTaken(port)).toBe(false);
});
