import { afterEach, beforeEach, expect, test } from "vitest";
import { gratuitousArp } from "../src/l2/arp.ts";
import { ipBytes } from "../src/l2/ip-bytes.ts";
import { unsolicitedNA } from "../src/l2/ndp.ts";
import { type SocketProcess, startSocket } from "./test/socket-process.ts";
import { HERE_MAC, makeVethPair, type VethPair } from "./test/veth-pair.ts";

/** Linux itself asks and believes. */

const HERE = HERE_MAC.replaceAll(":", "");
const OWNER_MAC = "02:aa:aa:aa:aa:aa";
const VIPS = { IPv4: "192.0.2.10", IPv6: "2001:db8::10" };
const OWNERS_VIP = "2001:db8::11";
const TABLE = [
  [VIPS.IPv4, HERE],
  [VIPS.IPv6, HERE],
  [OWNERS_VIP, OWNER_MAC.replaceAll(":", "")],
] as const;

let pair: VethPair;
let socket: SocketProcess;
beforeEach(async () => {
  pair = await makeVethPair();
  await pair.ipThere("addr add 192.0.2.2/24 dev ask0");
  await pair.ipThere("addr add 2001:db8::2/64 dev ask0 nodad");
  await pair.ipThere("addr add fe80::2/64 dev ask0 nodad");
  socket = await startSocket(pair, TABLE);
});
afterEach(() => pair.remove());

/** What the asker's kernel has of an IP. */
const entry = (ip: string) => pair.ipThere(`neigh show ${ip} dev ask0`);

/** Makes the asker's kernel need the MAC of an IP, until its entry looks as wanted. */
async function untilEntry(ip: string, wanted: RegExp): Promise<void> {
  for (let text = ""; !wanted.test(text); text = await entry(ip)) {
    await pair.execThere(`ping -c 1 -W 0.1 ${ip}`).catch(() => {}); // nobody answers that
  }
}

const reachable = (mac: string) => new RegExp(`lladdr ${mac} .*REACHABLE`);

test.each(Object.values(VIPS))("resolves %s, and finds it reachable when it asks again, by unicast", async (ip) => {
  await untilEntry(ip, reachable(HERE_MAC));
  await pair.ipThere(`neigh replace ${ip} lladdr ${HERE_MAC} dev ask0 nud probe`);
  while (!reachable(HERE_MAC).test(await entry(ip)));
  const { arpAnswered = 0, nsAnswered = 0, arpForeignDestination, nsForeignDestination } = await socket.counters();
  expect(arpAnswered + nsAnswered).toBeGreaterThanOrEqual(2);
  expect({ arpForeignDestination, nsForeignDestination }).toEqual({
    arpForeignDestination: 0,
    nsForeignDestination: 0,
  });
});

test("takes the owner's MAC from its deputy", () => untilEntry(OWNERS_VIP, reachable(OWNER_MAC)));

test("does not take us for a router", async () => {
  await untilEntry(VIPS.IPv6, reachable(HERE_MAC));
  expect(await entry(VIPS.IPv6)).not.toContain("router");
});

test("resolves again after the link was down, and on a new interface", async () => {
  await untilEntry(VIPS.IPv6, reachable(HERE_MAC));
  await pair.ip("link set eth0 down");
  await socket.until(({ link }) => link !== "gone" && link?.up === false);
  await pair.ip("link set eth0 up");
  await pair.ipThere("neigh flush dev ask0");
  await untilEntry(VIPS.IPv6, reachable(HERE_MAC));
  await pair.ip("link del eth0");
  await socket.until(({ link }) => link === "gone");
  await pair.plug("02:00:00:00:00:07");
  await pair.ipThere("addr add 2001:db8::2/64 dev ask0 nodad");
  await untilEntry(OWNERS_VIP, reachable(OWNER_MAC));
  expect(socket.errors).toEqual([]);
});

test("finds by duplicate address detection that an IPv6 address is taken", async () => {
  await pair.ipThere(`addr add ${VIPS.IPv6}/64 dev ask0`);
  while ((await pair.ipThere("addr show dev ask0 dadfailed")) === "");
  expect(await pair.ipThere("addr show dev ask0 dadfailed")).toContain(VIPS.IPv6);
  expect(await socket.counters()).toMatchObject({ nsAnswered: 1 });
});

test.each([
  { ip: VIPS.IPv4, frames: (["request", "reply"] as const).map((kind) => gratuitousArp(kind, mac(HERE), 0xc000020a)) },
  { ip: VIPS.IPv6, frames: [unsolicitedNA(mac(HERE), ipBytes(VIPS.IPv6))] },
])("follows the announcement of $ip to its new place", async ({ ip, frames }) => {
  await pair.ipThere(`neigh replace ${ip} lladdr ${OWNER_MAC} dev ask0 nud stale`);
  await socket.call({ do: "send", frames: frames.map((frame) => Buffer.from(frame).toString("hex")) });
  while (!(await entry(ip)).includes(HERE_MAC));
});

function mac(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
