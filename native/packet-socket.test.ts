import { execFile } from "node:child_process";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask, Wire } from "./test/prober.ts";
import { NET_RAW_ALONE, SocketProcess, startSocket } from "./test/socket-process.ts";
import { HERE_MAC, makeVethPair, THERE_MAC, type VethPair } from "./test/veth-pair.ts";

const exec = promisify(execFile);
const HERE = HERE_MAC.replaceAll(":", "");
const THERE = THERE_MAC.replaceAll(":", "");
const BROADCAST = "ffffffffffff";
const HELLO_GROUP = "034845524c44";
/** The MAC of another node, as a deputy answers with. */
const OWNER = "02aaaaaaaaaa";
const ASKER_IP = "c6336401"; // 198.51.100.1
const VIP = "c000020a";
const TABLE = [
  ["192.0.2.10", HERE],
  ["192.0.2.11", OWNER],
] as const;

let pair: VethPair;
beforeEach(async () => {
  pair = await makeVethPair();
});
afterEach(() => pair.remove());

interface Request {
  readonly to?: string;
  readonly operation?: string;
  readonly senderMac?: string;
  readonly senderIP?: string;
  readonly targetIP?: string;
}

function request({ to, operation, senderMac, senderIP, targetIP }: Request = {}): string {
  const sender = `${senderMac ?? THERE}${senderIP ?? ASKER_IP}`;
  return `${to ?? BROADCAST}${THERE}0806 0001 0800 06 04 ${operation ?? "0001"} ${sender} 000000000000${targetIP ?? VIP}`;
}

function reply(targetIP = VIP, mac = HERE, senderIP = ASKER_IP): string {
  return `${THERE}${HERE}080600010800060400 02${mac}${targetIP}${THERE}${senderIP}`.replaceAll(" ", "");
}

/** A table of so many IPs from 10.0.0.0 on. */
function addresses(count: number): (readonly [ip: string, mac: string])[] {
  return Array.from({ length: count }, (_, i) => [`10.0.${i >> 8}.${i & 255}`, HERE] as const);
}

/** Waits for the answer to one more request; what was sent before has been seen by then. */
async function answered(wire: Wire): Promise<void> {
  wire.send(request({ senderIP: "c63364fe" }));
  await wire.until((frames) => frames.includes(reply(VIP, HERE, "c63364fe")));
}

test("answers to the asker alone, from its own MAC, with the MAC of the table", async () => {
  await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  wire.send(request(), request({ targetIP: "c000020b" }), request({ to: HERE }));
  await wire.until((frames) => frames.length === 3);
  expect(wire.seen).toEqual([reply(), reply("c000020b", OWNER), reply()]);
});

test("answers to the MAC that a request names as its sender's", async () => {
  await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  wire.send(request({ senderMac: "02bbbbbbbbbb" }));
  await wire.until((frames) => frames.length === 1);
  expect(wire.seen).toEqual([reply().replaceAll(THERE, "02bbbbbbbbbb")]);
});

test("answers a probe, whose sender has no IP yet", async () => {
  await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  wire.send(request({ senderIP: "00000000" }));
  await wire.until((frames) => frames.length === 1);
  expect(wire.seen).toEqual([reply(VIP, HERE, "00000000")]);
});

test.each([
  { name: "an IP that is not in the table", frame: request({ targetIP: "c000020c" }), counter: "arpNotOurs" },
  { name: "an announcement", frame: request({ senderIP: VIP }), counter: "arpGratuitous" },
  { name: "a reply", frame: request({ operation: "0002" }), counter: "arpReplies" },
  { name: "a multicast destination", frame: request({ to: "01005e000001" }), counter: "arpForeignDestination" },
  { name: "RARP's operation", frame: request({ operation: "0003" }), counter: "arpUnknownOperation" },
  { name: "a sender MAC that is a group's", frame: request({ senderMac: HELLO_GROUP }), counter: "arpBadSender" },
  { name: "a sender MAC of zeros", frame: request({ senderMac: "000000000000" }), counter: "arpBadSender" },
  { name: "a frame cut off", frame: request().replaceAll(" ", "").slice(0, -2), counter: "arpShort" },
  { name: "a header without ARP", frame: request().slice(0, 28), counter: "arpShort" },
  {
    name: "another hardware type",
    frame: request().replace("0806 0001", "0806 0006"),
    counter: "arpNotIPv4OverEthernet",
  },
  { name: "another protocol type", frame: request().replace(" 0800 ", " 86dd "), counter: "arpNotIPv4OverEthernet" },
])("does not answer $name, and counts it", async ({ frame, counter }) => {
  const socket = await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  wire.send(frame);
  await answered(wire);
  expect(wire.seen).toHaveLength(1);
  expect(await socket.untilCounted((counters) => counters.arpAnswered === 1)).toMatchObject({ [counter]: 1 });
});

test("does not see a request that is for another host", async () => {
  const socket = await startSocket(pair, TABLE);
  await pair.ip("link set eth0 promisc on");
  const wire = await Wire.open(pair);
  wire.send(request({ to: OWNER }));
  await answered(wire);
  expect(wire.seen).toHaveLength(1);
  expect(await socket.untilCounted((counters) => counters.arpAnswered === 1)).toMatchObject({
    arpForeignDestination: 0,
  });
});

test("keeps out of VLANs: of tagged frames only those with a priority alone count", async () => {
  const socket = await startSocket(pair, TABLE);
  const tagged = (frame: string, vlan: string) => `${frame.slice(0, 24)}8100${vlan}${frame.slice(24)}`;
  const hello = `${HELLO_GROUP}${THERE}88b5`;
  const ask = (vlan: string) => [tagged(request(), vlan), tagged(`${hello}${vlan}`, vlan)];
  const wire = await Wire.open(pair);
  wire.send(...ask("0014"), ...ask("6000"), `${hello}ffff`);
  await answered(wire);
  await socket.until(({ frames }) => frames.includes(`${hello}ffff`));
  expect(socket.frames).toEqual([`${hello}6000`, `${hello}ffff`]);
  expect(wire.seen).toEqual([reply(), reply(VIP, HERE, "c63364fe")]);
});

test("answers nothing before its first renewal, nor after renew(0)", async () => {
  const socket = new SocketProcess(pair);
  await socket.until(({ link }) => link !== undefined);
  await socket.call({ do: "setTable", table: TABLE });
  const wire = await Wire.open(pair);
  wire.send(request());
  await socket.untilCounted(({ arpExpired }) => arpExpired === 1);
  await socket.call({ do: "renew", validForMs: 60_000 });
  await answered(wire);
  await socket.call({ do: "renew", validForMs: 0 });
  wire.send(request());
  await socket.untilCounted(({ arpExpired }) => arpExpired === 2);
  expect(wire.seen).toHaveLength(1);
});

test("stops by itself when it is not renewed", async () => {
  const socket = await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  await answered(wire);
  await socket.call({ do: "renew", validForMs: 20 });
  await socket.untilCounted(({ arpExpired = 0 }) => {
    wire.send(request());
    return arpExpired > 0;
  });
  const { arpAnswered: before, arpExpired = 0 } = await socket.counters();
  wire.send(request());
  await socket.untilCounted((counters) => (counters.arpExpired ?? 0) > arpExpired);
  expect((await socket.counters()).arpAnswered).toBe(before);
});

test("requests that came while the process was stopped get no answer after the deadline", async () => {
  const socket = await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  await answered(wire);
  await socket.call({ do: "renew", validForMs: 50 });
  await socket.stop();
  const stopped = performance.now();
  wire.send(...Array.from({ length: 200 }, () => request()));
  while (performance.now() - stopped < 60) await new Promise(setImmediate);
  socket.goOn();
  const counters = await socket.untilCounted(({ arpExpired = 0, arpAnswered = 0 }) => arpExpired + arpAnswered === 201);
  expect(counters.arpExpired).toBe(200);
});

test("a new table holds as a whole at once, with 10 000 addresses too", async () => {
  const socket = await startSocket(pair, TABLE);
  await socket.call({ do: "setTable", table: addresses(10_000) });
  const asked = await ask(pair, { firstIP: "10.0.0.0", ips: 10_000, count: 10_000, perSecond: 1e6, window: 32 });
  expect(asked.answered).toBe(10_000);
  const wire = await Wire.open(pair);
  wire.send(request());
  await socket.untilCounted(({ arpNotOurs }) => arpNotOurs === 1);
  await socket.call({ do: "setTable", table: [] });
  wire.send(request({ targetIP: "0a000000" }));
  await socket.untilCounted(({ arpNotOurs }) => arpNotOurs === 2);
  expect(wire.seen).toHaveLength(0);
});

test("tables swapped under load lose no request for an IP that is in all of them", async () => {
  const socket = await startSocket(pair, TABLE);
  let asking = true;
  const asked = ask(pair, { firstIP: "192.0.2.10", ips: 2, count: 5000, perSecond: 5000, window: 1 }).finally(() => {
    asking = false;
  });
  let swaps = 0;
  for (; asking; swaps++) {
    await socket.call({ do: "setTable", table: [...TABLE, ...addresses(200 + (swaps % 300))] });
  }
  expect((await asked).answered).toBe(5000);
  expect(swaps).toBeGreaterThan(1);
});

test("answers while the JavaScript thread is blocked", async () => {
  const socket = await startSocket(pair, addresses(1000));
  const asked = ask(pair, { firstIP: "10.0.0.0", ips: 1000, count: 2000, perSecond: 1000, window: 1000 });
  await socket.untilCounted(({ arpAnswered = 0 }) => arpAnswered > 0);
  for (let stall = 0; stall < 4; stall++) {
    // The call returns without its event loop having run, once 200 requests were answered: 200 ms.
    expect(await socket.call<number>({ do: "block", answers: 200, atMostMs: 10_000 })).toBeGreaterThanOrEqual(200);
  }
  const { sent, answered } = await asked;
  expect({ sent, answered }).toEqual({ sent: 2000, answered: 2000 });
});

test("answers again after its link was down", async () => {
  const socket = await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  for (let round = 0; round < 2; round++) {
    await pair.ip("link set eth0 down");
    await socket.until(({ link }) => link !== "gone" && link?.up === false);
    await pair.ip("link set eth0 up");
    await socket.until(({ link }) => link !== "gone" && link?.up === true);
    wire.seen.length = 0;
    await answered(wire);
  }
  expect(socket.errors).toEqual([]);
});

test("answers again on a new interface of the same name, with its new MAC, and hears hellos there", async () => {
  const socket = await startSocket(pair, [["192.0.2.11", OWNER]]);
  const newMac = "020000000007";
  for (const mac of [HERE, newMac]) {
    await pair.ip("link del eth0");
    await socket.until(({ link }) => link === "gone");
    await pair.plug(mac.replace(/(..)(?!$)/g, "$1:"));
    await socket.until(({ link }) => link !== "gone" && link?.up === true);
    expect(await socket.call({ do: "mac" })).toBe(mac);

    const wire = await Wire.open(pair);
    wire.send(request({ targetIP: "c000020b" }), `${HELLO_GROUP}${THERE}88b5${mac}`);
    await wire.until((frames) => frames.length === 1);
    expect(wire.seen).toEqual([reply("c000020b", OWNER).replace(`${THERE}${HERE}`, `${THERE}${mac}`)]);
    await socket.until(({ frames }) => frames.some((frame) => frame.endsWith(mac)));
  }
  expect(await socket.counters()).toMatchObject({ rebinds: 2 });
  expect(socket.errors).toEqual([]);
});

test("follows a change of its MAC", async () => {
  const socket = await startSocket(pair, TABLE);
  await pair.ip("link set eth0 address 02:00:00:00:00:09");
  await socket.until(({ link }) => link !== "gone" && link?.mac === "020000000009");
  const wire = await Wire.open(pair);
  wire.send(request({ to: "020000000009" }));
  await wire.until((frames) => frames.length === 1);
  expect(wire.seen[0]).toBe(reply().replace(`${THERE}${HERE}`, `${THERE}020000000009`));
});

test("hello frames come from the group and to its own MAC, and go out whole and in order", async () => {
  const socket = await startSocket(pair, []);
  const wire = await Wire.open(pair);
  const taken = [`${HELLO_GROUP}${THERE}88b50001`, `${HERE}${THERE}88b50002`, `${HELLO_GROUP}${THERE}88b50003`];
  const notTaken = [`${BROADCAST}${THERE}88b5ffff`, `${OWNER}${THERE}88b5ffff`, `${HELLO_GROUP}${THERE}88b6ffff`];
  wire.send(taken[0] ?? "", ...notTaken, ...taken.slice(1));
  await socket.until(({ frames }) => frames.length >= 3);
  expect(socket.frames).toEqual(taken);

  const frames = Array.from({ length: 300 }, (_, i) => `${HELLO_GROUP}${HERE}88b5${i.toString(16).padStart(4, "0")}`);
  await socket.call({ do: "send", frames });
  await wire.until((seen) => seen.length === 300);
  expect(wire.seen).toEqual(frames);
  expect(await socket.counters()).toMatchObject({ hellos: 3, sent: 300, sendErrors: 0 });
});

test("what can't be sent is counted: too short, too long, link down, interface gone", async () => {
  const socket = await startSocket(pair, []);
  const hello = `${HELLO_GROUP}${HERE}88b500`;
  await socket.call({ do: "send", frames: ["", "00", hello.slice(0, 26), hello + "00".repeat(3000), hello] });
  expect(await socket.counters()).toMatchObject({ sent: 1, sendErrors: 4 });
  await pair.ip("link set eth0 down");
  await socket.call({ do: "send", frames: [hello, hello] });
  expect(await socket.counters()).toMatchObject({ sent: 1, sendErrors: 6 });
  await pair.ip("link del eth0");
  await socket.call({ do: "send", frames: [hello] });
  expect(await socket.counters()).toMatchObject({ sent: 1, sendErrors: 7 });
});

test("the queue of hello frames is bounded, and can be thrown away", async () => {
  const socket = await startSocket(pair, []);
  const wire = await Wire.open(pair);
  const frames = Array.from({ length: 5000 }, (_, i) => `${HELLO_GROUP}${THERE}88b5${i.toString(16).padStart(4, "0")}`);
  wire.send(...frames);
  // Blocked in this call until all have come, so none was delivered before most had been dropped or thrown away.
  await socket.call({ do: "discardAfter", hellos: 5000 });
  const { hellos, helloQueueOverflow = 0, hellosDiscarded = 0, helloOverruns } = await socket.counters();
  expect({ hellos, helloOverruns }).toEqual({ hellos: 5000, helloOverruns: 0 });
  expect(hellosDiscarded).toBeLessThanOrEqual(4096);
  expect(socket.frames.length + hellosDiscarded + helloQueueOverflow).toBe(5000);
  wire.send(`${HELLO_GROUP}${THERE}88b5beef`);
  await socket.until((self) => self.frames.some((frame) => frame.endsWith("beef")));
});

test("no bytes on the wire do any harm", async () => {
  const socket = await startSocket(pair, TABLE);
  const wire = await Wire.open(pair);
  const header = fc.constantFrom(
    `${BROADCAST}${THERE}0806`,
    `${HERE}${THERE}0806`,
    `${HELLO_GROUP}${THERE}88b5`,
    `${BROADCAST}${THERE}0806 0001 0800 06 04`,
    `${BROADCAST}${THERE}0806 0001 0800 06 04 0001 ${THERE}`,
  );
  const frame = fc
    .tuple(header, fc.uint8Array({ maxLength: 1400 }))
    .map(([head, rest]) => (head + Buffer.from(rest).toString("hex")).replaceAll(" ", ""));
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 50 }), async (frames) => {
      wire.seen.length = 0;
      wire.send(...frames);
      await answered(wire);
    }),
    { numRuns: 100 },
  );
  expect(await socket.close()).toBe(0);
});

test("needs CAP_NET_RAW and nothing more", async () => {
  await startSocket(pair, TABLE, NET_RAW_ALONE);
  await answered(await Wire.open(pair));
});

test.each([
  { name: "an unknown interface", interface: "eth9", prefix: [], code: "NoSuchInterface" },
  { name: "an interface without Ethernet", interface: "lo", prefix: [], code: "NoSuchInterface" },
  {
    name: "no capability",
    interface: "eth0",
    prefix: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"],
    code: "NoPacketSocket",
  },
])("refuses $name with $code", async ({ interface: name, prefix, code }) => {
  const child = [process.execPath, new URL("test/socket-child.ts", import.meta.url).pathname, name];
  const failed = await exec("ip", ["netns", "exec", pair.here, ...prefix, ...child]).catch((error) => error);
  expect(JSON.parse(failed.stdout)).toMatchObject({
    code,
    message: expect.stringContaining(`open interface ${name}: `),
  });
});

test("close() ends the process's work at once; the process then ends by itself", async () => {
  const socket = await startSocket(pair, TABLE);
  await answered(await Wire.open(pair));
  expect(await socket.close()).toBe(0);
});

test("workers with open sockets may end at any moment, and nothing of them stays", async () => {
  const child = [process.execPath, new URL("test/worker-exits.ts", import.meta.url).pathname, "eth0"];
  const asked = ask(pair, { firstIP: "192.0.2.10", ips: 1, count: 20_000, perSecond: 1e6, window: 8 });
  const { stdout } = await exec("ip", ["netns", "exec", pair.here, ...child]);
  const { descriptors, threads } = JSON.parse(stdout);
  expect(descriptors.after).toBe(descriptors.before);
  expect(threads.after).toBe(threads.before);
  await asked;
});
