import { randomBytes } from "node:crypto";
import { ARP_ETHER_TYPE, encodeArp } from "../../src/l2/arp.ts";
import { BROADCAST, decodeEthernet, encodeEthernet } from "../../src/l2/ethernet.ts";
import { HERALD_ETHER_TYPE, HERALD_GROUP } from "../../src/l2/frame.ts";
import { openPacketSocket } from "../../src/l2/packet-socket.ts";

/**
 * Sends what no speaker should believe, from the namespace it runs in: `hostile-sender.ts INTERFACE IP`. It first hears
 * real hellos, to send them again as they were and with one bit changed. Prints what it has sent, as JSON.
 */

/** Frames to hear first, and how often each hostile frame is sent. */
const HEARD = 30;
const TIMES = 50;

const [, , name = "", ip = ""] = process.argv;
const heard: Uint8Array[] = [];
const socket = openPacketSocket({
  interface: name,
  onFrames: (frames) => {
    if (heard.length >= HEARD) return;
    heard.push(...frames.filter(isHerald).map(fromHere));
    if (heard.length >= HEARD) attack();
  },
  onLink: () => {},
  onError: (error) => {
    throw error;
  },
});

/** The socket hears ARP and neighbour discovery too. */
function isHerald(frame: Uint8Array): boolean {
  const ethernet = decodeEthernet(frame);
  return ethernet !== "Short" && ethernet.etherType === HERALD_ETHER_TYPE;
}

/** The frame as this host would send it: with a node's own MAC the switch would believe that the node is here. */
function fromHere(frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame); // slice() of a Buffer would be a view
  copy.set(socket.mac, 6);
  return copy;
}

function attack(): void {
  const ownMac = socket.mac;
  const target = ip.split(".").reduce((value, octet) => value * 256 + Number(octet), 0);
  const nobody = new Uint8Array(6);
  const request = encodeArp({
    operation: "request",
    senderMac: ownMac,
    senderIP: 0,
    targetMac: nobody,
    targetIP: target,
  });
  const hello = (payload: Uint8Array) => encodeEthernet(HERALD_GROUP, ownMac, HERALD_ETHER_TYPE, payload);
  const arp = (payload: Uint8Array) => encodeEthernet(BROADCAST, ownMac, ARP_ETHER_TYPE, payload);
  const real = heard.at(-1) ?? new Uint8Array(64);
  const changed = (at: number) => {
    const frame = Uint8Array.from(real);
    frame[at] = (frame[at] ?? 0) ^ 1;
    return frame;
  };
  const kinds: Record<string, () => Uint8Array> = {
    replayed: () => heard[0] ?? real,
    forged: () => changed(14 + 40),
    otherVersion: () => changed(14 + 2),
    otherCluster: () => changed(14 + 8),
    cutOff: () => real.subarray(0, 14 + 40),
    noise: () => hello(randomBytes(200)),
    longest: () => hello(randomBytes(1500)),
    empty: () => hello(new Uint8Array(0)),
    arpCutOff: () => arp(request.subarray(0, 20)),
    arpNoise: () => arp(randomBytes(28)),
    // As if somebody else had the IP: nobody may be taken in by it but the hosts that it is sent to.
    arpForeign: () =>
      arp(
        encodeArp({ operation: "request", senderMac: ownMac, senderIP: target, targetMac: nobody, targetIP: target }),
      ),
  };
  for (let round = 0; round < TIMES; round++) socket.send(Object.values(kinds).map((make) => make()));
  process.stdout.write(`${JSON.stringify({ kinds: Object.keys(kinds), times: TIMES, counters: socket.counters() })}\n`);
  socket.close();
}
