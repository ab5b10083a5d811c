import { expect, test } from "vitest";
import { claimMap, segmentState } from "../../test/unit/segment-state.ts";
import type { SpeakerStatus } from "../api/speaker.ts";
import type { Interface } from "./interfaces.ts";
import { OwnClaims } from "./own-claims.ts";
import { ownStatus, readIncarnation } from "./own-status.ts";
import type { SegmentState } from "./segment-messages.ts";

const nic = (name: string): Interface => ({
  name,
  mac: "02:00:00:00:00:01",
  addresses: [],
  linkLocal: "",
  defaultRoute: false,
  gateways: [],
});
const segment = (name: string, starting: boolean, ips: string[] = [], incarnation = 5n) => {
  const claims = ips.map((ip) => ({ ip, epoch: 3n, yielding: false }));
  return segmentState({ starting, incarnation }, { interface: name, claims: claimMap(claims) });
};
const recorded = (claims: Record<string, string[]>, incarnation = "4"): SpeakerStatus => ({
  incarnation,
  layer2: { claims: Object.entries(claims).map(([name, ips]) => ({ interface: name, ips })) },
});
const status = (segments: SegmentState[], was?: SpeakerStatus, interfaces = [nic("eth0")]) =>
  ownStatus({
    version: "1",
    interfaces,
    segments,
    claims: new OwnClaims(),
    bgp: { status: undefined, conditions: [] },
    recorded: was,
    before: undefined,
    wall: (ms) => ms,
    nowMs: 0,
  });

test.each([
  { name: "before a segment is open", segments: [], want: ["192.0.2.1=7"] },
  { name: "while it starts", segments: [segment("eth0", true)], want: ["192.0.2.1=7"] },
  { name: "not after its start", segments: [segment("eth0", false, ["192.0.2.2"])], want: ["192.0.2.2=3"] },
])("the record of an earlier run stays: $name", ({ segments, want }) => {
  const { layer2 } = status(segments, recorded({ eth0: ["192.0.2.1=7"] }));
  expect(layer2?.claims).toEqual([{ interface: "eth0", ips: want }]);
});

test("the incarnation never goes back: not before a segment is open, not with a clock that went back", () => {
  expect(status([], recorded({})).incarnation).toBe("4");
  expect(status([segment("eth0", true, [], 3n)], recorded({})).incarnation).toBe("4");
  expect(status([segment("eth0", true, [], 9n)], recorded({})).incarnation).toBe("9");
});

test.each(["abc", "", "-1", "18446744073709551615", "99999999999999999999"])("an incarnation of %o is none", (text) => {
  expect(readIncarnation({ incarnation: text })).toBe(0n);
});

test("of too many interfaces those that are announced on are shown, and old records of interfaces that are gone go first", () => {
  const many = Array.from({ length: 100 }, (_, i) => nic(`vlan${100 + i}`));
  const old = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`gone${i}`, ["192.0.2.9=1"]]));
  const { interfaces, layer2 } = status([segment("vlan199", false, ["192.0.2.1"])], recorded(old), many);
  expect(interfaces).toHaveLength(64);
  expect(interfaces?.map(({ name }) => name)).toContain("vlan199");
  expect(layer2?.claims).toHaveLength(64);
  expect(layer2?.claims).toContainEqual({ interface: "vlan199", ips: ["192.0.2.1=3"] });
});
