import fc from "fast-check";
import { expect, test } from "vitest";
import { type Claim, changedClaims, decodeClaims, encodeClaims, recordedEpoch } from "./claims.ts";

const claim: fc.Arbitrary<Claim> = fc.record({
  ip: fc.oneof(fc.ipV4(), fc.constantFrom("2001:db8::1", "::", "2001:db8:1:2:3:4:5:6")),
  interface: fc.constantFrom("eth0", "eth1", "bond0.100"),
  epoch: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
});
const claims = fc.uniqueArray(claim, { selector: (one) => `${one.ip} ${one.interface}` });
const sorted = (all: readonly Claim[]) => all.map((one) => `${one.interface} ${one.ip} ${one.epoch}`).sort();

test("claims survive being recorded", () =>
  fc.assert(
    fc.property(claims, (all) => {
      expect(sorted(decodeClaims(encodeClaims(all)))).toEqual(sorted(all));
    }),
  ));

test("the order of claims does not change their record", () =>
  fc.assert(
    fc.property(claims, (all) => {
      expect(encodeClaims([...all].reverse())).toEqual(encodeClaims(all));
    }),
  ));

test("each recorded claim is found among the others, and no other", () =>
  fc.assert(
    fc.property(claims, claims, (all, others) => {
      const recorded = encodeClaims(all);
      for (const { ip, interface: name } of [...all, ...others]) {
        const epoch = all.find((one) => one.ip === ip && one.interface === name)?.epoch;
        const list = recorded.find((one) => one.interface === name) ?? { interface: name, ips: [] };
        expect(recordedEpoch(list, ip)).toBe(epoch);
      }
    }),
  ));

test("of two records just those IPs are named that stand in them differently", () =>
  fc.assert(
    fc.property(claims, claims, fc.array(fc.boolean()), (kept, others, keep) => {
      const after = [...kept.filter((_, i) => keep[i]), ...others];
      const said = (all: readonly Claim[], ip: string) => sorted(all.filter((one) => one.ip === ip));
      const ips = [...new Set([...kept, ...after].map(({ ip }) => ip))];
      const differing = ips.filter((ip) => said(kept, ip).join() !== said(after, ip).join());
      expect([...changedClaims(encodeClaims(kept), encodeClaims(after))].sort()).toEqual(differing.sort());
    }),
  ));

test("claims are recorded by interface, readable in kubectl", () => {
  const all = [
    { ip: "192.0.2.10", interface: "eth1", epoch: 17n },
    { ip: "192.0.2.10", interface: "eth0", epoch: 3n },
    { ip: "2001:db8::1", interface: "eth0", epoch: 1n },
  ];
  expect(encodeClaims(all)).toEqual([
    { interface: "eth0", ips: ["192.0.2.10=3", "2001:db8::1=1"] },
    { interface: "eth1", ips: ["192.0.2.10=17"] },
  ]);
});

test.each([
  "",
  "192.0.2.1",
  "192.0.2.1=",
  "192.0.2.1=-1",
  "192.0.2.1=01",
  "192.0.2.1=1 ",
  "host=1",
  "192.0.2.1=18446744073709551616",
])("an entry %j is no claim", (text) =>
  expect(decodeClaims([{ interface: "eth0", ips: [text, "192.0.2.9=1"] }])).toHaveLength(1),
);

test("10 000 claims of the longest kind stay below 1 MB", () => {
  const all = Array.from({ length: 10_000 }, (_, at) => ({
    ip: `2001:db8:aaaa:bbbb:cccc:dddd:eeee:${(0xf000 + (at % 4096)).toString(16)}`,
    interface: "eth0",
    epoch: 0xffff_ffff_ffff_ffffn,
  }));
  expect(JSON.stringify(encodeClaims(all)).length).toBeLessThan(1_000_000);
});
