import { afterEach, beforeEach, expect, test } from "vitest";
import { NET_RAW_ALONE, type SocketProcess, startSocket } from "./test/socket-process.ts";
import { HERE_MAC, makeVethPair, type VethPair } from "./test/veth-pair.ts";

const HERE = HERE_MAC.replaceAll(":", "");
const VIP = "2001:db8::10";
const TABLE = [
  ["192.0.2.10", HERE],
  [VIP, HERE],
  ["2001:db8:1::10", HERE], // in the same group
  ["2001:db8::abcd:ef12", HERE],
] as const;
const GROUPS = ["ff02::1:ff00:10", "ff02::1:ffcd:ef12"];

let pair: VethPair;
beforeEach(async () => {
  pair = await makeVethPair();
});
afterEach(() => pair.remove());

interface Membership {
  readonly maddr: readonly { readonly address?: string; readonly link?: string }[];
}

/** The solicited-node groups that the kernel takes on eth0, as IPs and as MACs. */
async function groups(): Promise<{ ips: string[]; macs: string[] }> {
  const [eth0] = JSON.parse(await pair.ip("-json maddr show dev eth0")) as Membership[];
  const texts = (eth0?.maddr ?? []).flatMap(({ address, link }) => [address ?? link ?? ""]);
  return {
    ips: texts.filter((text) => text.startsWith("ff02::1:ff")).sort(),
    macs: texts.filter((text) => text.startsWith("33:33:ff")).sort(),
  };
}

async function joined(socket: SocketProcess, count: number): Promise<void> {
  await socket.untilCounted(({ groupsJoined }) => groupsJoined === count);
}

const MACS = ["33:33:ff:00:00:10", "33:33:ff:cd:ef:12"];

test("joins the group of each IPv6 address once, and leaves it after the last", async () => {
  const socket = await startSocket(pair, TABLE);
  await joined(socket, 2);
  expect(await groups()).toEqual({ ips: GROUPS, macs: MACS });
  await socket.call({ do: "setTable", table: TABLE.slice(0, 2) });
  await socket.call({ do: "watch", heard: ["2001:db8::77"], probed: ["2001:db8::78"] });
  await joined(socket, 3);
  await socket.untilCounted(({ groupsLeft }) => groupsLeft === 1);
  expect((await groups()).ips).toEqual([GROUPS[0], "ff02::1:ff00:78"]);
  expect(await socket.close()).toBe(0);
  expect(await groups()).toEqual({ ips: [], macs: [] });
});

test("stays in a group that is wanted again soon", async () => {
  const socket = await startSocket(pair, TABLE);
  await joined(socket, 2);
  await socket.call({ do: "setTable", table: TABLE.slice(0, 3) });
  await socket.call({ do: "watch", heard: [], probed: ["2001:db8::78"] });
  await joined(socket, 3);
  await socket.call({ do: "setTable", table: TABLE });
  await socket.call({ do: "watch", heard: [], probed: [] });
  await socket.untilCounted(({ groupsLeft }) => groupsLeft === 1);
  expect((await groups()).ips).toEqual(GROUPS);
  expect(await socket.counters()).toMatchObject({ groupsJoined: 3 });
});

test("joins again on a new interface of the same name, and keeps its groups while the link is down", async () => {
  const socket = await startSocket(pair, TABLE);
  await joined(socket, 2);
  await pair.ip("link set eth0 down");
  await socket.until(({ link }) => link !== "gone" && link?.up === false);
  await pair.ip("link set eth0 up");
  await socket.until(({ link }) => link !== "gone" && link?.up === true);
  expect((await groups()).ips).toEqual(GROUPS);
  await pair.ip("link del eth0");
  await socket.until(({ link }) => link === "gone");
  await pair.plug(HERE_MAC);
  await joined(socket, 4);
  expect(await groups()).toEqual({ ips: GROUPS, macs: MACS });
});

test("joins again once the MTU is large enough for IPv6, and takes all groups meanwhile", async () => {
  const socket = await startSocket(pair, TABLE);
  await joined(socket, 2);
  await pair.ip("link set eth0 mtu 1000");
  await socket.untilCounted(({ groupsRefused }) => groupsRefused === 1);
  expect(await pair.ip("-details link show dev eth0")).toMatch(/allmulti 1/);
  await pair.ip("link set eth0 mtu 1500");
  await joined(socket, 4);
  expect((await groups()).ips).toEqual(expect.arrayContaining(GROUPS));
  expect(await pair.ip("-details link show dev eth0")).toMatch(/allmulti 0/);
});

test("joins the groups of 10 000 addresses, more than one socket may", async () => {
  const ips = Array.from({ length: 10_000 }, (_, i) => `2001:db8::${(i + 1).toString(16)}`);
  const socket = await startSocket(
    pair,
    ips.map((ip) => [ip, HERE] as const),
  );
  await joined(socket, 10_000);
  expect((await groups()).ips).toHaveLength(10_000);
  await socket.call({ do: "setTable", table: [] });
  await socket.untilCounted(({ groupsLeft }) => groupsLeft === 10_000);
  expect((await groups()).ips).toHaveLength(0);
  expect(await socket.counters()).toMatchObject({ groupsRefused: 0 });
});

test("needs CAP_NET_RAW and nothing more", async () => {
  await joined(await startSocket(pair, TABLE, NET_RAW_ALONE), 2);
});

test("joins also where the administrator switched IPv6 off, and still is in after it was switched on", async () => {
  const sysctl = (value: number) => pair.execHere(`sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=${value}`);
  await sysctl(1);
  const socket = await startSocket(pair, TABLE);
  await joined(socket, 2);
  await sysctl(0);
  expect(await groups()).toMatchObject({ ips: expect.arrayContaining(GROUPS), macs: expect.arrayContaining(MACS) });
});

test("a switch that snoops MLD lets solicitations through, also after the cable was out", async () => {
  // The asker asks from a bridge, which learns from reports who is behind the cable.
  await pair.ipThere("link add br0 type bridge forward_delay 0 mcast_snooping 1 mcast_query_response_interval 1");
  await pair.ipThere("link set br0 addrgenmode none");
  await pair.ipThere("link set ask0 master br0");
  await pair.ipThere("link set br0 up");
  await pair.ipThere("addr add fe80::2/64 dev br0 nodad");
  await pair.ipThere("addr add 2001:db8::2/64 dev br0 nodad");
  await pair.ipThere("link set br0 type bridge mcast_querier 1");
  const socket = await startSocket(pair, TABLE);
  await joined(socket, 2);
  const learned = async () => pair.execThere("bridge mdb show dev br0");
  for (let text = ""; !GROUPS.every((group) => text.includes(group)); text = await learned());
  const entry = async () => pair.ipThere(`-6 neigh show ${VIP} dev br0`);
  for (const flap of [false, true]) {
    if (flap) {
      await pair.ipThere("link set ask0 down");
      await pair.ipThere("neigh flush dev br0");
      await pair.ipThere("link set ask0 up");
    }
    for (let text = ""; !text.includes(HERE_MAC); text = await entry()) {
      await pair.execThere(`ping -6 -c 1 -W 0.2 ${VIP}`).catch(() => {}); // nobody answers that
    }
  }
});
