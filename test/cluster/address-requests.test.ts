import { expect, test } from "vitest";
import {
  annotate,
  assigned,
  createPool,
  createService,
  editPool,
  ips,
  labelNamespace,
  namespace,
  patchService,
  recordOf,
  removePool,
  removeService,
  restartController,
  type ServiceFields,
  seen,
  settled,
  trail,
  until,
  untilHeld,
  untilIPs,
  untilPoolSays,
  untilReason,
  untilServed,
  useWorld,
  writes,
} from "./contract-world.ts";

/** What Services ask for: by pool, by address, by family. What can't be met changes nothing until it can. */

useWorld();

const pool = (name: string) => ({ "heraldlb.io/pool": name });
const asks = (ips: string) => ({ "heraldlb.io/ips": ips });
const unask = { "heraldlb.io/pool": null, "heraldlb.io/ips": null };
const DUAL = { ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv4", "IPv6"] };
/** Matches nobody in these tests. */
const SOMEBODY = { matchLabels: { tier: "gold" } };

/** A wish that can't be met in the world of `furnish`, and what makes it one that can. */
interface Refused {
  readonly wish: string;
  /** Of the Service from its creation on. */
  readonly fields?: ServiceFields;
  readonly ask: { readonly annotations?: Readonly<Record<string, string>>; readonly spec?: object };
  readonly reason: string;
  /** The thing and the remedy, as the message names them. */
  readonly says: readonly string[];
  readonly mend: (name: string) => Promise<void>;
  /** What the Service has then; `held` is what it had before. */
  readonly gets: (held: string) => string;
}

async function furnish(): Promise<void> {
  const exclude = ["192.0.2.99"];
  await createPool("p", ["192.0.2.0/25"], { exclude, avoidBuggyIPs: true });
  await createPool("asked", ["198.51.100.10-198.51.100.19", "2001:db8::10-2001:db8::19"], { autoAssign: false });
  await createPool("off", ["198.51.100.20-198.51.100.29"], { disabled: true });
  await createPool("gold", ["198.51.100.30-198.51.100.39"], { serviceSelector: SOMEBODY });
  await createPool("spaces", ["198.51.100.40-198.51.100.49"], { namespaceSelector: SOMEBODY });
  await createPool("broken", ["2001:db8:1::9-2001:db8:1::1", "198.51.100.50"]);
  await createPool("over", ["198.51.100.19", "198.51.100.60"], { autoAssign: false });
  await createPool("tiny", ["198.51.100.70"], { autoAssign: false });
  await createPool("six", ["2001:db8:6::1"], { autoAssign: false });
  await createPool("going", ["198.51.100.80"], { autoAssign: false });
  await createService("first", { annotations: asks("192.0.2.90") });
  await createService("keyed", { annotations: { ...asks("192.0.2.91"), "heraldlb.io/sharing-key": "k" } });
  await createService("filler", { annotations: pool("tiny") });
  await createService("stays", { annotations: pool("going") });
  await untilServed(["first", "keyed", "filler", "stays"]);
  await untilHeld("going");
  await removePool("going");
  await untilPoolSays("going", "Ready", "Terminating");
}

const REFUSED: readonly Refused[] = [
  {
    wish: "no address",
    ask: { annotations: asks("192.0.2.300") },
    reason: "InvalidRequest",
    says: ["heraldlb.io/ips", '"192.0.2.300"', "write one like"],
    mend: async (name) => await annotate(name, { ips: "192.0.2.40" }),
    gets: () => "192.0.2.40",
  },
  {
    wish: "no address in the field",
    ask: { spec: { loadBalancerIP: "web.example.com" } },
    reason: "InvalidRequest",
    says: ["spec.loadBalancerIP", '"web.example.com"', "write one like"],
    mend: async (name) => await patchService(name, { spec: { loadBalancerIP: "192.0.2.41" } }),
    gets: () => "192.0.2.41",
  },
  {
    wish: "two addresses of one family",
    ask: { annotations: asks("192.0.2.42,192.0.2.43") },
    reason: "InvalidRequest",
    says: ["192.0.2.42", "192.0.2.43", "at most one of each family"],
    mend: async (name) => await annotate(name, { ips: "192.0.2.42" }),
    gets: () => "192.0.2.42",
  },
  {
    wish: "two different addresses in two ways",
    ask: { annotations: asks("192.0.2.44"), spec: { loadBalancerIP: "192.0.2.45" } },
    reason: "ConflictingRequests",
    says: ["192.0.2.44", "spec.loadBalancerIP", "192.0.2.45", "remove one"],
    mend: async (name) => await annotate(name, { ips: null }),
    gets: () => "192.0.2.45",
  },
  {
    wish: "a family that it does not have",
    ask: { annotations: asks("2001:db8::10") },
    reason: "WrongFamily",
    says: ["2001:db8::10", "IPv4 only", "spec.ipFamilies"],
    mend: async (name) => await annotate(name, { ips: "192.0.2.46" }),
    gets: () => "192.0.2.46",
  },
  {
    wish: "an unknown pool",
    ask: { annotations: pool("nowhere") },
    reason: "UnknownPool",
    says: ['"nowhere"', "create it"],
    mend: async () => await createPool("nowhere", ["203.0.113.40"], { autoAssign: false }),
    gets: () => "203.0.113.40",
  },
  {
    wish: "a disabled pool",
    ask: { annotations: pool("off") },
    reason: "PoolNotUsable",
    says: ['"off"', "is disabled", "spec.disabled"],
    mend: async () => await editPool("off", { disabled: false, autoAssign: false }),
    gets: () => "198.51.100.20",
  },
  {
    wish: "an address of a pool for other labels",
    ask: { annotations: asks("198.51.100.35") },
    reason: "PoolNotUsable",
    says: ['"gold"', "serviceSelector", "labels of the Service"],
    mend: async (name) => await patchService(name, { metadata: { labels: { tier: "gold" } } }),
    gets: () => "198.51.100.35",
  },
  {
    wish: "a pool for other namespaces",
    ask: { annotations: pool("spaces") },
    reason: "PoolNotUsable",
    says: ['"spaces"', "namespaceSelector", "labels of the namespace"],
    mend: async () => await labelNamespace(namespace, { tier: "gold" }),
    gets: () => "198.51.100.40",
  },
  {
    wish: "a pool that is not good",
    ask: { annotations: pool("broken") },
    reason: "PoolNotUsable",
    says: ['"broken"', "is not Ready", "condition Ready"],
    mend: async () => await editPool("broken", { addresses: ["198.51.100.50"], autoAssign: false }),
    gets: () => "198.51.100.50",
  },
  {
    wish: "a pool that overlaps another",
    ask: { annotations: pool("over") },
    reason: "PoolNotUsable",
    says: ['"over"', "overlaps", "condition Ready"],
    mend: async () => await editPool("over", { addresses: ["198.51.100.60"] }),
    gets: () => "198.51.100.60",
  },
  {
    wish: "a pool that is being deleted",
    ask: { annotations: pool("going") },
    reason: "PoolNotUsable",
    says: ['"going"', "is being deleted", "ask for another"],
    mend: async (name) => await annotate(name, { pool: "asked" }),
    gets: () => "198.51.100.10",
  },
  {
    wish: "a pool that is full",
    ask: { annotations: pool("tiny") },
    reason: "PoolExhausted",
    says: ['"tiny"', "no free IPv4", "add addresses"],
    mend: async () => await editPool("tiny", { addresses: ["198.51.100.70-198.51.100.71"] }),
    gets: () => "198.51.100.71",
  },
  {
    wish: "a pool without its family",
    ask: { annotations: pool("six") },
    reason: "NoFittingPool",
    says: ['"six"', "no IPv4 addresses", "mend one of these"],
    mend: async () => await editPool("six", { addresses: ["2001:db8:6::1", "203.0.113.60"] }),
    gets: () => "203.0.113.60",
  },
  {
    wish: "an address of no pool",
    ask: { annotations: asks("203.0.113.7") },
    reason: "IPOutsidePools",
    says: ["203.0.113.7", "add this one to a pool"],
    mend: async () => await createPool("late", ["203.0.113.7"], { autoAssign: false }),
    gets: () => "203.0.113.7",
  },
  {
    wish: "an address and a pool that does not have it",
    ask: { annotations: { ...pool("asked"), ...asks("192.0.2.47") } },
    reason: "IPNotInPool",
    says: ['"asked"', "192.0.2.47", '"p"', "ask for one of the two"],
    mend: async (name) => await annotate(name, { pool: null }),
    gets: () => "192.0.2.47",
  },
  {
    wish: "addresses of two pools",
    fields: DUAL,
    ask: { annotations: asks("192.0.2.48, 2001:db8::11") },
    reason: "IPsInDifferentPools",
    says: ["192.0.2.48", '"p"', "2001:db8::11", '"asked"', "of one pool"],
    mend: async (name) => await annotate(name, { ips: "2001:db8::11,198.51.100.11" }),
    gets: () => "198.51.100.11,2001:db8::11",
  },
  {
    wish: "an excluded address",
    ask: { annotations: asks("192.0.2.99") },
    reason: "IPExcluded",
    says: ["192.0.2.99", '"p"', "spec.exclude"],
    mend: async () => await editPool("p", { exclude: [] }),
    gets: () => "192.0.2.99",
  },
  {
    wish: "an avoided address",
    ask: { annotations: asks("192.0.2.0") },
    reason: "IPAvoided",
    says: ["192.0.2.0", '"p"', "spec.avoidBuggyIPs"],
    mend: async () => await editPool("p", { avoidBuggyIPs: false }),
    gets: () => "192.0.2.0",
  },
  {
    wish: "an address of somebody else",
    ask: { annotations: asks("192.0.2.90") },
    reason: "IPInUse",
    says: ["192.0.2.90", "/first", "delete that Service"],
    mend: async () => await removeService("first"),
    gets: () => "192.0.2.90",
  },
  {
    wish: "a shared address on a port that is taken",
    ask: { annotations: { ...asks("192.0.2.91"), "heraldlb.io/sharing-key": "k" } },
    reason: "SharingRefused",
    says: ["192.0.2.91", "/keyed", "TCP/80", "change the port"],
    mend: async (name) => await patchService(name, { spec: { ports: [{ port: 81 }] } }),
    gets: () => "192.0.2.91",
  },
  {
    wish: "two families where no pool has both",
    ask: { spec: { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] } },
    reason: "NoFittingPool",
    says: ["no pool can give what is asked for", "add a pool that fits"],
    mend: async () => await editPool("p", { addresses: ["192.0.2.0/25", "2001:db8:2::1"] }),
    gets: (held) => `${held || "192.0.2.1"},2001:db8:2::1`,
  },
];

const nameOf = ({ wish }: Refused) => wish.replaceAll(" ", "-");

test("what can't be met is refused with its reason, moves no holder, and is served once it can be", async () => {
  await furnish();
  for (const row of REFUSED) {
    const { wish, ask, reason, says } = row;
    const name = nameOf(row);
    await createService(name, row.fields);
    await untilServed([name]);
    const held = ips(name);
    const record = recordOf(seen(name));
    await patchService(name, { metadata: { annotations: ask.annotations ?? {} }, spec: ask.spec ?? {} });
    const refused = await untilReason(name, reason);
    const { status, message = "" } = assigned(refused) ?? {};
    expect(status, wish).toBe("False");
    expect(message.startsWith(`keeps ${held} from pool "p", and waits: `), message).toBe(true);
    for (const part of says) expect(message, wish).toContain(part);
    expect([ips(name), recordOf(seen(name))], wish).toEqual([held, record]);
    await row.mend(name);
    const gets = row.gets(held);
    await untilIPs(name, gets);
    expect(trail(name), wish).toEqual(["", held, gets]);
    // Asking no more keeps what it has got.
    await patchService(name, { metadata: { annotations: unask }, spec: { loadBalancerIP: null } });
  }
  const got = REFUSED.map((row) => ips(nameOf(row)));
  await restartController();
  await settled();
  expect(REFUSED.map((row) => ips(nameOf(row)))).toEqual(got);
  expect(REFUSED.map((row) => assigned(seen(nameOf(row)))?.status)).toEqual(REFUSED.map(() => "True"));
});

test("a new Service whose wish can't be met waits for it, and is given nothing else", async () => {
  await furnish();
  for (const row of REFUSED) {
    const name = nameOf(row);
    await createService(name, { ...row.fields, ...row.ask.spec, annotations: row.ask.annotations ?? {} });
  }
  for (const row of REFUSED) {
    const { message = "" } = assigned(await untilReason(nameOf(row), row.reason)) ?? {};
    for (const part of row.says) expect(message, row.wish).toContain(part);
    expect(message, row.wish).not.toContain("keeps");
  }
  await settled();
  expect(REFUSED.map((row) => trail(nameOf(row)))).toEqual(REFUSED.map(() => [""]));
  for (const row of REFUSED) {
    const name = nameOf(row);
    await row.mend(name);
    const gets = row.gets("");
    await untilIPs(name, gets);
    expect(trail(name), row.wish).toEqual(["", gets]);
  }
});

test("each way to ask is met, and only what asks for something else and gets it moves", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.29"]);
  await createPool("q", ["198.51.100.10-198.51.100.29"], { autoAssign: false });
  await createService("by-pool", { annotations: pool("q") });
  await untilIPs("by-pool", "198.51.100.10");
  await createService("by-address", { annotations: asks("198.51.100.15") });
  await untilIPs("by-address", "198.51.100.15");
  await createService("by-field", { loadBalancerIP: "192.0.2.15" });
  await untilIPs("by-field", "192.0.2.15");
  const agreeing = { ...pool("q"), ...asks(" 198.51.100.16 ") };
  await createService("in-all-ways", { annotations: agreeing, loadBalancerIP: "198.51.100.16" });
  await untilIPs("in-all-ways", "198.51.100.16");
  await createService("empty", { annotations: { ...pool(""), ...asks("") }, loadBalancerIP: "" });
  await untilIPs("empty", "192.0.2.10");
  // To ask for what it has costs nothing; to ask no more neither.
  await annotate("empty", { ips: "192.0.2.10", pool: "p" });
  await annotate("by-pool", { pool: null });
  await settled();
  expect([writes("empty"), writes("by-pool")]).toEqual([3, 3]);
  await annotate("empty", { ips: null, pool: "q" });
  await untilIPs("empty", "198.51.100.11");
  await annotate("by-address", { ips: "198.51.100.11" });
  await untilReason("by-address", "IPInUse");
  await annotate("empty", { ips: "198.51.100.20" });
  // Who holds something is served too when what it asks for gets free.
  await untilIPs("by-address", "198.51.100.11");
  expect([trail("by-address"), trail("empty")]).toEqual([
    ["", "198.51.100.15", "198.51.100.11"],
    ["", "192.0.2.10", "198.51.100.11", "198.51.100.20"],
  ]);
});

test("hostile requests are refused one by one, and the next Service is served", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.29", "2001:db8::10-2001:db8::1f"]);
  const long = "192.0.2.10,".repeat(10_000);
  const bad = [
    ...["192.0.2.0/24", "192.0.2.10-192.0.2.12", "192.0.2.010", "0xc000020a", "3221225994", "192.0.2", "1.2.3.4.5"],
    ...["::ffff:192.0.2.10", "fe80::1%eth0", "2001:db8::10/128", "[2001:db8::10]", "2001:db8:::1", "::1::"],
    ...["192.0.2.10;192.0.2.11", ",", "192.0.2.10,", ",192.0.2.10", "192.0.2.10,,", "192.0.2.10,192.0.2.10", long],
    ...["192.0.2.１０", "192.0.2.10\u200b", "\u202e01.2.0.291", "192.0.2.10\nx", "<b>", "$(x)", "../..", "null", "-1"],
  ];
  await Promise.all(bad.map((text, at) => createService(`bad-${at}`, { annotations: asks(text) })));
  for (const at of bad.keys()) {
    const { message = "" } = assigned(await untilReason(`bad-${at}`, "InvalidRequest")) ?? {};
    expect(message, bad[at]?.slice(0, 40)).toMatch(/^heraldlb\.io\/ips has [\x20-\x7e１０]{1,600}$/);
  }
  await createService("web", { annotations: asks("192.0.2.10") });
  await untilIPs("web", "192.0.2.10");
});

test.each([
  { policy: "SingleStack", families: ["IPv4"], gets: "192.0.2.10" },
  { policy: "SingleStack", families: ["IPv6"], gets: "2001:db8::10" },
  { policy: "PreferDualStack", families: ["IPv4", "IPv6"], gets: "192.0.2.10,2001:db8::10" },
  { policy: "PreferDualStack", families: ["IPv6", "IPv4"], gets: "192.0.2.10,2001:db8::10" },
  { policy: "RequireDualStack", families: ["IPv4", "IPv6"], gets: "192.0.2.10,2001:db8::10" },
  { policy: "RequireDualStack", families: ["IPv6", "IPv4"], gets: "192.0.2.10,2001:db8::10" },
])("$policy with $families gets $gets, both from one pool", async ({ policy, families, gets }) => {
  await createPool("v4", ["198.51.100.10"], { priority: families.length > 1 ? 2 : -1 });
  await createPool("v6", ["2001:db8:1::10"], { priority: families.length > 1 ? 2 : -1 });
  await createPool("both", ["2001:db8::10-2001:db8::19", "192.0.2.10-192.0.2.19"]);
  await createService("web", { ipFamilyPolicy: policy, ipFamilies: families });
  await untilIPs("web", gets);
  expect(recordOf(seen("web")).slice(0, 2)).toEqual(["both", gets]);
  expect(writes("web")).toBe(2);
});

test.each([
  { families: ["IPv4", "IPv6"], first: "192.0.2.10", grows: "2001:db8::10" },
  { families: ["IPv6", "IPv4"], first: "2001:db8::10", grows: "192.0.2.10" },
  // No pool has an address of its first family.
  { families: ["IPv6", "IPv4"], first: "192.0.2.10", grows: "2001:db8::10" },
])("PreferDualStack with $families takes $first, and gains $grows with it", async ({ families, first, grows }) => {
  await createPool("p", [first]);
  await createService("prefers", { ipFamilyPolicy: "PreferDualStack", ipFamilies: families });
  const { metadata } = await untilIPs("prefers", first);
  await createService("requires", { ipFamilyPolicy: "RequireDualStack", ipFamilies: families });
  await untilReason("requires", "NoFittingPool");
  // Both, but not from the pool that it holds an address of.
  await createPool("other", ["198.51.100.20", "2001:db8:1::20"]);
  await untilIPs("requires", "198.51.100.20,2001:db8:1::20");
  await settled();
  expect(trail("prefers")).toEqual(["", first]);
  const both = [first, grows].sort().join();
  await editPool("p", { addresses: [first, grows] });
  await untilIPs("prefers", both);
  expect(trail("prefers")).toEqual(["", first, both]);
  expect(recordOf(seen("prefers"))).toEqual(["p", both, metadata.annotations?.["heraldlb.io/assigned-at"]]);
});

test("a Service that changes its families keeps those that it goes on having", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.19", "2001:db8::10-2001:db8::10"]);
  await createService("web", DUAL);
  await untilIPs("web", "192.0.2.10,2001:db8::10");
  await createService("six", { ipFamilies: ["IPv6"] });
  await untilReason("six", "PoolExhausted");
  await patchService("web", { spec: { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4"] } });
  await untilIPs("web", "192.0.2.10");
  await untilIPs("six", "2001:db8::10");
  await patchService("web", { spec: { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] } });
  const waits = await untilReason("web", "PoolExhausted");
  expect(assigned(waits)?.message).toContain('keeps 192.0.2.10 from pool "p"');
  await removeService("six");
  await untilIPs("web", "192.0.2.10,2001:db8::10");
  expect(trail("web")).toEqual(["", "192.0.2.10,2001:db8::10", "192.0.2.10", "192.0.2.10,2001:db8::10"]);
});

test("of two families one asked for is completed from the same pool", async () => {
  await createPool("first", ["192.0.2.10-192.0.2.19", "2001:db8::10-2001:db8::19"], { priority: 1 });
  await createPool("second", ["198.51.100.10-198.51.100.19", "2001:db8:1::10-2001:db8:1::19"]);
  await createService("six", { ...DUAL, annotations: asks("2001:db8:1::15") });
  await untilIPs("six", "198.51.100.10,2001:db8:1::15");
  await createService("four", { ...DUAL, loadBalancerIP: "198.51.100.10" });
  await untilReason("four", "IPInUse");
  await patchService("four", { spec: { loadBalancerIP: "198.51.100.11" } });
  await untilIPs("four", "198.51.100.11,2001:db8:1::10");
  await createService("both", { ...DUAL, annotations: asks("2001:db8::12,192.0.2.13") });
  await untilIPs("both", "192.0.2.13,2001:db8::12");
  await until("both", (one) => recordOf(one)[0] === "first");
});
