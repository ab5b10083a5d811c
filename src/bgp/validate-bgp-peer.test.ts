import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { validateBGPPeer } from "./validate-bgp-peer.ts";

/** test/cluster/bgp-peer.test.ts holds it to what the API server says. */

const peer = (more: object = {}) => ({ myASN: 64512, peerASN: 64513, peerAddress: "192.0.2.1", ...more });
const found = (spec: unknown) => validateBGPPeer(spec).map(({ path, message }) => `${path} ${message}`);

test.each(["bgppeer.yaml", "bgppeer-all-fields.yaml"])("the sample %s is good", (file) => {
  const path = new URL(`../../config/samples/${file}`, import.meta.url);
  expect(found(parse(readFileSync(path, "utf8")).spec)).toEqual([]);
});

test.each<{ name: string; spec: unknown; want: string[] }>([
  {
    name: "an address with a length",
    spec: peer({ peerAddress: "192.0.2.1/24" }),
    want: [
      'spec.peerAddress "192.0.2.1/24" is not an address; write the router\'s own address like "192.0.2.1" or "2001:db8::1", without prefix length, leading zeros, zone id or IPv4-mapped IPv6',
    ],
  },
  {
    name: "an interface besides what goes with an address",
    spec: { myASN: 1, peerASN: 2, peerInterface: "eth1", passive: true, ebgpMultihop: { ttl: 2 } },
    want: [
      'spec.passive passive does not go with peerInterface "eth1"; remove it',
      'spec.ebgpMultihop ebgpMultihop does not go with peerInterface "eth1"; remove it',
    ],
  },
  {
    name: "keepalives that are too rare",
    spec: peer({ holdTime: "10s", keepaliveTime: "5s" }),
    want: ['spec.keepaliveTime "5s" is more than a third of holdTime "10s"; write at most "3s", or remove it'],
  },
  {
    name: "a hold time out of bounds, which says nothing of the keepalives",
    spec: peer({ holdTime: "2s", keepaliveTime: "1s" }),
    want: ['spec.holdTime "2s" is out of bounds; write 3s to 65535s'],
  },
  {
    name: "all of several mistakes, in the order of the fields",
    spec: peer({ peerPort: 80, passive: true, routerID: "::1", bfd: {}, ebgpMultihop: { ttl: 9 }, peerASN: 64512 }),
    want: [
      "spec.peerPort peerPort 80 is of no use with passive: the router connects; remove one of the two",
      'spec.routerID "::1" is not a router ID; write one like "192.0.2.11" (IPv4, not 0.0.0.0)',
      "spec.ebgpMultihop is for eBGP, and myASN and peerASN are both 64512; remove it: iBGP goes over routers anyway",
      "spec.bfd is single-hop, and ebgpMultihop is for a router further away; remove one of the two",
    ],
  },
  {
    name: "a name that there is not",
    spec: peer({ password: "x" }),
    want: ["spec.password is no field of a BGPPeer; correct its name, or remove it"],
  },
])("validateBGPPeer tells of $name", ({ spec, want }) => expect(found(spec)).toEqual(want));

test("whatever comes in, validateBGPPeer answers and does not throw", () => {
  const odd = fc.anything({
    withBigInt: false,
    withDate: false,
    withMap: false,
    withSet: false,
    withTypedArray: false,
  });
  const field = fc.constantFrom(
    "myASN",
    "peerAddress",
    "peerInterface",
    "holdTime",
    "keepaliveTime",
    "bfd",
    "nodeSelector",
  );
  fc.assert(
    fc.property(fc.dictionary(field, fc.oneof(odd, fc.string())), (more) => {
      expect(Array.isArray(validateBGPPeer({ ...peer(), ...more }))).toBe(true);
    }),
  );
});
