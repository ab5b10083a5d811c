import { expect, test } from "vitest";
import {
  book,
  brief,
  DUAL,
  demand,
  held,
  ip,
  NOW,
  pool,
  record,
  request,
  sharing,
  type Words,
} from "../../test/unit/address-world.ts";
import type { IPFamily } from "../api/objects.ts";
import type { Demand } from "./demand.ts";

const both: readonly IPFamily[] = ["IPv4", "IPv6"];
const six: Partial<Demand> = { families: ["IPv6"] };
const require2: Partial<Demand> = { families: both, policy: "RequireDualStack" };
const prefer2: Partial<Demand> = { families: both, policy: "PreferDualStack" };
const web = (port: string, more = {}) => sharing("web", { ports: [port], ...more });

test.each<{ name: string; world: Words; want: string }>([
  { name: "no pool", world: {}, want: "NoPool" },
  { name: "the lowest address", world: { pools: { a: ["192.0.2.0/28"] } }, want: "a 192.0.2.0" },
  { name: "entries in their order", world: { pools: { a: ["192.0.2.9", "192.0.2.1"] } }, want: "a 192.0.2.9" },
  { name: "pools by name", world: { pools: { b: ["192.0.2.1"], a: ["192.0.2.2"] } }, want: "a 192.0.2.2" },
  {
    name: "pools by priority",
    world: { pools: { a: ["192.0.2.1"], b: { addresses: ["192.0.2.2"], priority: 1 } } },
    want: "b 192.0.2.2",
  },
  {
    name: "excluded addresses",
    world: { pools: { a: { addresses: ["192.0.2.0/30"], exclude: ["192.0.2.0/31"] } } },
    want: "a 192.0.2.2",
  },
  {
    name: "addresses that are avoided",
    world: { pools: { a: { addresses: ["192.0.2.255-192.0.3.1"], avoidBuggyIPs: true } } },
    want: "a 192.0.3.1",
  },
  {
    name: "a pool that is for requests only",
    world: { pools: { a: { addresses: ["192.0.2.1"], autoAssign: false } } },
    want: "NoFittingPool",
  },
  {
    name: "a disabled pool",
    world: { pools: { a: { addresses: ["192.0.2.1"], disabled: true } } },
    want: "NoFittingPool",
  },
  {
    name: "a pool that is being deleted",
    world: { pools: { a: { addresses: ["192.0.2.1"], deleting: true } } },
    want: "NoFittingPool",
  },
  {
    name: "a pool that overlaps an older one",
    world: {
      pools: {
        a: { addresses: ["192.0.2.1-192.0.2.2"], createdAt: 2 },
        b: { addresses: ["192.0.2.2"], createdAt: 1, autoAssign: false },
      },
    },
    want: "NoFittingPool",
  },
  { name: "a pool of the other family", world: { pools: { a: ["2001:db8::/64"] } }, want: "NoFittingPool" },
  {
    name: "a bad pool before a good one",
    world: { pools: { a: ["192.0.2.1/24"], b: ["192.0.2.1"] } },
    want: "b 192.0.2.1",
  },
  { name: "only a bad pool", world: { pools: { a: ["192.0.2.1", "192.0.2.0/24"] } }, want: "NoFittingPool" },
  {
    name: "a pool for other namespaces",
    world: { pools: { a: { addresses: ["192.0.2.1"], namespaceSelector: { matchLabels: { team: "x" } } } } },
    want: "NoFittingPool",
  },
  {
    name: "a pool for its namespace",
    world: {
      pools: { a: { addresses: ["192.0.2.1"], namespaceSelector: { matchLabels: { team: "x" } } } },
      namespaces: { n: { team: "x" } },
    },
    want: "a 192.0.2.1",
  },
  {
    name: "a pool for other Services",
    world: { pools: { a: { addresses: ["192.0.2.1"], serviceSelector: { matchLabels: { tier: "gold" } } } } },
    want: "NoFittingPool",
  },
  {
    name: "an address that a stranger has",
    world: { pools: { a: ["192.0.2.0/31"] }, strangers: { x: ["192.0.2.0"] } },
    want: "a 192.0.2.1",
  },
  {
    name: "a pool full of strangers",
    world: { pools: { a: ["192.0.2.0"] }, strangers: { x: ["192.0.2.0"] } },
    want: "PoolExhausted",
  },
  { name: "a pool wider than numbers count", world: { pools: { a: ["::/0", "10.0.0.0/8"] } }, want: "a 10.0.0.0" },
])("a new Service and $name: $want", ({ world, want }) => {
  expect(brief(book({ ...world, demands: [demand("n/s")] }).outcome("n/s"))).toBe(want);
});

test.each<{ name: string; pools: Words["pools"]; stack: Partial<Demand>; want: string }>([
  {
    name: "both from one pool",
    pools: { a: ["192.0.2.3"], b: DUAL },
    stack: require2,
    want: "b 192.0.2.1,2001:db8::1",
  },
  {
    name: "required, but no pool gives both",
    pools: { a: ["192.0.2.1"], b: ["2001:db8::1"] },
    stack: require2,
    want: "NoFittingPool",
  },
  {
    name: "preferred, from a later pool",
    pools: { a: ["192.0.2.3"], b: DUAL },
    stack: prefer2,
    want: "b 192.0.2.1,2001:db8::1",
  },
  {
    name: "preferred, but no pool gives both",
    pools: { a: ["2001:db8::1"], b: ["192.0.2.1"] },
    stack: prefer2,
    want: "b 192.0.2.1",
  },
  {
    name: "preferred, IPv6 first",
    pools: { a: ["192.0.2.1"], b: ["2001:db8::1"] },
    stack: { ...prefer2, families: ["IPv6", "IPv4"] },
    want: "b 2001:db8::1",
  },
  {
    name: "preferred, only the other family there",
    pools: { a: ["2001:db8::1"] },
    stack: prefer2,
    want: "a 2001:db8::1",
  },
  {
    name: "preferred on a single-stack cluster",
    pools: { a: DUAL },
    stack: { ...prefer2, families: ["IPv4"] },
    want: "a 192.0.2.1",
  },
  { name: "single", pools: { a: DUAL }, stack: six, want: "a 2001:db8::1" },
  {
    name: "required, with one address asked for: the other comes from the same pool",
    pools: { a: DUAL, b: ["2001:db8:1::1", "192.0.2.9"] },
    stack: { ...require2, ...request({ ips: ["192.0.2.9"] }) },
    want: "b 192.0.2.9,2001:db8:1::1",
  },
  {
    name: "preferred, with one address asked for of a pool that has no other family",
    pools: { a: DUAL, b: ["192.0.2.9"] },
    stack: { ...prefer2, ...request({ ips: ["192.0.2.9"] }) },
    want: "b 192.0.2.9",
  },
])("dual stack, $name: $want", ({ pools, stack, want }) => {
  expect(brief(book({ pools: pools ?? {}, demands: [demand("n/s", stack)] }).outcome("n/s"))).toBe(want);
});

const POOLS: NonNullable<Words["pools"]> = {
  a: ["192.0.2.1-192.0.2.2", "2001:db8::1"],
  odd: { addresses: ["198.51.100.0-198.51.100.9"], exclude: ["198.51.100.5"], avoidBuggyIPs: true, autoAssign: false },
  off: { addresses: ["203.0.113.1"], disabled: true },
};

test.each<{ name: string; demand: Partial<Demand>; more?: Partial<Words>; want: string | object }>([
  { name: "a pool", demand: request({ pool: "odd" }), want: "odd 198.51.100.1" },
  { name: "an address", demand: request({ ips: ["198.51.100.7"] }), want: "odd 198.51.100.7" },
  { name: "a pool and an address of it", demand: request({ pool: "a", ips: ["192.0.2.2"] }), want: "a 192.0.2.2" },
  {
    name: "an address of each family",
    demand: { ...require2, ...request({ ips: ["192.0.2.2", "2001:db8::1"] }) },
    want: "a 192.0.2.2,2001:db8::1",
  },
  {
    name: "nothing that can be read",
    demand: { request: { problem: { reason: "InvalidRequest", text: "write an address" } } },
    want: { reason: "InvalidRequest", text: "write an address" },
  },
  {
    name: "two things at once",
    demand: { request: { problem: { reason: "ConflictingRequests", text: "remove one" } } },
    want: { reason: "ConflictingRequests", text: "remove one" },
  },
  {
    name: "an address of a family that it has not",
    demand: request({ ips: ["2001:db8::1"] }),
    want: { reason: "WrongFamily", ip: ip("2001:db8::1"), families: ["IPv4"] },
  },
  {
    name: "an address that no pool has",
    demand: request({ ips: ["192.0.2.9"] }),
    want: { reason: "IPOutsidePools", ip: ip("192.0.2.9") },
  },
  {
    name: "a pool, and an address of another",
    demand: request({ pool: "odd", ips: ["192.0.2.1"] }),
    want: { reason: "IPNotInPool", ip: ip("192.0.2.1"), pool: "odd", actual: "a" },
  },
  {
    name: "a pool, and an address of none",
    demand: request({ pool: "a", ips: ["192.0.2.9"] }),
    want: { reason: "IPNotInPool", ip: ip("192.0.2.9"), pool: "a" },
  },
  {
    name: "addresses of two pools",
    demand: { ...require2, ...request({ ips: ["198.51.100.1", "2001:db8::1"] }) },
    want: { reason: "IPsInDifferentPools", ips: [ip("198.51.100.1"), ip("2001:db8::1")], pools: ["odd", "a"] },
  },
  {
    name: "an excluded address",
    demand: request({ ips: ["198.51.100.5"] }),
    want: { reason: "IPExcluded", ip: ip("198.51.100.5"), pool: "odd" },
  },
  {
    name: "an avoided address",
    demand: request({ ips: ["198.51.100.0"] }),
    want: { reason: "IPAvoided", ip: ip("198.51.100.0"), pool: "odd" },
  },
  {
    name: "a pool that does not exist",
    demand: request({ pool: "nope" }),
    want: { reason: "UnknownPool", pool: "nope" },
  },
  {
    name: "a disabled pool",
    demand: request({ pool: "off" }),
    want: { reason: "PoolNotUsable", refusal: { pool: "off", why: "Disabled" } },
  },
  {
    name: "an address of a disabled pool",
    demand: request({ ips: ["203.0.113.1"] }),
    want: { reason: "PoolNotUsable", refusal: { pool: "off", why: "Disabled" } },
  },
  {
    name: "a pool for other Services",
    demand: request({ pool: "gold" }),
    more: { pools: { gold: { addresses: ["192.0.2.9"], serviceSelector: { matchLabels: { tier: "gold" } } } } },
    want: { reason: "PoolNotUsable", refusal: { pool: "gold", why: "ServiceSelector" } },
  },
  {
    name: "a pool for other namespaces",
    demand: request({ pool: "x" }),
    more: { pools: { x: { addresses: ["192.0.2.9"], namespaceSelector: { matchLabels: { team: "x" } } } } },
    want: { reason: "PoolNotUsable", refusal: { pool: "x", why: "NamespaceSelector" } },
  },
  {
    name: "a pool that is full",
    demand: request({ pool: "one" }),
    more: { pools: { one: ["192.0.2.9"], zero: ["192.0.2.8"] }, strangers: { "n/x": ["192.0.2.9"] } },
    want: {
      reason: "PoolExhausted",
      tried: [{ pool: "one", why: "Lacks", without: [], exhausted: ["IPv4"] }],
    },
  },
  {
    name: "a pool without its family",
    demand: { ...six, ...request({ pool: "odd" }) },
    want: {
      reason: "NoFittingPool",
      tried: [{ pool: "odd", why: "Lacks", without: ["IPv6"], exhausted: [] }],
    },
  },
  {
    name: "an address that another Service holds",
    demand: request({ ips: ["192.0.2.1"] }),
    more: { demands: [demand("n/t", { ...held("a", ["192.0.2.1"]), ...web("TCP/80") })] },
    want: { reason: "IPInUse", ip: ip("192.0.2.1"), holder: "n/t", stranger: false },
  },
  {
    name: "an address that somebody else's Service has",
    demand: { ...request({ ips: ["192.0.2.1"] }), ...web("TCP/80") },
    more: { strangers: { "n/x": ["192.0.2.1"] } },
    want: { reason: "IPInUse", ip: ip("192.0.2.1"), holder: "n/x", stranger: true },
  },
  {
    name: "an address that it could share but for a port",
    demand: { ...request({ ips: ["192.0.2.1"] }), ...web("TCP/80") },
    more: { demands: [demand("n/t", { ...held("a", ["192.0.2.1"]), ...web("TCP/80") })] },
    want: { reason: "SharingRefused", ip: ip("192.0.2.1"), clash: { holder: "n/t", what: "Port", port: "TCP/80" } },
  },
  {
    name: "an address that it may share",
    demand: { ...request({ ips: ["192.0.2.1"] }), ...web("TCP/81") },
    more: { demands: [demand("n/t", { ...held("a", ["192.0.2.1"]), ...web("TCP/80") })] },
    want: "a 192.0.2.1",
  },
])("asked for $name: $want", ({ demand: asked, more = {}, want }) => {
  const outcomeOf = (service: Demand) => {
    const demands = [...(more.demands ?? []), service];
    return book({ ...more, pools: { ...POOLS, ...more.pools }, demands }).outcome("n/s");
  };
  if (typeof want === "string") expect(brief(outcomeOf(demand("n/s", asked)))).toBe(want);
  else {
    expect(outcomeOf(demand("n/s", asked))).toEqual({ state: "Waiting", verdict: want, reassigned: false });
    const keeping = outcomeOf(demand("n/s", { ...asked, ...held("a", ["192.0.2.2"]) }));
    expect(brief(keeping)).toMatch(/ keeps a 192\.0\.2\.2$/);
  }
});

test("a waiting Service hears of every pool in the order of trial", () => {
  const world = book({
    pools: {
      bad: ["192.0.2.0/24", "192.0.2.1"],
      disabled: { addresses: ["198.51.100.1"], disabled: true },
      full: ["198.51.100.2"],
      going: { addresses: ["198.51.100.3"], deleting: true },
      gold: { addresses: ["198.51.100.4"], serviceSelector: { matchLabels: { tier: "gold" } } },
      other: { addresses: ["198.51.100.5"], namespaceSelector: { matchLabels: { team: "x" } } },
      overlapping: { addresses: ["198.51.100.1"], createdAt: 1 },
      requests: { addresses: ["198.51.100.6"], autoAssign: false },
      six: ["2001:db8::1"],
    },
    strangers: { "n/x": ["198.51.100.2"] },
    demands: [demand("n/s")],
  });
  expect(world.outcome("n/s")).toMatchObject({
    state: "Waiting",
    verdict: {
      reason: "PoolExhausted",
      tried: [
        { pool: "bad", why: "Invalid" },
        { pool: "disabled", why: "Disabled" },
        { pool: "full", why: "Lacks", without: [], exhausted: ["IPv4"] },
        { pool: "going", why: "Terminating" },
        { pool: "gold", why: "ServiceSelector" },
        { pool: "other", why: "NamespaceSelector" },
        { pool: "overlapping", why: "Overlapping" },
        { pool: "requests", why: "NotAutoAssigned" },
        { pool: "six", why: "Lacks", without: ["IPv4"], exhausted: [] },
      ],
    },
  });
  expect(world.census()).toEqual(new Map([["PoolExhausted", 1]]));
});

test.each<{ name: string; sharing: Partial<Demand>; clash: object | undefined }>([
  { name: "a port", sharing: web("TCP/80"), clash: { holder: "n/b", what: "Port", port: "TCP/80" } },
  { name: "the policy", sharing: web("TCP/82", { policy: "Local" }), clash: { holder: "n/a", what: "Policy" } },
  { name: "the key alone", sharing: sharing("other"), clash: undefined },
])("who finds the pools full hears of the lowest address of its key, and of $name", ({ sharing, clash }) => {
  const world = book({
    pools: { p: ["192.0.2.1-192.0.2.2"], requests: { addresses: ["192.0.2.0"], autoAssign: false } },
    demands: [
      demand("n/requests", { ...request({ pool: "requests" }), ...web("TCP/80") }),
      demand("n/b", { ...request({ ips: ["192.0.2.1"] }), ...web("TCP/80") }),
      demand("n/a", { ...request({ ips: ["192.0.2.1"] }), ...web("TCP/81") }),
      demand("n/c", { ...request({ ips: ["192.0.2.2"] }), ...web("TCP/80") }),
      demand("n/s", { createdAt: 1, ...sharing }),
    ],
  });
  const outcome = world.outcome("n/s");
  expect(outcome).toMatchObject({ state: "Waiting", verdict: { reason: "PoolExhausted" } });
  const verdict = outcome?.state === "Waiting" ? outcome.verdict : undefined;
  const unshared = verdict?.reason === "PoolExhausted" ? verdict.unshared : undefined;
  expect(unshared).toEqual(clash && { ip: ip("192.0.2.1"), clash });
});

test("who finds the pools full hears when it clashes otherwise with the holder of its key", () => {
  const holder = demand("n/a", web("TCP/80"));
  const world = book({
    pools: { p: ["192.0.2.1"] },
    demands: [holder, demand("n/s", { createdAt: 1, ...web("TCP/80") })],
  });
  expect(world.put({ ...holder, ...web("TCP/81", { policy: "Local" }) }, NOW)).toContain("n/s");
  expect(world.outcome("n/s")).toMatchObject({ verdict: { unshared: { clash: { holder: "n/a", what: "Policy" } } } });
});

/** `other` is a Service without an address, and older: it gets the lowest address that is left. */
test.each<{ name: string; demands: readonly Demand[]; pools?: Words["pools"]; want: Record<string, string> }>([
  {
    name: "a record and a status keep the address",
    demands: [demand("n/s", { createdAt: 5, ...held("a", ["192.0.2.1"]) })],
    want: { "n/s": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "an address outside its pool stays",
    demands: [demand("n/s", held("gone", ["203.0.113.1"]))],
    want: { "n/s": "gone 203.0.113.1 stranded: PoolGone", "n/other": "a 192.0.2.1" },
  },
  {
    name: "an address of a disabled pool stays",
    pools: { a: { addresses: ["192.0.2.1"], disabled: true }, b: ["192.0.2.2"] },
    demands: [demand("n/s", held("a", ["192.0.2.1"]))],
    want: { "n/s": "a 192.0.2.1", "n/other": "b 192.0.2.2" },
  },
  {
    name: "a status without record is adopted where a pool contains it",
    demands: [demand("n/s", { createdAt: 5, status: [ip("192.0.2.1")] })],
    want: { "n/s": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "a status without record that no pool contains is not",
    demands: [demand("n/s", { createdAt: 5, status: [ip("203.0.113.1")] })],
    want: { "n/s": "a 192.0.2.2", "n/other": "a 192.0.2.1" },
  },
  {
    name: "a status of two addresses is adopted from the pool that has both",
    pools: { a: ["192.0.2.1"], b: { addresses: DUAL, createdAt: 1 } },
    demands: [demand("n/s", { ...require2, status: [ip("192.0.2.1"), ip("2001:db8::1")] })],
    want: { "n/s": "b 192.0.2.1,2001:db8::1" },
  },
  {
    name: "an address of a family that is not asked for is not adopted",
    pools: { a: DUAL },
    demands: [demand("n/s", { ...six, status: [ip("192.0.2.1"), ip("2001:db8::2")] })],
    want: { "n/s": "a 2001:db8::2" },
  },
  {
    name: "a status that was emptied is put back",
    demands: [demand("n/s", { createdAt: 5, record: record("a", ["192.0.2.1"]) })],
    want: { "n/s": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "a status that was overwritten is put back",
    demands: [demand("n/s", { createdAt: 5, status: [ip("192.0.2.2")], record: record("a", ["192.0.2.1"]) })],
    want: { "n/s": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "a restored record goes before the request",
    demands: [demand("n/s", { createdAt: 5, ...request({ pool: "nope" }), record: record("a", ["192.0.2.1"]) })],
    want: { "n/s": "UnknownPool keeps a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "a record alone does not open a disabled pool",
    pools: { a: { addresses: ["192.0.2.1"], disabled: true }, b: ["192.0.2.2-192.0.2.3"] },
    demands: [demand("n/s", { createdAt: 5, record: record("a", ["192.0.2.1"]) })],
    want: { "n/s": "b 192.0.2.3", "n/other": "b 192.0.2.2" },
  },
  {
    name: "a record alone opens a pool that is for requests only",
    pools: { a: { addresses: ["192.0.2.1"], autoAssign: false }, b: ["192.0.2.2-192.0.2.3"] },
    demands: [demand("n/s", { createdAt: 5, record: record("a", ["192.0.2.1"]) })],
    want: { "n/s": "a 192.0.2.1", "n/other": "b 192.0.2.2" },
  },
  {
    name: "a record alone yields to a holder",
    demands: [
      demand("n/s", { createdAt: 5, record: record("a", ["192.0.2.1"], 1) }),
      demand("n/holder", { createdAt: 9, ...held("a", ["192.0.2.1"], 2) }),
    ],
    pools: { a: ["192.0.2.1-192.0.2.3"] },
    want: { "n/s": "a 192.0.2.3", "n/holder": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "a record of an address that no pool has is worth nothing",
    demands: [demand("n/s", { createdAt: 5, record: record("a", ["203.0.113.1"]) })],
    want: { "n/s": "a 192.0.2.2", "n/other": "a 192.0.2.1" },
  },
  {
    name: "of two holders of one address the first stays",
    demands: [
      demand("n/late", { createdAt: 5, ...held("a", ["192.0.2.1"], 2) }),
      demand("n/early", { createdAt: 9, ...held("a", ["192.0.2.1"], 1) }),
    ],
    pools: { a: ["192.0.2.1-192.0.2.3"] },
    want: { "n/early": "a 192.0.2.1", "n/other": "a 192.0.2.2", "n/late": "a 192.0.2.3" },
  },
  {
    name: "those who share an address have it both",
    demands: [
      demand("n/t", { ...held("a", ["192.0.2.2"], 2), ...web("TCP/80") }),
      demand("n/s", { ...held("a", ["192.0.2.2"], 1), ...web("TCP/81") }),
    ],
    want: { "n/s": "a 192.0.2.2", "n/t": "a 192.0.2.2", "n/other": "a 192.0.2.1" },
  },
  {
    name: "what is being deleted keeps its address",
    demands: [demand("n/s", { deleting: true, ...held("a", ["192.0.2.1"]) })],
    want: { "n/s": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "what is being deleted gets nothing",
    demands: [demand("n/s", { deleting: true })],
    want: { "n/s": "Leaving", "n/other": "a 192.0.2.1" },
  },
  {
    name: "an address of one's own is noted before what a pool gave to another is read",
    demands: [
      demand("n/reads", { ...held("a", ["192.0.2.2"], 9) }),
      demand("n/forges", { createdAt: 0, record: record("a", ["192.0.2.2"], 1) }),
    ],
    want: { "n/reads": "a 192.0.2.2", "n/forges": "a 192.0.2.1", "n/other": "PoolExhausted" },
  },
])("at a start, $name", ({ demands, pools = { a: ["192.0.2.1-192.0.2.2"] }, want }) => {
  for (const all of [demands, demands.toReversed()]) {
    const started = book({ pools, demands: [demand("n/other", { createdAt: 1 }), ...all] });
    const got = Object.fromEntries(Object.keys(want).map((key) => [key, brief(started.outcome(key))]));
    expect(got).toEqual(want);
  }
});

test("a freed address goes to who waits longest, and nobody else is touched", () => {
  const waiting = ["young", "old", "middle"].map((name) => demand(`n/${name}`, { createdAt: name === "old" ? 1 : 2 }));
  const one = book({ pools: { a: ["192.0.2.1"] }, demands: [demand("n/holder"), ...waiting] });
  expect(one.remove("n/holder", NOW)).toEqual(["n/old"]);
  expect(one.remove("n/old", NOW)).toEqual(["n/middle"]);
  expect(["n/old", "n/middle", "n/young"].map((key) => brief(one.outcome(key)))).toEqual([
    "unknown",
    "a 192.0.2.1",
    "PoolExhausted",
  ]);
});

test("who asks for an address hears nothing of others that are freed", () => {
  const one = book({
    pools: { a: ["192.0.2.1-192.0.2.3"] },
    demands: [
      demand("n/holder", request({ ips: ["192.0.2.1"] })),
      demand("n/other", { createdAt: 1 }),
      ...[2, 3].map((at) => demand(`n/asks-${at}`, { createdAt: at, ...request({ ips: ["192.0.2.1"] }) })),
    ],
  });
  expect(one.remove("n/other", NOW)).toEqual([]);
  expect(one.remove("n/holder", NOW)).toEqual(["n/asks-2", "n/asks-3"]);
  expect(brief(one.outcome("n/asks-2"))).toBe("a 192.0.2.1");
  expect(brief(one.outcome("n/asks-3"))).toBe("IPInUse");
});

test("each stranger of an address keeps it, be it the first or the last to go", () => {
  const one = book({ pools: { a: ["192.0.2.1"] }, strangers: { x: ["192.0.2.1"], y: ["192.0.2.1"] } });
  one.put(demand("n/s", request({ ips: ["192.0.2.1"] })), NOW);
  expect(one.outcome("n/s")).toMatchObject({ verdict: { reason: "IPInUse", holder: "x" } });
  expect(one.putStranger("x", [], NOW)).toEqual(["n/s"]);
  expect(one.outcome("n/s")).toMatchObject({ verdict: { reason: "IPInUse", holder: "y" } });
  one.putStranger("y", [], NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
});

test("who joins an address with its second family has joined later than its holder, however old its first is", () => {
  const old = { ...held("a", ["192.0.2.1"], 1), ...prefer2 };
  const one = book({
    pools: { a: ["192.0.2.1", "2001:db8::1"] },
    demands: [
      demand("n/joins", { ...old, ...web("TCP/80", { policy: "Local" }) }),
      demand("n/holder", { ...held("a", ["2001:db8::1"], 5), ...six, ...web("TCP/81") }),
    ],
  });
  one.put(demand("n/joins", { ...old, ...web("TCP/80") }), NOW);
  expect(brief(one.outcome("n/joins"))).toBe("a 192.0.2.1,2001:db8::1");
  one.put(demand("n/joins", { ...old, ...web("TCP/81") }), NOW);
  expect(brief(one.outcome("n/joins"))).toBe("a 192.0.2.1");
  expect(brief(one.outcome("n/holder"))).toBe("a 2001:db8::1");
});

test("what is left of two addresses follows to the pool that has it", () => {
  const two = { ...held("old", ["192.0.2.1", "2001:db8::1"], 5), ...prefer2, ...web("TCP/80") };
  const other = { ...held("old", ["2001:db8::1"], 4), ...six };
  const one = book({
    pools: { old: ["198.51.100.1"], new: ["192.0.2.1"] },
    demands: [demand("n/two", two), demand("n/other", { ...other, ...web("TCP/81") })],
  });
  expect(brief(one.outcome("n/two"))).toBe("old 192.0.2.1,2001:db8::1 stranded: OutsidePool");
  expect(one.put(demand("n/other", { ...other, ...web("TCP/80") }), NOW)).toContain("n/two");
  expect(brief(one.outcome("n/two"))).toBe("new 192.0.2.1");
});

test("to join an address takes a look at each who shares it, and no more", () => {
  let looks = 0;
  const sharer = (at: number) => {
    const terms = web(`TCP/${at}`).sharing;
    const get = () => {
      looks++;
      return terms;
    };
    return Object.defineProperty(demand(`n/s-${at}`), "sharing", { enumerable: true, get });
  };
  const sharers = Array.from({ length: 100 }, (_, at) => sharer(at));
  const one = book({ pools: { a: ["192.0.2.1"] }, demands: sharers });
  looks = 0;
  one.put(sharer(100), NOW);
  expect(brief(one.outcome("n/s-100"))).toBe("a 192.0.2.1");
  expect(looks).toBeLessThan(5 * sharers.length);
});

test("who has nothing goes before who lacks one family, however old", () => {
  const one = book({
    pools: { a: ["192.0.2.1-192.0.2.2", "2001:db8::1"] },
    demands: [demand("n/v6", six), demand("n/half", { ...prefer2, createdAt: 1 })],
  });
  expect(brief(one.outcome("n/half"))).toBe("a 192.0.2.1");
  one.put(demand("n/new", { ...six, createdAt: 9 }), NOW);
  one.remove("n/v6", NOW);
  expect(brief(one.outcome("n/new"))).toBe("a 2001:db8::1");
  expect(brief(one.outcome("n/half"))).toBe("a 192.0.2.1");
});

test("waiting Services of one age are served by namespace, then name", () => {
  const keys = ["n-1/a", "n/b", "n/a", "m/z"];
  const one = book({ demands: keys.map((key) => demand(key)) });
  one.putPool(pool("p", ["192.0.2.1-192.0.2.4"]), NOW);
  expect(["m/z", "n/a", "n/b", "n-1/a"].map((key) => brief(one.outcome(key)))).toEqual([
    "p 192.0.2.1",
    "p 192.0.2.2",
    "p 192.0.2.3",
    "p 192.0.2.4",
  ]);
});

test("a Service that becomes somebody else's frees its address", () => {
  const one = book({
    pools: { a: ["192.0.2.1-192.0.2.2"] },
    demands: [demand("n/s"), demand("n/t"), demand("n/waits")],
  });
  expect(one.putStranger("n/s", [], NOW)).toEqual(["n/waits"]);
  expect(brief(one.outcome("n/waits"))).toBe("a 192.0.2.1");
});

test("a stranger's address is free again when the stranger is gone", () => {
  const one = book({ pools: { a: ["192.0.2.1"] }, demands: [demand("n/s")], strangers: { "n/x": ["192.0.2.1"] } });
  expect(one.putStranger("n/x", [ip("192.0.2.1")], NOW)).toEqual([]);
  expect(one.remove("n/x", NOW)).toEqual(["n/s"]);
});

test("a stranger's Service that becomes Herald's keeps its address", () => {
  const one = book({ pools: { a: ["192.0.2.1-192.0.2.2"] }, strangers: { "n/s": ["192.0.2.2"] } });
  one.put(demand("n/s", { status: [ip("192.0.2.2")] }), NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.2");
});

test("a new pool serves the oldest, and the rest hear that it was tried", () => {
  const one = book({ demands: ["c", "b", "a"].map((name, at) => demand(`n/${name}`, { createdAt: at })) });
  const told = one.putPool(pool("p", ["192.0.2.1-192.0.2.2"]), NOW);
  expect([...told].sort()).toEqual(["n/a", "n/b", "n/c"]);
  expect(["n/c", "n/b", "n/a"].map((key) => brief(one.outcome(key)))).toEqual([
    "p 192.0.2.1",
    "p 192.0.2.2",
    "PoolExhausted",
  ]);
});

test("addresses that were there before their pool are kept when it comes", () => {
  const all = book({
    demands: [
      demand("n/older"),
      demand("n/status", { createdAt: 1, status: [ip("192.0.2.0")] }),
      demand("n/record", { createdAt: 2, record: record("p", ["192.0.2.1"]) }),
      demand("n/forged", { createdAt: 3, record: record("p", ["192.0.2.0"], -1) }),
    ],
  });
  expect(brief(all.outcome("n/status"))).toBe("NoPool");
  const told = all.putPool(pool("p", ["192.0.2.0/30"]), NOW);
  expect([...told].sort()).toEqual(["n/forged", "n/older", "n/record", "n/status"]);
  expect(["n/status", "n/record", "n/older", "n/forged"].map((key) => brief(all.outcome(key)))).toEqual([
    "p 192.0.2.0",
    "p 192.0.2.1",
    "p 192.0.2.2",
    "p 192.0.2.3",
  ]);
});

test("where the labels of its namespace decide, a Service waits for them, and keeps what it has", () => {
  const selected = { addresses: ["192.0.2.1-192.0.2.3"], namespaceSelector: { matchLabels: { team: "x" } } };
  const one = book({ pools: { a: selected } });
  one.put(demand("n/s"), NOW);
  one.put(demand("n/holder", held("a", ["192.0.2.2"])), NOW);
  expect(brief(one.outcome("n/s"))).toBe("Undecided");
  expect(brief(one.outcome("n/holder"))).toBe("a 192.0.2.2");
  expect(one.putNamespace("n", { team: "x" }, NOW)).toContain("n/s");
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
  one.putNamespace("n", { team: "y" }, NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1 stranded: NamespaceSelector");
});

test("usage counts holders as assigned and strangers as neither", () => {
  const one = book({
    pools: { a: ["192.0.2.0/29"] },
    demands: [demand("n/s", web("TCP/80")), demand("n/t", web("TCP/81")), demand("n/u")],
    strangers: { x: ["192.0.2.7"] },
  });
  expect(one.report("a")).toMatchObject({ ipv4: { total: 8, assigned: 2, available: 5 }, holders: 3, stranded: 0 });
  const wide = book({ pools: { a: ["::/0"] }, demands: [demand("n/s", six)] });
  expect(wide.report("a")?.ipv6).toEqual({
    total: Number.MAX_SAFE_INTEGER,
    assigned: 1,
    available: Number.MAX_SAFE_INTEGER,
  });
});

test.each<{ name: string; words: NonNullable<Words["pools"]>[string]; want: object }>([
  { name: "disabled", words: { addresses: ["192.0.2.0/30"], disabled: true }, want: { state: "Disabled" } },
  { name: "being deleted", words: { addresses: ["192.0.2.0/30"], deleting: true }, want: { state: "Terminating" } },
  {
    name: "overlapping",
    words: { addresses: ["192.0.2.0/30"], createdAt: 5 },
    want: { state: "Overlapping", with: "old" },
  },
])("a pool that is $name has nothing to be had, and counts what it has", ({ words, want }) => {
  const one = book({
    pools: { old: ["192.0.2.3"], a: words },
    demands: [demand("n/s", held("a", ["192.0.2.1"]))],
  });
  if (!("with" in want)) one.removePool("old", NOW);
  expect(one.report("a")).toMatchObject({ state: want, ipv4: { total: 4, assigned: 1, available: 0 }, holders: 1 });
  expect(one.report("nope")).toBeUndefined();
});
