import { afterEach, beforeEach, expect, test } from "vitest";
import { encodeEthernet } from "../src/l2/ethernet.ts";
import { ipBytes } from "../src/l2/ip-bytes.ts";
import { encodeNdp, IPV6_ETHER_TYPE, type Ndp } from "../src/l2/ndp.ts";
import { mappingIn, probe, question } from "../src/l2/resolution.ts";
import { Wire } from "./test/prober.ts";
import { type SocketProcess, startSocket } from "./test/socket-process.ts";
import { HERE_MAC, makeVethPair, THERE_MAC, type VethPair } from "./test/veth-pair.ts";

const HERE = HERE_MAC.replaceAll(":", "");
const THERE = THERE_MAC.replaceAll(":", "");
const BROADCAST = "ffffffffffff";
const STRANGER = "02cccccccccc";
const ZERO = "00000000";
/** In the table. */
const OURS = { v4: "192.0.2.10", v6: "2001:db8::10" };
/** Another speaker's. */
const HEARD = { v4: "192.0.2.2", v6: "2001:db8::2" };
/** About to be announced. */
const PROBED = { v4: "192.0.2.30", v6: "2001:db8::30" };
/** Nobody's. */
const OTHER = { v4: "192.0.2.99", v6: "2001:db8::99" };

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (frame: Uint8Array) => Buffer.from(frame).toString("hex");

let pair: VethPair;
let socket: SocketProcess;
beforeEach(async () => {
  pair = await makeVethPair();
  socket = await startSocket(pair, [
    [OURS.v4, HERE],
    [OURS.v6, HERE],
  ]);
  await socket.call({ do: "watch", heard: [HEARD.v4, HEARD.v6], probed: [PROBED.v4, PROBED.v6] });
});
afterEach(() => pair.remove());

function arp(
  operation: "0001" | "0002",
  senderMac: string,
  senderIP: string,
  targetIP: string,
  to = BROADCAST,
): string {
  const ip = (text: string) => (text === ZERO ? ZERO : hex(ipBytes(text)));
  return `${to}${STRANGER}0806000108000604${operation}${senderMac}${ip(senderIP)}000000000000${ip(targetIP)}`;
}

type Told = Pick<Ndp, "type"> & { sourceIP: string; targetIP: string; mac?: string; destinationIP?: string };

function ndp({ type, sourceIP, targetIP, mac, destinationIP = "ff02::1" }: Told, to = "333300000001"): string {
  const parts = { sourceIP: ipBytes(sourceIP), destinationIP: ipBytes(destinationIP), targetIP: ipBytes(targetIP) };
  const option = mac === undefined ? undefined : bytes(mac);
  const payload =
    type === "solicitation"
      ? encodeNdp({ type, ...parts, mac: option })
      : encodeNdp({ type, ...parts, mac: option, router: false, solicited: false, override: true });
  return hex(encodeEthernet(bytes(to), bytes(STRANGER), IPV6_ETHER_TYPE, payload));
}

/** They surely come, and after all that was sent before: each protocol has its own socket. */
const LAST = [
  arp("0002", THERE, HEARD.v4, HEARD.v4),
  ndp({ type: "advertisement", sourceIP: HEARD.v6, targetIP: HEARD.v6, mac: THERE }),
];

/** Sends the frames and gives what comes of them. */
async function given(...frames: readonly string[]): Promise<readonly string[]> {
  const wire = await Wire.open(pair);
  wire.send(...frames, ...LAST);
  await socket.until(({ sightings }) => LAST.every((frame) => sightings.includes(frame)));
  return socket.sightings.splice(0).filter((frame) => !LAST.includes(frame));
}

const advertised = { type: "advertisement" as const, mac: STRANGER };
const solicited = { type: "solicitation" as const };

test.each([
  { name: "an ARP reply to us", frame: arp("0002", STRANGER, HEARD.v4, OTHER.v4, HERE) },
  { name: "an ARP reply to all", frame: arp("0002", STRANGER, HEARD.v4, OTHER.v4) },
  { name: "an ARP announcement", frame: arp("0001", STRANGER, OURS.v4, OURS.v4) },
  { name: "an ARP request", frame: arp("0001", STRANGER, HEARD.v4, OTHER.v4) },
  { name: "a request from our IP", frame: arp("0001", STRANGER, OURS.v4, OTHER.v4) },
  {
    name: "a reply with an IP to be",
    frame: arp("0002", STRANGER, PROBED.v4, OTHER.v4, HERE),
  },
  { name: "a probe for an IP to be", frame: arp("0001", STRANGER, ZERO, PROBED.v4) },
  {
    name: "an advertisement to us",
    frame: ndp({ ...advertised, sourceIP: HEARD.v6, targetIP: HEARD.v6, destinationIP: OTHER.v6 }, HERE),
  },
  {
    name: "an advertisement without a MAC",
    frame: ndp({ type: "advertisement", sourceIP: OTHER.v6, targetIP: PROBED.v6, destinationIP: OTHER.v6 }, HERE),
  },
  {
    name: "an advertisement to all",
    frame: ndp({ ...advertised, sourceIP: OTHER.v6, targetIP: OURS.v6 }),
  },
  {
    name: "a solicitation",
    frame: ndp({ ...solicited, sourceIP: OURS.v6, targetIP: OTHER.v6, mac: STRANGER }),
  },
  {
    name: "a probe for an IPv6 address to be",
    frame: ndp({ ...solicited, sourceIP: "::", targetIP: PROBED.v6, destinationIP: "ff02::1:ff00:30" }, "3333ff000030"),
  },
])("gives $name", async ({ frame }) => expect(await given(frame)).toEqual([frame]));

test("gives answers to us, whoever they are from", async () => {
  const frames = [
    arp("0002", STRANGER, OTHER.v4, OURS.v4, HERE),
    ndp({ ...advertised, sourceIP: OTHER.v6, targetIP: OTHER.v6, destinationIP: OURS.v6 }, HERE),
  ];
  expect((await given(...frames)).toSorted()).toEqual(frames.toSorted());
});

test("gives nothing of its own MAC, of probes for what it has, of what is malformed", async () => {
  const frames = [
    arp("0002", HERE, OURS.v4, OURS.v4),
    arp("0001", STRANGER, ZERO, OURS.v4),
    arp("0001", STRANGER, ZERO, HEARD.v4),
    arp("0002", BROADCAST, OURS.v4, OURS.v4),
    arp("0002", STRANGER, OURS.v4, OURS.v4, "020000000099"),
    ndp({ ...advertised, sourceIP: OURS.v6, targetIP: OURS.v6, mac: HERE }),
    ndp({ ...advertised, sourceIP: OURS.v6, targetIP: OURS.v6, mac: BROADCAST }),
    ndp({ ...advertised, sourceIP: OURS.v6, targetIP: OURS.v6 }).replace("3aff", "3afe"),
  ];
  expect(await given(...frames)).toEqual([]);
});

test("of those who have other business it gives one now and then", async () => {
  const asking = Array.from({ length: 1000 }, (_, i) => arp("0001", STRANGER, `10.0.${i >> 8}.${i & 255}`, OURS.v4));
  const sampled = await given(...asking);
  expect(sampled.length).toBeGreaterThan(0);
  expect(sampled.length).toBeLessThan(100);
  expect(asking).toEqual(expect.arrayContaining([...sampled]));
});

test("a new set takes the place of the old one; the table's IPs stay", async () => {
  await socket.call({ do: "watch", heard: [HEARD.v4, HEARD.v6], probed: [] });
  const [sample = "", probed = "", ours = ""] = [OTHER, PROBED, OURS].map(({ v6 }) =>
    ndp({ ...advertised, sourceIP: v6, targetIP: v6 }),
  );
  expect(await given(sample, probed, ours)).toEqual([sample, ours]);
});

test("a flood is cut short, and none of the rest is lost to it", async () => {
  const mac = (i: number) => `02dd0000${i.toString(16).padStart(4, "0")}`;
  const same = Array.from({ length: 2000 }, () => arp("0002", STRANGER, OURS.v4, OURS.v4));
  const strangers = Array.from({ length: 2000 }, (_, i) => arp("0002", mac(i), OURS.v4, OURS.v4));
  const wire = await Wire.open(pair);
  wire.send(...same, ...strangers, ...LAST);
  // Blocked in this call until all have come.
  await socket.call({ do: "blockUntil", counter: "arpReplies", count: 4001 });
  await socket.until(({ sightings }) => LAST.every((frame) => sightings.includes(frame)));
  const { sightings = 0, sightingsDropped = 0 } = await socket.counters();
  expect(sightings + sightingsDropped).toBe(4002);
  expect(sightingsDropped).toBeGreaterThan(1000);
  expect(socket.sightings.filter((frame) => frame === same[0]).length).toBeLessThan(100);
});

/** The process takes a gap of this length in its time for a stop: a busy machine alone makes none so long. */
const PAUSE_MS = 2_000;

test("what waited in the kernel while the process stood still is not given after discardQueued", async () => {
  const wire = await Wire.open(pair);
  const stale = (ip: string) => arp("0002", STRANGER, ip, ip);
  const discarded = socket.call({ do: "discardAfterPause", frame: `${BROADCAST}${HERE}88b5`, pauseMs: PAUSE_MS });
  await wire.until((frames) => frames.length === 1); // now it waits for the pause
  await socket.stop();
  const stopped = performance.now();
  wire.send(...Array.from({ length: 2000 }, () => stale(HEARD.v4))); // more than the thread can have read by then
  while (performance.now() - stopped < PAUSE_MS + 300) await new Promise(setImmediate);
  socket.goOn();
  await discarded;
  expect(await given(stale(OURS.v4))).toEqual([stale(OURS.v4)]);
  expect(await socket.counters()).toMatchObject({ arpReplies: 2002 });
});

/** What the frames say, as the protocol reads it. */
const mappings = () =>
  socket.sightings
    .flatMap((frame) => mappingIn(bytes(frame)) ?? [])
    .map(({ ip, mac, asks }) => ({ ip, mac: hex(mac), asks }))
    .toSorted((a, b) => (a.ip < b.ip ? -1 : 1));

test("hears the kernel of another node answer, in both families, to its own MAC", async () => {
  await pair.ipThere(`addr add ${HEARD.v4}/24 dev ask0`);
  await pair.ipThere(`addr add ${HEARD.v6}/64 dev ask0 nodad`);
  const from = { ipv4: "192.0.2.1", ipv6: "2001:db8::1" };
  const ask = [HEARD.v4, HEARD.v6].map((ip) => question(bytes(HERE), from, ip, bytes(THERE)));
  await socket.call({ do: "send", frames: ask.map(hex) });
  await socket.until(({ sightings }) => sightings.length >= 2);
  expect(mappings()).toEqual([HEARD.v4, HEARD.v6].map((ip) => ({ ip, mac: THERE, asks: false })));
});

test("finds out that another host's kernel has an IP that is to be announced", async () => {
  await pair.ipThere(`addr add ${PROBED.v4}/24 dev ask0`);
  await pair.ipThere(`addr add ${PROBED.v6}/64 dev ask0 nodad`);
  const probes = [PROBED.v4, PROBED.v6].map((ip) => probe(bytes(HERE), ip));
  await socket.call({ do: "send", frames: probes.map(hex) });
  await socket.until(({ sightings }) => sightings.length >= 2);
  // RFC 4862 section 5.4: who is asked from nowhere answers to all.
  expect(mappings()).toEqual([PROBED.v4, PROBED.v6].map((ip) => ({ ip, mac: THERE, asks: false })));
});

test("hears that another host's kernel is about to take an IP that is to be announced", async () => {
  await pair.ipThere(`addr add ${PROBED.v6}/64 dev ask0`);
  await socket.until(({ sightings }) => sightings.some((frame) => frame.includes(hex(ipBytes(PROBED.v6)))));
});
