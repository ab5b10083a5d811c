import { expect, test } from "vitest";
import type { Speaker } from "../api/speaker.ts";
import { PersistentMap } from "../persistent-map.ts";
import { type ClaimantsInput, claimantsIn } from "./claimants.ts";
import type { SegmentState } from "./segment-messages.ts";

const IP = "192.0.2.1";
type Layer2 = NonNullable<Speaker["status"]["layer2"]>;

function speaker(
  name: string,
  claims: readonly string[],
  more: { subnet?: string; conflicts?: Layer2["conflicts"] } = {},
): Speaker {
  const { subnet = "192.0.2.11/24", conflicts } = more;
  return {
    meta: { name } as Speaker["meta"],
    status: {
      interfaces: [{ name: "eth0", mac: `mac-${name}`, subnets: [subnet, "fe80::1/64"] }],
      layer2: { claims: [{ interface: "eth0", ips: [...claims] }], ...(conflicts && { conflicts }) },
    },
  };
}
function own(epoch: bigint | undefined, more: { tentative?: boolean; rival?: { announced: boolean } } = {}) {
  const conflicts = more.rival ? [{ ip: IP, mac: "mac-x", node: undefined, sinceMs: 0, ...more.rival }] : [];
  return {
    interface: "eth0",
    claims: PersistentMap.from(
      epoch === undefined ? [] : [[IP, { ip: IP, epoch, yielding: false, tentative: more.tentative }]],
    ),
    view: { conflicts } as unknown as SegmentState["view"],
  };
}
const interfaces = [{ name: "eth0", mac: "mac-n1", addresses: ["192.0.2.10/24"] }];
function found(more: Partial<ClaimantsInput>) {
  const input = { self: "n1", speakers: [], segments: [], interfaces, presence: () => "Speaking" as const, ...more };
  return claimantsIn(input)(IP).map(({ node, mac, announces, rival }) => [node, mac, announces, rival?.mac]);
}

test.each<{ name: string; more: Partial<ClaimantsInput>; want: unknown[] }>([
  { name: "nobody", more: {}, want: [] },
  { name: "this node by what it does", more: { segments: [own(3n)] }, want: [["n1", "mac-n1", true, undefined]] },
  {
    name: "another by its record; this node's own record says nothing",
    more: { speakers: [speaker("n1", [`${IP}=9`]), speaker("n2", [`${IP}=3`])] },
    want: [["n2", "mac-n2", true, undefined]],
  },
  {
    name: "of two on a segment the higher epoch",
    more: { segments: [own(5n)], speakers: [speaker("n2", [`${IP}=3`]), speaker("n3", [`${IP}=7`])] },
    want: [["n3", "mac-n3", true, undefined]],
  },
  {
    name: "one of each segment, the best claim first",
    more: { segments: [own(5n)], speakers: [speaker("n2", [`${IP}=7`], { subnet: "198.51.100.2/24" })] },
    want: [
      ["n2", "mac-n2", true, undefined],
      ["n1", "mac-n1", true, undefined],
    ],
  },
  {
    name: "not the dead",
    more: { segments: [own(4n)], speakers: [speaker("n2", [`${IP}=5`])], presence: () => "Dead" as const },
    want: [["n1", "mac-n1", true, undefined]],
  },
  {
    name: "one that still asks",
    more: { segments: [own(1n, { tentative: true })] },
    want: [["n1", "mac-n1", false, undefined]],
  },
  {
    name: "one that a stranger keeps from announcing",
    more: { segments: [own(1n, { tentative: true, rival: { announced: false } })] },
    want: [["n1", "mac-n1", false, "mac-x"]],
  },
  {
    name: "one that announces in spite of a stranger",
    more: { segments: [own(1n, { rival: { announced: true } })] },
    want: [["n1", "mac-n1", true, "mac-x"]],
  },
  {
    name: "another that a stranger keeps from announcing, by what its Speaker shows",
    more: {
      speakers: [
        speaker("n2", [], { conflicts: [{ interface: "eth0", ip: IP, mac: "mac-x", announced: false, since: "" }] }),
      ],
    },
    want: [["n2", "mac-n2", false, "mac-x"]],
  },
  {
    name: "one who announces rather than one who would",
    more: {
      segments: [own(9n, { tentative: true, rival: { announced: false } })],
      speakers: [speaker("n2", [`${IP}=3`])],
    },
    want: [["n2", "mac-n2", true, undefined]],
  },
])("who has an address: $name", ({ more, want }) => expect(found(more)).toEqual(want));

test("asked for many IPs of many Speakers it says the same as when it is asked for one", () => {
  const ips = Array.from({ length: 300 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
  const speakers = Array.from({ length: 20 }, (_, n) =>
    speaker(
      `m${n}`,
      ips
        .filter((_, i) => i % 20 === n || i % 21 === n)
        .map((ip) => `${ip}=${n}`)
        .sort(),
      { conflicts: [{ interface: "eth0", ip: ips[n] as string, mac: "x", announced: n % 2 === 0, since: "" }] },
    ),
  );
  const input = { self: "n1", speakers, segments: [], interfaces, presence: () => "Speaking" as const };
  const often = claimantsIn(input);
  for (const ip of ips) often(ip);
  for (const ip of [...ips, "10.9.9.9"]) expect(often(ip)).toEqual(claimantsIn(input)(ip));
  expect(often(ips[7] as string)).not.toEqual([]);
});
