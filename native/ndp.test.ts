import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodeEthernet } from "../src/l2/ethernet.ts";
import { ipBytes } from "../src/l2/ip-bytes.ts";
import { decodeNdp, encodeNdp, IPV6_ETHER_TYPE, type Ndp } from "../src/l2/ndp.ts";
import { Wire } from "./test/prober.ts";
import { startSocket } from "./test/socket-process.ts";
import { HERE_MAC, makeVethPair, THERE_MAC, type VethPair } from "./test/veth-pair.ts";

const HERE = HERE_MAC.replaceAll(":", "");
const THERE = THERE_MAC.replaceAll(":", "");
/** The MAC of another node, as a deputy answers with. */
const OWNER = "02aaaaaaaaaa";
const OTHER_MAC = "02bbbbbbbbbb";
const ALL_NODES_MAC = "333300000001";
const GROUP_MAC = "3333ff000010";
const GROUP = "ff02::1:ff00:10";
const VIP = "2001:db8::10";
const OWNERS_VIP = "2001:db8::11";
const ASKER = "2001:db8:1::1";
const TABLE = [
  ["192.0.2.10", HERE],
  [VIP, HERE],
  [OWNERS_VIP, OWNER],
] as const;

let pair: VethPair;
beforeEach(async () => {
  pair = await makeVethPair();
});
afterEach(() => pair.remove());

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (frame: Uint8Array) => Buffer.from(frame).toString("hex");

interface Solicitation {
  readonly to?: string;
  readonly sourceIP?: string;
  readonly destinationIP?: string;
  readonly targetIP?: string;
  /** Of the option; null: there is none. */
  readonly mac?: string | null;
}

function packet({
  sourceIP = ASKER,
  destinationIP = GROUP,
  targetIP = VIP,
  mac = THERE,
}: Solicitation = {}): Uint8Array {
  return encodeNdp({
    type: "solicitation",
    sourceIP: ipBytes(sourceIP),
    destinationIP: ipBytes(destinationIP),
    targetIP: ipBytes(targetIP),
    mac: mac === null ? undefined : bytes(mac),
  });
}

function frame(payload: Uint8Array, to = GROUP_MAC): string {
  return hex(encodeEthernet(bytes(to), bytes(THERE), IPV6_ETHER_TYPE, payload));
}

function solicitation(options: Solicitation = {}): string {
  return frame(packet(options), options.to);
}

/** The answer that is due to `solicitation`, as the codec builds it. */
function advertisement(answer: { to?: string; destinationIP?: string; targetIP?: string; mac?: string } = {}): string {
  const { to = THERE, destinationIP = ASKER, targetIP = VIP, mac = HERE } = answer;
  const ndp: Ndp = {
    type: "advertisement",
    sourceIP: ipBytes(targetIP),
    destinationIP: ipBytes(destinationIP),
    targetIP: ipBytes(targetIP),
    mac: bytes(mac),
    router: false,
    solicited: destinationIP !== "ff02::1",
    override: true,
  };
  return hex(encodeEthernet(bytes(to), bytes(HERE), IPV6_ETHER_TYPE, encodeNdp(ndp)));
}

/** Waits for the answer to one more solicitation; what was sent before has been seen by then. */
async function answered(wire: Wire): Promise<void> {
  const last = "2001:db8:1::ffff";
  wire.send(solicitation({ sourceIP: last }));
  await wire.until((frames) => frames.includes(advertisement({ destinationIP: last })));
}

const deputy = { to: "3333ff000011", destinationIP: "ff02::1:ff00:11", targetIP: OWNERS_VIP };

test.each<{ name: string; asked: Solicitation; want: string }>([
  { name: "a solicitation to the group", asked: {}, want: advertisement() },
  { name: "one to our MAC", asked: { to: HERE, destinationIP: VIP }, want: advertisement() },
  { name: "one to our MAC, but the group's IP", asked: { to: HERE }, want: advertisement() },
  { name: "one without a MAC", asked: { to: HERE, destinationIP: VIP, mac: null }, want: advertisement() },
  { name: "one to the group without a MAC", asked: { mac: null }, want: advertisement() },
  { name: "one that names another MAC", asked: { mac: OTHER_MAC }, want: advertisement({ to: OTHER_MAC }) },
  {
    name: "one from a link-local IP",
    asked: { sourceIP: "fe80::2" },
    want: advertisement({ destinationIP: "fe80::2" }),
  },
  {
    name: "a probe, for all to hear",
    asked: { sourceIP: "::", mac: null },
    want: advertisement({ to: ALL_NODES_MAC, destinationIP: "ff02::1" }),
  },
  {
    name: "on behalf of an owner, from our own MAC",
    asked: deputy,
    want: advertisement({ targetIP: OWNERS_VIP, mac: OWNER }),
  },
])("answers $name", async ({ asked, want }) => {
  const socket = await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  wire.send(solicitation(asked));
  await wire.until((frames) => frames.length > 0);
  await answered(wire);
  expect(wire.seen).toEqual([want, expect.anything()]);
  await socket.untilCounted(({ nsAnswered }) => nsAnswered === 2);
});

/** `payload` with other bytes from `at` on, and the checksum that goes with them. */
function changed(payload: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(payload);
  copy.set(values, at);
  copy.fill(0, 42, 44);
  let sum = copy.length - 40 + 58;
  for (let i = 8; i < copy.length; i += 2) sum += ((copy[i] ?? 0) << 8) | (copy[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  copy.set([(~sum >> 8) & 0xff, ~sum & 0xff], 42);
  return copy;
}

const flipped = (payload: Uint8Array) => payload.with(50, (payload[50] ?? 0) ^ 1);
const probe = { sourceIP: "::", mac: null };

test.each([
  {
    name: "an IP that is not in the table",
    sent: solicitation({ to: HERE, destinationIP: "2001:db8::12", targetIP: "2001:db8::12" }),
    counter: "nsNotOurs",
  },
  { name: "all nodes' MAC", sent: solicitation({ to: ALL_NODES_MAC }), counter: "nsForeignDestination" },
  { name: "another group's MAC", sent: solicitation({ to: "3333ff000011" }), counter: "nsForeignDestination" },
  { name: "the broadcast MAC", sent: solicitation({ to: "ffffffffffff" }), counter: "nsForeignDestination" },
  { name: "all nodes' IP", sent: solicitation({ destinationIP: "ff02::1" }), counter: "nsForeignDestination" },
  {
    name: "another host's IP",
    sent: solicitation({ to: HERE, destinationIP: ASKER }),
    counter: "nsForeignDestination",
  },
  { name: "an asker that is a group", sent: solicitation({ sourceIP: "ff02::1" }), counter: "nsBadSource" },
  { name: "an asker with the IP itself", sent: solicitation({ sourceIP: VIP }), counter: "nsBadSource" },
  { name: "a group's MAC as the asker's", sent: solicitation({ mac: ALL_NODES_MAC }), counter: "nsBadSource" },
  { name: "zeros as the asker's MAC", sent: solicitation({ mac: "000000000000" }), counter: "nsBadSource" },
  {
    name: "a probe for one host",
    sent: solicitation({ ...probe, to: HERE, destinationIP: VIP }),
    counter: "nsBadSource",
  },
  { name: "a probe that names a MAC", sent: solicitation({ sourceIP: "::" }), counter: "ndpBadOptions" },
  { name: "a group as the target", sent: solicitation({ targetIP: "ff02::1" }), counter: "ndpBadTarget" },
  { name: "no target", sent: solicitation({ targetIP: "::" }), counter: "ndpBadTarget" },
  { name: "an advertisement", sent: advertisement({ to: HERE }), counter: "ndpAdvertisements" },
  { name: "a hop limit of 254", sent: frame(changed(packet(), 7, 254)), counter: "ndpBadHopLimit" },
  { name: "a code of 1", sent: frame(changed(packet(), 41, 1)), counter: "ndpUnknownCode" },
  { name: "a flipped bit", sent: frame(flipped(packet())), counter: "ndpBadChecksum" },
  { name: "an option without length", sent: frame(changed(packet(), 65, 0)), counter: "ndpBadOptions" },
  { name: "an option past the end", sent: frame(changed(packet(), 65, 2)), counter: "ndpBadOptions" },
  { name: "half an option", sent: frame(changed(packet().subarray(0, 68), 4, 0, 28)), counter: "ndpBadOptions" },
  { name: "a byte of an option", sent: frame(changed(packet().subarray(0, 65), 4, 0, 25)), counter: "ndpBadOptions" },
  { name: "a frame cut off", sent: frame(packet().subarray(0, 71)), counter: "ndpShort" },
  { name: "a length without a target", sent: frame(changed(packet(), 4, 0, 23)), counter: "ndpShort" },
  { name: "a header alone", sent: frame(packet().subarray(0, 41)), counter: "ndpShort" },
])("does not answer $name, and counts it", async ({ sent, counter }) => {
  const socket = await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  wire.send(sent);
  await answered(wire);
  expect(wire.seen).toHaveLength(1);
  expect(await socket.untilCounted((counters) => counters.nsAnswered === 1)).toMatchObject({ [counter]: 1 });
});

test("takes an option that it does not know, in front of the MAC", async () => {
  await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  const nonce = [14, 1, 1, 2, 3, 4, 5, 6];
  const mac = [1, 1, ...bytes(OTHER_MAC)];
  wire.send(frame(changed(Uint8Array.of(...packet({ mac: null }), ...nonce, ...mac), 4, 0, 40)));
  await wire.until((frames) => frames.length === 1);
  expect(wire.seen).toEqual([advertisement({ to: OTHER_MAC })]);
});

test("does not see what is for another host, nor the IPv6 that is none of NDP", async () => {
  const socket = await startSocket(pair, TABLE);
  await pair.ip("link set eth0 promisc on");
  const wire = await Wire.open(pair);
  wire.send(
    solicitation({ to: OWNER }),
    frame(changed(packet(), 40, 128), HERE),
    frame(changed(packet(), 6, 17), HERE),
  );
  await answered(wire);
  const counters = await socket.untilCounted(({ nsAnswered }) => nsAnswered === 1);
  const counted = Object.entries(counters).filter(([name, count]) => /^n[sd]/.test(name) && count > 0);
  expect(counted).toEqual([["nsAnswered", 1]]);
});

test("answers nothing before its first renewal, nor after renew(0)", async () => {
  const socket = await startSocket(pair, TABLE);
  await socket.call({ do: "renew", validForMs: 0 });
  const wire = await Wire.open(pair);
  wire.send(solicitation());
  await socket.untilCounted(({ nsExpired }) => nsExpired === 1);
  await socket.call({ do: "renew", validForMs: 60_000 });
  await answered(wire);
  expect(wire.seen).toHaveLength(1);
});

test("10 000 addresses of either family hold as a whole at once", async () => {
  const ips = Array.from({ length: 10_000 }, (_, i) => `2001:db8:2::${(i + 1).toString(16)}`);
  const socket = await startSocket(pair, [
    ...ips.map((ip) => [ip, HERE] as const),
    ...ips.map((_, i) => [`10.0.${i >> 8}.${i & 255}`, HERE] as const),
  ]);
  const wire = await Wire.open(pair);
  for (let from = 0; from < ips.length; from += 500) {
    const some = ips.slice(from, from + 500);
    wire.seen.length = 0;
    wire.send(...some.map((ip) => solicitation({ to: HERE, destinationIP: ip, targetIP: ip })));
    await wire.until((frames) => frames.length === some.length);
    expect(wire.seen).toEqual(some.map((targetIP) => advertisement({ targetIP })));
  }
  await socket.call({ do: "setTable", table: TABLE });
  wire.seen.length = 0;
  wire.send(solicitation({ to: HERE, destinationIP: "2001:db8:2::1", targetIP: "2001:db8:2::1" }));
  await answered(wire);
  expect(wire.seen).toHaveLength(1);
});

test("no bytes on the wire do any harm", async () => {
  const socket = await startSocket(pair, TABLE);
  await socket.call({ do: "watch", heard: [ASKER], probed: [OWNERS_VIP] });
  const wire = await Wire.open(pair);
  const start = fc.constantFrom(
    packet().subarray(0, 40),
    packet().subarray(0, 64),
    packet(),
    packet(probe),
    Uint8Array.of(...packet().subarray(0, 4), 5, 0xdc, ...packet().subarray(6)),
  );
  const edit = fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 3 });
  const sent = fc
    .tuple(start, edit, fc.uint8Array({ maxLength: 1400 }), fc.constantFrom(HERE, GROUP_MAC))
    .map(([head, edits, rest, to]) => {
      const payload = Uint8Array.of(...head, ...rest);
      for (const [at, value] of edits) if (at < payload.length) payload[at] = value;
      // Right sums get further.
      return frame(payload.length >= 44 ? changed(payload, 0, payload[0] ?? 0) : payload, to);
    });
  await fc.assert(
    fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 50 }), async (frames) => {
      wire.seen.length = 0;
      wire.send(...frames);
      await answered(wire);
      for (const seen of wire.seen)
        expect(decodeNdp(bytes(seen).subarray(14))).toMatchObject({ type: "advertisement" });
    }),
    { numRuns: 100 },
  );
  expect(await socket.close()).toBe(0);
});
