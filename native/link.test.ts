import { afterEach, beforeEach, expect, test } from "vitest";
import type { LinkState } from "../src/l2/packet-socket.ts";
import { Wire } from "./test/prober.ts";
import { type SocketProcess, startSocket } from "./test/socket-process.ts";
import { HERE_MAC, makeVethPair, type VethPair } from "./test/veth-pair.ts";

const HERE = HERE_MAC.replaceAll(":", "");

let pair: VethPair;
let socket: SocketProcess;
beforeEach(async () => {
  pair = await makeVethPair();
  socket = await startSocket(pair, [["192.0.2.10", HERE]]);
});
afterEach(() => pair.remove());

/** Waits until the link is as wanted. */
async function untilLink(wanted: Partial<Omit<LinkState, "mac">>): Promise<void> {
  await socket.until(({ link }) => {
    if (link === undefined || link === "gone") return false;
    return Object.entries(wanted).every(([name, value]) => link[name as keyof LinkState] === value);
  });
}

async function ifindex(name: string): Promise<number> {
  const [link] = JSON.parse(await pair.ip(`-json link show dev ${name}`)) as { ifindex: number }[];
  return link?.ifindex ?? 0;
}

async function received(name: string): Promise<number> {
  const [link] = JSON.parse(await pair.ip(`-json -statistics link show dev ${name}`)) as {
    stats64: { rx: { packets: number } };
  }[];
  return link?.stats64.rx.packets ?? 0;
}

test("says at the start what the interface is like", async () => {
  expect(socket.link).toEqual({
    up: true,
    adminUp: true,
    noArp: false,
    master: 0,
    mtu: 1500,
    ifindex: await ifindex("eth0"),
    mac: HERE,
  });
});

test("tells of each change that matters to who announces", async () => {
  await pair.ip("link set eth0 mtu 9000");
  await untilLink({ mtu: 9000 });
  await pair.ip("link set eth0 arp off");
  await untilLink({ noArp: true });
  await pair.ip("link set eth0 arp on");
  await untilLink({ noArp: false });
  await pair.ipThere("link set ask0 down");
  await untilLink({ up: false, adminUp: true });
  await pair.ip("link set eth0 down");
  await untilLink({ up: false, adminUp: false });
  await pair.ip("link set eth0 up");
  await pair.ipThere("link set ask0 up");
  await untilLink({ up: true, adminUp: true });
});

test("tells when it becomes a port of a bridge, and when it is none any more", async () => {
  await pair.ip("link add br0 type bridge");
  await pair.ip("link set eth0 master br0");
  await untilLink({ master: await ifindex("br0") });
  await pair.ip("link set eth0 nomaster");
  await untilLink({ master: 0 });
});

test("is gone when the interface gets another name, and answers nothing there; back with the name, it answers", async () => {
  const request = `ffffffffffff02000000000208060001080006040001020000000002c6336401000000000000c000020a`;
  const wire = await Wire.open(pair);
  await pair.ip("link set eth0 down");
  await pair.ip("link set eth0 name eth7");
  await pair.ip("link set eth7 up");
  await socket.until(({ link }) => link === "gone");
  const before = await received("eth7");
  wire.send(request);
  while ((await received("eth7")) === before);
  await pair.ip("link set eth7 down");
  await pair.ip("link set eth7 name eth0");
  await pair.ip("link set eth0 up");
  await untilLink({ up: true });
  expect(await socket.counters()).toMatchObject({ arpAnswered: 0 });
  wire.send(request);
  await wire.until((frames) => frames.length === 1);
  expect(socket.errors).toEqual([]);
});
