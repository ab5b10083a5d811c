import fc from "fast-check";
import { expect, test } from "vitest";
import { ASSIGNED_REASONS, STRANDED_REASONS } from "../api/reasons.ts";
import { type IP, parseIP } from "../ipam/addresses.ts";
import type { Clash, Refusal, Stranding, Verdict } from "../ipam/verdict.ts";
import { services } from "../kube/resource.ts";
import { strandingText, verdictText } from "./verdict-text.ts";

function ip(text: string): IP {
  const parsed = parseIP(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

const v4 = ip("192.0.2.1");
const v6 = ip("2001:db8::1");

function service(annotations: object = {}, spec: object = {}) {
  return services.keep({
    metadata: { namespace: "n", name: "s", annotations },
    spec: { type: "LoadBalancer", ...spec },
  });
}

test.each<{ name: string; tried: Refusal[]; want: string }>([
  {
    name: "a pool that is full",
    tried: [{ pool: "a", why: "Lacks", without: [], exhausted: ["IPv4"] }],
    want: 'pool "a" has no free IPv4 address',
  },
  {
    name: "a pool of another family",
    tried: [{ pool: "a", why: "Lacks", without: ["IPv6"], exhausted: [] }],
    want: 'pool "a" has no IPv6 addresses',
  },
  {
    name: "a pool that lacks both ways",
    tried: [{ pool: "a", why: "Lacks", without: ["IPv6"], exhausted: ["IPv4"] }],
    want: 'pool "a" has no IPv6 addresses and has no free IPv4 address',
  },
  {
    name: "a bad pool and one for requests",
    tried: [
      { pool: "a", why: "Invalid" },
      { pool: "b", why: "NotAutoAssigned" },
    ],
    want: 'pool "a" is not Ready; pool "b" has autoAssign: false',
  },
  {
    name: "pools that are out of use",
    tried: [
      { pool: "a", why: "Overlapping" },
      { pool: "b", why: "Disabled" },
      { pool: "c", why: "Terminating" },
    ],
    want: 'pool "a" overlaps another pool; pool "b" is disabled; pool "c" is being deleted',
  },
  {
    name: "pools for others",
    tried: [
      { pool: "a", why: "NamespaceSelector" },
      { pool: "b", why: "ServiceSelector" },
    ],
    want: 'pool "a" is not for this namespace (namespaceSelector); pool "b" is not for Services with these labels (serviceSelector)',
  },
])("the message says of $name why it won't do", ({ tried, want }) => {
  expect(verdictText({ reason: "NoFittingPool", tried }, service())).toBe(
    `no pool can give what is asked for: ${want}; add a pool that fits, or mend one of these`,
  );
});

test("of many pools a few are named", () => {
  const tried = Array.from({ length: 300 }, (_, at): Refusal => ({ pool: `p${at}`, why: "Invalid" }));
  expect(verdictText({ reason: "NoFittingPool", tried }, service())).toContain(
    'pool "p4" is not Ready; and 295 more; add',
  );
});

test.each<{ verdict: Verdict; want: string }>([
  { verdict: { reason: "NoPool", tried: [] }, want: "there is no IPPool to take an address from; create one" },
  { verdict: { reason: "InvalidRequest", text: "as it was written" }, want: "as it was written" },
  {
    verdict: { reason: "WrongFamily", ip: v6, families: ["IPv4"] },
    want: "asks for 2001:db8::1, but is a Service of IPv4 only; ask for an address of that family, or give the Service the other one too (spec.ipFamilies, spec.ipFamilyPolicy)",
  },
  {
    verdict: { reason: "IPOutsidePools", ip: v4 },
    want: "asks for 192.0.2.1, which no IPPool contains; ask for an address of a pool, or add this one to a pool",
  },
  {
    verdict: { reason: "IPNotInPool", ip: v4, pool: "a", actual: "b" },
    want: 'asks for 192.0.2.1 and for pool "a", which does not contain it (pool "b" does); ask for one of the two, or for an address of that pool',
  },
  {
    verdict: { reason: "IPNotInPool", ip: v4, pool: "a" },
    want: 'asks for 192.0.2.1 and for pool "a", which does not contain it; ask for one of the two, or for an address of that pool',
  },
  {
    verdict: { reason: "IPsInDifferentPools", ips: [v4, v6], pools: ["a", "b"] },
    want: 'asks for 192.0.2.1 of pool "a" and 2001:db8::1 of pool "b"; ask for two addresses of one pool',
  },
  {
    verdict: { reason: "IPExcluded", ip: v4, pool: "a" },
    want: 'asks for 192.0.2.1, which pool "a" excludes; ask for another address, or take it out of the pool\'s spec.exclude',
  },
  {
    verdict: { reason: "IPAvoided", ip: v4, pool: "a" },
    want: 'asks for 192.0.2.1, which pool "a" avoids for its ending (.0 or .255); ask for another address, or set the pool\'s spec.avoidBuggyIPs to false',
  },
  {
    verdict: { reason: "PoolNotUsable", refusal: { pool: "a", why: "Disabled" } },
    want: 'asks for pool "a", which is disabled; set its spec.disabled to false, or ask for another pool or address',
  },
  {
    verdict: { reason: "PoolNotUsable", refusal: { pool: "a", why: "Lacks", without: ["IPv6"], exhausted: [] } },
    want: 'asks for pool "a", which has no IPv6 addresses; add addresses to it, or ask for another pool',
  },
  {
    verdict: { reason: "IPInUse", ip: v4, holder: "n/other", stranger: false },
    want: "asks for 192.0.2.1, which Service n/other holds; ask for another address, or delete that Service",
  },
  {
    verdict: { reason: "IPInUse", ip: v4, holder: "n/other", stranger: true },
    want: "asks for 192.0.2.1, which the status of Service n/other has, served by another controller; ask for another address, or free it there",
  },
])("$verdict.reason says what is wrong and what to change", ({ verdict, want }) => {
  expect(verdictText(verdict, service())).toBe(want);
});

test.each<{ name: string; annotations: object; want: string }>([
  {
    name: "asked for",
    annotations: { "heraldlb.io/pool": ' a "b"' },
    want: 'asks for the pool "a \\"b\\"", which does not exist; create it, or name another in heraldlb.io/pool',
  },
  {
    name: "the pool of its first address",
    annotations: {},
    want: 'its other address must be of pool "a \\"b\\"" too, which is gone; create it again, or have the Service moved with heraldlb.io/reassign: "true"',
  },
])("UnknownPool says what to do where the pool is $name", ({ annotations, want }) => {
  expect(verdictText({ reason: "UnknownPool", pool: 'a "b"' }, service(annotations))).toBe(want);
});

test.each<{ clash: Omit<Clash, "holder">; annotations?: object; spec?: object; want: string }>([
  {
    clash: { what: "Key" },
    annotations: { "heraldlb.io/sharing-key": "web" },
    want: 'which does not have the key "web"; give both the same heraldlb.io/sharing-key, or ask for another address',
  },
  {
    clash: { what: "Port", port: "TCP/80" },
    want: "which has port TCP/80 too; change the port of one of them, or ask for another address",
  },
  {
    clash: { what: "Policy" },
    spec: { externalTrafficPolicy: "Local" },
    want: "whose externalTrafficPolicy is not Local; give both the policy Cluster, or ask for another address",
  },
  {
    clash: { what: "Selector" },
    want: "whose spec.selector is another one or empty, which the externalTrafficPolicy Local does not allow; give both the same selector or the policy Cluster, or ask for another address",
  },
  {
    clash: { what: "Namespace" },
    want: "which is in another namespace; name each other's namespace in heraldlb.io/sharing-namespaces on both, or ask for another address",
  },
  {
    clash: { what: "Namespace" },
    spec: { externalTrafficPolicy: "Local" },
    want: "which is in another namespace, and with externalTrafficPolicy Local only those of one namespace share; give both the policy Cluster and name each other's namespace in heraldlb.io/sharing-namespaces, or ask for another address",
  },
])("a refusal to share names the Service and what clashes: $want", ({ clash, annotations, spec, want }) => {
  const verdict: Verdict = { reason: "SharingRefused", ip: v4, clash: { holder: "m/t", ...clash } };
  expect(verdictText(verdict, service(annotations, spec))).toBe(`asks to share 192.0.2.1 with Service m/t, ${want}`);
});

test("who finds the pools full hears what keeps it from the address of its sharing key", () => {
  const tried = ["a", "b", "c"].map((pool): Refusal => ({ pool, why: "Lacks", without: [], exhausted: ["IPv4"] }));
  const unshared = { ip: v4, clash: { holder: "m/t", what: "Port", port: "TCP/80" } } as const;
  expect(verdictText({ reason: "PoolExhausted", tried, unshared }, service())).toBe(
    'no pool can give what is asked for: pool "a" has no free IPv4 address; pool "b" has no free IPv4 address; and 1 more; ' +
      "192.0.2.1 can't be shared with Service m/t, which has port TCP/80 too; " +
      "add addresses to a pool, change the port of one of them, or delete a Service that holds one",
  );
});

test.each<{ why: Stranding["why"]; ips?: IP[]; want: string }>([
  {
    why: "PoolGone",
    want: 'keeps 192.0.2.1, which is from pool "p", which is gone, and in no other pool; create a pool that contains it, or have the Service moved with heraldlb.io/reassign: "true"',
  },
  {
    why: "OutsidePool",
    ips: [v4, v6],
    want: 'keeps 192.0.2.1 and 2001:db8::1, which are no longer in pool "p"; add them to the pool\'s spec.addresses, or have the Service moved with heraldlb.io/reassign: "true"',
  },
  {
    why: "Excluded",
    want: 'keeps 192.0.2.1, which is excluded from pool "p"; take it out of its spec.exclude, or have the Service moved with heraldlb.io/reassign: "true"',
  },
  {
    why: "Avoided",
    want: 'keeps 192.0.2.1, which is avoided by pool "p"; set its spec.avoidBuggyIPs to false, or have the Service moved with heraldlb.io/reassign: "true"',
  },
  {
    why: "NamespaceSelector",
    want: 'keeps 192.0.2.1, which is from pool "p", whose namespaceSelector does not match the Service\'s namespace any more; change one of the two, or have the Service moved with heraldlb.io/reassign: "true"',
  },
  {
    why: "ServiceSelector",
    want: 'keeps 192.0.2.1, which is from pool "p", whose serviceSelector does not match the Service\'s labels any more; change one of the two, or have the Service moved with heraldlb.io/reassign: "true"',
  },
])("a stranded Service reads: $want", ({ why, ips = [v4], want }) => {
  expect(STRANDED_REASONS).toContain(why);
  expect(strandingText({ pool: "p", ips, why })).toBe(want);
});

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.nat(300_000).map((length) => "x".repeat(length)),
);
const poolName = fc.stringMatching(/^[a-z0-9.-]{1,253}$/);
const holder = fc.stringMatching(/^[a-z0-9-]{1,63}\/[a-z0-9-]{1,63}$/);
const policies = fc.constantFrom("Cluster", "Local");
const family = fc.constantFrom("IPv4" as const, "IPv6" as const);
const families = fc.uniqueArray(family);
const anyIP = fc.bigInt(0n, 2n ** 128n - 1n).map((value): IP => ({ family: "IPv6", value }));
const refusal: fc.Arbitrary<Refusal> = fc.oneof(
  fc.record({
    pool: poolName,
    why: fc.constantFrom(
      ...(["Invalid", "Overlapping", "Disabled", "Terminating", "NotAutoAssigned"] as const),
      ...(["NamespaceSelector", "ServiceSelector"] as const),
    ),
  }),
  fc.record({ pool: poolName, why: fc.constant("Lacks" as const), without: families, exhausted: families }),
);
const clash: fc.Arbitrary<Clash> = fc.record({
  holder,
  what: fc.constantFrom("Key" as const, "Port" as const, "Policy" as const, "Selector" as const, "Namespace" as const),
  port: fc.constant("SCTP/65535"),
});
const verdicts: fc.Arbitrary<Verdict> = fc.oneof(
  fc.record({
    reason: fc.constantFrom("NoPool" as const, "NoFittingPool" as const, "PoolExhausted" as const),
    tried: fc.array(refusal, { maxLength: 20 }),
  }),
  fc.record({
    reason: fc.constant("PoolExhausted" as const),
    tried: fc.array(refusal, { minLength: 1, maxLength: 20 }),
    unshared: fc.record({ ip: anyIP, clash }),
  }),
  fc.record({ reason: fc.constant("WrongFamily" as const), ip: anyIP, families }),
  fc.record({ reason: fc.constant("IPOutsidePools" as const), ip: anyIP }),
  fc.record({ reason: fc.constant("IPNotInPool" as const), ip: anyIP, pool: anyText, actual: poolName }),
  fc.record({
    reason: fc.constant("IPsInDifferentPools" as const),
    ips: fc.tuple(anyIP, anyIP),
    pools: fc.tuple(poolName, poolName),
  }),
  fc.record({ reason: fc.constantFrom("IPExcluded" as const, "IPAvoided" as const), ip: anyIP, pool: poolName }),
  fc.record({ reason: fc.constant("UnknownPool" as const), pool: anyText }),
  fc.record({ reason: fc.constant("PoolNotUsable" as const), refusal }),
  fc.record({ reason: fc.constant("IPInUse" as const), ip: anyIP, holder, stranger: fc.boolean() }),
  fc.record({ reason: fc.constant("SharingRefused" as const), ip: anyIP, clash }),
);

test("every verdict is one line that an event can hold, with something to change behind the semicolon", () => {
  fc.assert(
    fc.property(verdicts, anyText, policies, (verdict, key, externalTrafficPolicy) => {
      const text = verdictText(verdict, service({ "heraldlb.io/sharing-key": key }, { externalTrafficPolicy }));
      expect(ASSIGNED_REASONS).toContain(verdict.reason);
      expect(Buffer.byteLength(text)).toBeLessThan(1000);
      expect(text).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]+; [^\p{C}\p{Zl}\p{Zp}]+$/u);
    }),
  );
});
