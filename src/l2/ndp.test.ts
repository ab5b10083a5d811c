import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeNdp, encodeNdp, type Ndp, neighborProbe, neighborSolicitation, unsolicitedNA } from "./ndp.ts";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

const ONE = "20010db8 00000000 00000000 00000001";
const TWO = "20010db8 00000000 00000000 00000002";
const UNSPECIFIED = "00000000 00000000 00000000 00000000";
const ALL_NODES = "ff020000 00000000 00000000 00000001";
const GROUP_OF_ONE = "ff020000 00000000 00000001 ff000001";
const MAC_ONE = "02005e000001";
const MAC_TWO = "02005e000002";

/** Captured between two hosts with Linux 6.18, and taken apart by hand. */
const SOLICITATION = `60000000 0020 3a ff ${TWO} ${GROUP_OF_ONE} 87 00 be26 00000000 ${ONE} 01 01 ${MAC_TWO}`;
const ADVERTISEMENT = `60000000 0020 3a ff ${ONE} ${TWO} 88 00 2c73 60000000 ${ONE} 02 01 ${MAC_ONE}`;
/** With a nonce option (RFC 7527). */
const PROBE = `60000000 0020 3a ff ${UNSPECIFIED} ${GROUP_OF_ONE} 87 00 df1a 00000000 ${ONE} 0e 01 df2c29ed56af`;

test.each<{ name: string; hex: string; want: Ndp }>([
  {
    name: "a solicitation",
    hex: SOLICITATION,
    want: {
      type: "solicitation",
      sourceIP: bytes(TWO),
      destinationIP: bytes(GROUP_OF_ONE),
      targetIP: bytes(ONE),
      mac: bytes(MAC_TWO),
    },
  },
  {
    name: "an advertisement, with padding",
    hex: `${ADVERTISEMENT} 0000 0000`,
    want: {
      type: "advertisement",
      sourceIP: bytes(ONE),
      destinationIP: bytes(TWO),
      targetIP: bytes(ONE),
      mac: bytes(MAC_ONE),
      router: false,
      solicited: true,
      override: true,
    },
  },
  {
    name: "a probe of duplicate address detection",
    hex: PROBE,
    want: {
      type: "solicitation",
      sourceIP: bytes(UNSPECIFIED),
      destinationIP: bytes(GROUP_OF_ONE),
      targetIP: bytes(ONE),
      mac: undefined,
    },
  },
])("decodeNdp takes $name", ({ hex, want }) => expect(decodeNdp(bytes(hex))).toEqual(want));

/** Puts the right checksum in, so that what is wrong is not that. */
function summed(hex: string): Uint8Array {
  const packet = bytes(hex);
  packet.fill(0, 42, 44);
  let sum = packet.length - 40 + 58;
  for (let at = 8; at < packet.length; at += 2) sum += ((packet[at] ?? 0) << 8) + (packet[at + 1] ?? 0);
  sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  sum = 0xffff - ((sum % 0x10000) + Math.floor(sum / 0x10000));
  packet.set([sum >> 8, sum & 255], 42);
  return packet;
}

test.each([
  { name: "nothing", packet: bytes(""), want: "Short" },
  { name: "cut off in the IP header", packet: bytes(SOLICITATION).subarray(0, 39), want: "Short" },
  { name: "cut off in the target", packet: bytes(SOLICITATION).subarray(0, 63), want: "Short" },
  { name: "cut off in an option", packet: bytes(SOLICITATION).subarray(0, 71), want: "Short" },
  {
    name: "a payload length before the target's end",
    packet: bytes(SOLICITATION.replace("0020", "0017")),
    want: "Short",
  },
  { name: "IPv4", packet: bytes(SOLICITATION.replace("60", "45")), want: "NotNdp" },
  { name: "UDP", packet: bytes(SOLICITATION.replace(" 3a ", " 11 ")), want: "NotNdp" },
  { name: "an echo request", packet: summed(SOLICITATION.replace(" 87 00 ", " 80 00 ")), want: "NotNdp" },
  { name: "another code", packet: summed(SOLICITATION.replace(" 87 00 ", " 87 01 ")), want: "NotNdp" },
  { name: "one that crossed a router", packet: bytes(SOLICITATION.replace(" 3a ff ", " 3a fe ")), want: "BadHopLimit" },
  { name: "a flipped bit", packet: bytes(SOLICITATION.replace("be26", "be27")), want: "BadChecksum" },
  { name: "a group as the target", packet: summed(SOLICITATION.replaceAll(ONE, ALL_NODES)), want: "BadTarget" },
  { name: "a group as the source", packet: summed(SOLICITATION.replace(TWO, ALL_NODES)), want: "BadSource" },
  { name: "an option of length 0", packet: summed(SOLICITATION.replace(" 01 01 ", " 01 00 ")), want: "BadOptions" },
  { name: "an option past the end", packet: summed(SOLICITATION.replace(" 01 01 ", " 01 02 ")), want: "BadOptions" },
  { name: "a probe that names its MAC", packet: summed(PROBE.replace(" 0e 01 ", " 01 01 ")), want: "BadOptions" },
  { name: "a probe for one host", packet: summed(PROBE.replace(GROUP_OF_ONE, ONE)), want: "BadDestination" },
  {
    name: "an answer for a group",
    packet: summed(ADVERTISEMENT.replace(` ${TWO} `, ` ${ALL_NODES} `)),
    want: "BadDestination",
  },
])("decodeNdp drops $name", ({ packet, want }) => expect(decodeNdp(packet)).toBe(want));

test("encodeNdp builds what was captured", () => {
  for (const hex of [SOLICITATION, ADVERTISEMENT]) {
    const ndp = decodeNdp(bytes(hex));
    expect(typeof ndp === "string" ? ndp : encodeNdp(ndp)).toEqual(bytes(hex));
  }
});

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
const ip = fc.uint8Array({ minLength: 16, maxLength: 16 }).filter(([first]) => first !== 0xff);
const ndp = fc.oneof(
  fc.record({
    type: fc.constant("solicitation" as const),
    sourceIP: ip.filter((source) => source.some((value) => value !== 0)),
    destinationIP: ip,
    targetIP: ip,
    mac: fc.option(mac, { nil: undefined }),
  }),
  fc.record({
    type: fc.constant("advertisement" as const),
    sourceIP: ip,
    destinationIP: ip,
    targetIP: ip,
    mac: fc.option(mac, { nil: undefined }),
    router: fc.boolean(),
    solicited: fc.boolean(),
    override: fc.boolean(),
  }),
);

test("what encodeNdp builds decodes to the same, wherever it lies and whatever follows", () => {
  const noise = fc.uint8Array({ maxLength: 20 });
  fc.assert(
    fc.property(ndp, noise, noise, (sent, before, after) => {
      const all = Uint8Array.of(...before, ...encodeNdp(sent), ...after);
      expect(decodeNdp(all.subarray(before.length))).toEqual(sent);
    }),
  );
});

test("decodeNdp takes any bytes, cut off anywhere, and notices each changed bit that matters", () => {
  const place = fc.tuple(fc.nat(), fc.nat(7));
  fc.assert(
    fc.property(ndp, place, fc.nat(), (sent, [at, bit], length) => {
      const packet = encodeNdp(sent);
      expect(typeof decodeNdp(packet.subarray(0, length % packet.length))).toBe("string");
      const index = 8 + (at % (packet.length - 8));
      packet[index] = (packet[index] ?? 0) ^ (1 << bit);
      expect(typeof decodeNdp(packet)).toBe("string");
    }),
  );
  const head = fc.constantFrom("", "60000000 0020 3a ff", "60000000 0018 3a ff", "60000000 0030 3a ff").map(bytes);
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 120 }), (start, rest) => {
      decodeNdp(Uint8Array.of(...start, ...rest));
    }),
  );
});

test.each([
  {
    name: "unsolicitedNA tells all nodes, as an override",
    frame: unsolicitedNA(bytes(MAC_ONE), bytes(ONE)),
    want: `333300000001 ${MAC_ONE} 86dd 60000000 0020 3a ff ${ONE} ${ALL_NODES} 88 00 9b2a 20000000 ${ONE} 02 01 ${MAC_ONE}`,
  },
  {
    name: "neighborSolicitation asks all that may have the IP",
    frame: neighborSolicitation(bytes(MAC_TWO), bytes(TWO), bytes(ONE)),
    want: `3333ff000001 ${MAC_TWO} 86dd ${SOLICITATION}`,
  },
  {
    name: "neighborSolicitation asks one host",
    frame: neighborSolicitation(bytes(MAC_TWO), bytes(TWO), bytes(ONE), bytes(MAC_ONE)),
    want: `${MAC_ONE} ${MAC_TWO} 86dd 60000000 0020 3a ff ${TWO} ${ONE} 87 00 8e72 00000000 ${ONE} 01 01 ${MAC_TWO}`,
  },
  {
    name: "neighborProbe asks from nowhere",
    frame: neighborProbe(bytes(MAC_TWO), bytes(ONE)),
    want: `3333ff000001 ${MAC_TWO} 86dd 60000000 0018 3a ff ${UNSPECIFIED} ${GROUP_OF_ONE} 87 00 4ced 00000000 ${ONE}`,
  },
  {
    name: "neighborProbe asks one host from nowhere",
    frame: neighborProbe(bytes(MAC_TWO), bytes(ONE), bytes(MAC_ONE)),
    want: `${MAC_ONE} ${MAC_TWO} 86dd 60000000 0018 3a ff ${UNSPECIFIED} ${GROUP_OF_ONE} 87 00 4ced 00000000 ${ONE}`,
  },
])("$name", ({ frame, want }) => expect(Buffer.from(frame).toString("hex")).toBe(want.replaceAll(" ", "")));
