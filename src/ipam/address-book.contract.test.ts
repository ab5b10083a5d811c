import { expect, test } from "vitest";
import {
  type Book,
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
import { formatIP } from "./addresses.ts";
import type { Demand } from "./demand.ts";

/** The address contract clause by clause: what a change does to those who hold something. */

const both: readonly IPFamily[] = ["IPv4", "IPv6"];
const require2: Partial<Demand> = { families: both, policy: "RequireDualStack" };
const prefer2: Partial<Demand> = { families: both, policy: "PreferDualStack" };
const web = (port: string, more = {}) => sharing("web", { ports: [port], ...more });
const LATER = NOW + 1000;

interface Row {
  readonly name: string;
  readonly pools: Words["pools"];
  readonly before: Partial<Demand>;
  readonly others?: readonly Demand[];
  readonly strangers?: Words["strangers"];
  readonly change: (book: Book, before: Demand) => readonly string[];
  readonly want: string;
  readonly wantOthers?: Readonly<Record<string, string>>;
}

const asks =
  (more: Partial<Demand>) =>
  (book: Book, { request: _, ...before }: Demand) =>
    book.put({ ...before, ...more }, LATER);
const edits = (name: string, words: Parameters<typeof pool>[1]) => (book: Book) =>
  book.putPool(pool(name, words), LATER);

const TWO = { a: ["192.0.2.1-192.0.2.2"], b: { addresses: ["198.51.100.1"], autoAssign: false } };
const of1 = held("a", ["192.0.2.1"], 5);

test.each<Row>([
  // A held address stays.
  {
    name: "its pool is disabled",
    pools: TWO,
    before: of1,
    change: edits("a", { addresses: ["192.0.2.1"], disabled: true }),
    want: "a 192.0.2.1",
  },
  {
    name: "its pool is narrowed",
    pools: TWO,
    before: of1,
    change: edits("a", ["192.0.2.2"]),
    want: "a 192.0.2.1 stranded: OutsidePool",
  },
  {
    name: "its pool excludes its address",
    pools: TWO,
    before: of1,
    change: edits("a", { addresses: ["192.0.2.0/30"], exclude: ["192.0.2.1"] }),
    want: "a 192.0.2.1 stranded: Excluded",
  },
  {
    name: "its pool avoids its address",
    pools: { a: ["192.0.2.0/30"] },
    before: held("a", ["192.0.2.0"]),
    change: edits("a", { addresses: ["192.0.2.0/30"], avoidBuggyIPs: true }),
    want: "a 192.0.2.0 stranded: Avoided",
  },
  {
    name: "its pool is for other Services now",
    pools: TWO,
    before: of1,
    change: edits("a", { addresses: ["192.0.2.1"], serviceSelector: { matchLabels: { tier: "gold" } } }),
    want: "a 192.0.2.1 stranded: ServiceSelector",
  },
  {
    name: "its pool is for other namespaces now",
    pools: TWO,
    before: of1,
    change: edits("a", { addresses: ["192.0.2.1"], namespaceSelector: { matchLabels: { team: "x" } } }),
    want: "a 192.0.2.1 stranded: NamespaceSelector",
  },
  {
    name: "its labels are others now",
    pools: { a: { addresses: ["192.0.2.1"], serviceSelector: { matchLabels: { tier: "gold" } } } },
    before: { ...of1, labels: { tier: "gold" } },
    change: asks({ labels: {} }),
    want: "a 192.0.2.1 stranded: ServiceSelector",
  },
  {
    name: "its pool is for requests only now",
    pools: TWO,
    before: of1,
    change: edits("a", { addresses: ["192.0.2.1"], autoAssign: false }),
    want: "a 192.0.2.1",
  },
  {
    name: "another pool is tried first now",
    pools: TWO,
    before: of1,
    change: edits("b", { addresses: ["198.51.100.1"], priority: 9 }),
    want: "a 192.0.2.1",
  },
  {
    name: "its pool overlaps an older one now",
    pools: { a: { addresses: ["192.0.2.1"], createdAt: 2 }, b: { addresses: ["198.51.100.1"], createdAt: 1 } },
    before: of1,
    change: edits("b", { addresses: ["192.0.2.0/30"], createdAt: 1 }),
    want: "a 192.0.2.1",
  },
  {
    name: "its pool cannot be read any more, but for the entry of its address",
    pools: TWO,
    before: of1,
    change: edits("a", ["192.0.2.1", "192.0.2.1/24"]),
    want: "a 192.0.2.1",
  },
  {
    name: "its pool is being deleted",
    pools: TWO,
    before: of1,
    change: edits("a", { addresses: ["192.0.2.1"], deleting: true }),
    want: "a 192.0.2.1",
  },
  {
    name: "its pool is gone",
    pools: TWO,
    before: of1,
    change: (book) => book.removePool("a", LATER),
    want: "a 192.0.2.1 stranded: PoolGone",
  },
  {
    name: "its status is emptied",
    pools: TWO,
    before: of1,
    change: (book, before) => book.put({ ...before, status: [] }, LATER),
    want: "a 192.0.2.1",
  },
  {
    name: "its status is overwritten",
    pools: TWO,
    before: of1,
    change: (book, before) => book.put({ ...before, status: [ip("192.0.2.2")] }, LATER),
    want: "a 192.0.2.1",
  },
  {
    name: "its record is lost",
    pools: TWO,
    before: of1,
    change: (book, { record: _, ...before }) => book.put(before, LATER),
    want: "a 192.0.2.1",
  },
  {
    name: "a stranger claims its address",
    pools: TWO,
    before: of1,
    change: (book) => book.putStranger("n/x", [ip("192.0.2.1")], LATER),
    want: "a 192.0.2.1",
  },
  {
    name: "it is being deleted",
    pools: TWO,
    before: of1,
    change: asks({ deleting: true }),
    want: "a 192.0.2.1",
  },

  // The record follows the address to a pool that could give it.
  {
    name: "its pool is renamed: the new one is there, then the old one goes",
    pools: { a: ["192.0.2.1"], renamed: { addresses: ["192.0.2.0/30"], createdAt: 1 } },
    before: of1,
    change: (book) => book.removePool("a", LATER),
    want: "renamed 192.0.2.1",
  },
  {
    name: "its pool is renamed: the old one is going, and its finalizer waits for this",
    pools: { a: ["192.0.2.1"], renamed: { addresses: ["192.0.2.0/30"], createdAt: 1 } },
    before: of1,
    change: edits("a", { addresses: ["192.0.2.1"], deleting: true }),
    want: "renamed 192.0.2.1",
  },
  {
    name: "its pool is split: the part with its address comes later",
    pools: { a: ["192.0.2.2"] },
    before: of1,
    change: edits("b", ["192.0.2.1"]),
    want: "b 192.0.2.1",
  },
  {
    name: "only one of its two addresses is in the other pool",
    pools: { a: ["192.0.2.1", "2001:db8::1"] },
    before: { ...require2, ...held("a", ["192.0.2.1", "2001:db8::1"]) },
    change: (book) => {
      const told = book.putPool(pool("a", ["2001:db8::1"]), LATER);
      return [...told, ...book.putPool(pool("b", ["192.0.2.1"]), LATER)];
    },
    want: "a 192.0.2.1,2001:db8::1 stranded: OutsidePool",
  },

  // It moves where it asks for something else, and gets it.
  {
    name: "it asks for another pool",
    pools: TWO,
    before: of1,
    change: asks(request({ pool: "b" })),
    want: "b 198.51.100.1",
  },
  {
    name: "it asks for another address",
    pools: TWO,
    before: of1,
    change: asks(request({ ips: ["192.0.2.2"] })),
    want: "a 192.0.2.2",
  },
  {
    name: "it asks for another address that somebody holds",
    pools: TWO,
    before: of1,
    others: [demand("n/t", held("a", ["192.0.2.2"]))],
    change: asks(request({ ips: ["192.0.2.2"] })),
    want: "IPInUse keeps a 192.0.2.1",
  },
  {
    name: "it asks for another address that somebody holds, who goes",
    pools: TWO,
    before: of1,
    others: [demand("n/t", held("a", ["192.0.2.2"]))],
    change: (book, before) => [
      ...book.put({ ...before, ...request({ ips: ["192.0.2.2"] }) }, LATER),
      ...book.remove("n/t", LATER),
    ],
    want: "a 192.0.2.2",
  },
  {
    name: "it asks for something that cannot be read",
    pools: TWO,
    before: of1,
    change: asks({ request: { problem: { reason: "InvalidRequest", text: "write an address" } } }),
    want: "InvalidRequest keeps a 192.0.2.1",
  },
  {
    name: "it asks no more for what it got",
    pools: TWO,
    before: { ...held("b", ["198.51.100.1"]), ...request({ pool: "b" }) },
    change: asks({}),
    want: "b 198.51.100.1",
  },
  {
    name: "it asks for a pool that has its address too",
    pools: { a: { addresses: ["192.0.2.1"], createdAt: 2 }, b: ["198.51.100.1"] },
    before: of1,
    others: [demand("n/t", { ...held("b", ["198.51.100.1"]) })],
    change: (book, before) => [
      ...book.putPool(pool("b", ["198.51.100.1", "192.0.2.1"]), LATER),
      ...book.put({ ...before, ...request({ pool: "b" }) }, LATER),
    ],
    want: "b 192.0.2.1",
  },
  {
    name: "it asks for a pool and its address, which that pool has but may not give",
    pools: {
      a: { addresses: ["192.0.2.1"], createdAt: 2 },
      b: { addresses: ["192.0.2.1"], createdAt: 1, serviceSelector: { matchLabels: { tier: "gold" } } },
    },
    before: of1,
    change: asks(request({ pool: "b", ips: ["192.0.2.1"] })),
    want: "PoolNotUsable keeps a 192.0.2.1",
  },

  {
    name: "it asks for its address and one of the other family, and a pool comes that has both",
    pools: { a: { addresses: ["192.0.2.1"], createdAt: 2 } },
    before: { ...prefer2, ...of1, ...request({ ips: ["192.0.2.1", "2001:db8::1"] }) },
    change: edits("b", DUAL),
    want: "b 192.0.2.1,2001:db8::1",
  },

  // Families.
  {
    name: "it wants one family less",
    pools: { a: DUAL },
    before: { ...require2, ...held("a", ["192.0.2.1", "2001:db8::1"]) },
    change: asks({ policy: "SingleStack" }),
    want: "a 192.0.2.1",
  },
  {
    name: "it requires a second family that its pool has",
    pools: { a: DUAL },
    before: of1,
    change: asks(require2),
    want: "a 192.0.2.1,2001:db8::1",
  },
  {
    name: "it requires a second family that only another pool has",
    pools: { a: ["192.0.2.1"], b: ["192.0.2.9", "2001:db8::1"] },
    before: of1,
    change: asks(require2),
    want: "NoFittingPool keeps a 192.0.2.1",
  },
  {
    name: "it requires a second family, and its pool is gone",
    pools: { b: ["192.0.2.9", "2001:db8::1"] },
    before: of1,
    change: asks(require2),
    want: "UnknownPool keeps a 192.0.2.1 stranded: PoolGone",
  },
  {
    name: "it prefers a second family, and a better pool comes",
    pools: { a: ["192.0.2.1"] },
    before: { ...prefer2, ...of1 },
    change: edits("b", { addresses: ["192.0.2.9", "2001:db8::1"], priority: 9 }),
    want: "a 192.0.2.1",
  },
  {
    name: "it prefers a second family, and its pool grows",
    pools: { a: ["192.0.2.1"] },
    before: { ...prefer2, ...of1 },
    change: edits("a", ["192.0.2.0/30", "2001:db8::7"]),
    want: "a 192.0.2.1,2001:db8::7",
  },
  {
    name: "it prefers a second family, and its pool grows, but is for requests only",
    pools: { a: ["192.0.2.1"] },
    before: { ...prefer2, ...of1 },
    change: edits("a", { addresses: ["192.0.2.0/30", "2001:db8::7"], autoAssign: false }),
    want: "a 192.0.2.1,2001:db8::7",
  },

  // Sharing.
  {
    name: "it comes to have a port in common with one who joined before",
    pools: TWO,
    before: { ...held("a", ["192.0.2.1"], 5), ...web("TCP/80") },
    others: [demand("n/t", { ...held("a", ["192.0.2.1"], 4), ...web("TCP/81") })],
    change: asks(web("TCP/81")),
    want: "a 192.0.2.2",
    wantOthers: { "n/t": "a 192.0.2.1" },
  },
  {
    name: "it comes to have a port in common with one who joined later",
    pools: TWO,
    before: { ...held("a", ["192.0.2.1"], 3), ...web("TCP/80") },
    others: [demand("n/t", { ...held("a", ["192.0.2.1"], 4), ...web("TCP/81") })],
    change: asks(web("TCP/81")),
    want: "a 192.0.2.1",
    wantOthers: { "n/t": "a 192.0.2.2" },
  },
  {
    name: "it comes to have a port in common with one who joined at the same time, and is later by name",
    pools: TWO,
    before: { ...held("a", ["192.0.2.1"], 4), ...web("TCP/80") },
    others: [demand("m/t", { ...held("a", ["192.0.2.1"], 4), ...web("TCP/81", { namespaces: "*" }) })],
    change: asks(web("TCP/81", { namespaces: "*" })),
    want: "a 192.0.2.2",
    wantOthers: { "m/t": "a 192.0.2.1" },
  },
  {
    name: "the one that it shares with takes back its consent",
    pools: TWO,
    before: { ...held("a", ["192.0.2.1"], 5), ...web("TCP/80", { namespaces: "*" }) },
    others: [demand("m/t", { ...held("a", ["192.0.2.1"], 4), ...web("TCP/81", { namespaces: "*" }) })],
    change: (book) =>
      book.put(demand("m/t", { ...held("a", ["192.0.2.1"], 4), ...web("TCP/81", { namespaces: ["l"] }) }), LATER),
    want: "a 192.0.2.2",
    wantOthers: { "m/t": "a 192.0.2.1" },
  },
  {
    name: "it has another key now, and is alone",
    pools: TWO,
    before: { ...of1, ...web("TCP/80") },
    others: [demand("n/t", { ...held("a", ["192.0.2.2"], 4), ...sharing("other", { ports: ["TCP/81"] }) })],
    change: asks(sharing("other", { ports: ["TCP/80"] })),
    want: "a 192.0.2.1",
  },
  {
    name: "it clashes, then the change is undone",
    pools: TWO,
    before: { ...held("a", ["192.0.2.1"], 5), ...web("TCP/80") },
    others: [demand("n/t", { ...held("a", ["192.0.2.1"], 4), ...web("TCP/81") })],
    change: (book, before) => [
      ...book.put({ ...before, ...web("TCP/81") }, LATER),
      ...book.put({ ...before, ...held("a", ["192.0.2.2"], LATER), ...web("TCP/80") }, LATER),
    ],
    want: "a 192.0.2.2",
  },
  {
    name: "it clashes in one of two families",
    pools: { a: DUAL },
    before: { ...require2, ...held("a", ["192.0.2.1", "2001:db8::1"], 5), ...web("TCP/80") },
    others: [demand("n/t", { ...held("a", ["192.0.2.1"], 4), ...web("TCP/81") })],
    change: asks(web("TCP/81")),
    want: "a 192.0.2.2,2001:db8::1",
    wantOthers: { "n/t": "a 192.0.2.1" },
  },

  // reassign
  {
    name: "it is to be reassigned, and a better pool has come",
    pools: { a: ["192.0.2.1"], b: { addresses: ["198.51.100.1"], priority: 9 } },
    before: of1,
    change: asks({ reassign: true }),
    want: "b 198.51.100.1",
  },
  {
    name: "it is to be reassigned, and its own address is the best",
    pools: TWO,
    before: of1,
    others: [demand("n/t", held("a", ["192.0.2.2"]))],
    change: asks({ reassign: true }),
    want: "a 192.0.2.1",
  },
  {
    name: "it is to be reassigned, and nothing fits",
    pools: { a: { addresses: ["192.0.2.1"], disabled: true } },
    before: of1,
    change: asks({ reassign: true }),
    want: "NoFittingPool keeps a 192.0.2.1",
  },
  {
    name: "it is to be reassigned, and nothing fits before the stranger with its address goes",
    pools: { a: ["192.0.2.1"] },
    before: of1,
    strangers: { "n/x": ["192.0.2.1"] },
    change: (book, before) => [...book.put({ ...before, reassign: true }, LATER), ...book.remove("n/x", LATER)],
    want: "a 192.0.2.1",
  },
])("$name: $want", ({ pools, before, others = [], strangers, change, want, wantOthers = {} }) => {
  const service = demand("n/s", before);
  const world = book({ pools: pools ?? {}, demands: [service, ...others], ...(strangers && { strangers }) });
  const all = ["n/s", ...others.map(({ key }) => key)];
  const outcomes = () => all.map((key) => JSON.stringify(world.outcome(key), plain));
  const was = outcomes();
  const told = change(world, service);
  const is = outcomes();
  expect(brief(world.outcome("n/s"))).toBe(want);
  for (const [key, other] of Object.entries(wantOthers)) expect(brief(world.outcome(key))).toBe(other);
  for (const [at, key] of all.entries())
    if (is[at] !== undefined && was[at] !== is[at]) expect(told, `${key} is another`).toContain(key);
});

test("reassign is done once for each setting of the annotation", () => {
  const one = book({ pools: { a: ["192.0.2.1"] }, demands: [demand("n/s", of1)] });
  const isReassigned = () => {
    const outcome = one.outcome("n/s");
    return outcome?.state === "Assigned" && outcome.reassigned;
  };
  one.put(demand("n/s", { ...of1, reassign: true }), LATER);
  expect(isReassigned()).toBe(true);
  one.putPool(pool("b", { addresses: ["198.51.100.1"], priority: 9 }), LATER);
  one.put(demand("n/s", { ...of1, reassign: true }), LATER);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
  one.put(demand("n/s", of1), LATER);
  expect(isReassigned()).toBe(false);
  one.put(demand("n/s", { ...of1, reassign: true }), LATER);
  expect(brief(one.outcome("n/s"))).toBe("b 198.51.100.1");
});

test.each<{ name: string; service: Partial<Demand>; want: string }>([
  { name: "joins where its key is held", service: web("TCP/81"), want: "z 198.51.100.7" },
  { name: "takes a free address where it clashes", service: web("TCP/80"), want: "a 192.0.2.1" },
  { name: "takes a free address where its key is held by nobody", service: sharing("new"), want: "a 192.0.2.1" },
  {
    name: "takes a free address of the pool that it asks for",
    service: { ...web("TCP/81"), ...request({ pool: "a" }) },
    want: "a 192.0.2.1",
  },
  {
    name: "joins with one address and takes the other from the same pool",
    service: { ...require2, ...web("TCP/81") },
    want: "z 198.51.100.7,2001:db8::7",
  },
])("a new Service with a key $name: $want", ({ service, want }) => {
  const one = book({
    pools: { a: ["192.0.2.1-192.0.2.9", "2001:db8:1::/64"], z: ["198.51.100.0/24", "2001:db8::7"] },
    demands: [demand("n/first", { ...held("z", ["198.51.100.7"]), ...web("TCP/80") })],
  });
  one.put(demand("n/s", service), NOW);
  expect(brief(one.outcome("n/s"))).toBe(want);
});

test.each(["OutsidePool", "ServiceSelector"] as const)("stranded for %s: says with what, and counts it once", (why) => {
  const gold = { serviceSelector: { matchLabels: { tier: "gold" } } };
  const sharers = ["TCP/80", "TCP/81"].map((port, at) =>
    demand(`n/${at}`, { ...require2, ...held("a", ["192.0.2.1", "2001:db8::1"], at), ...web(port) }),
  );
  const one = book({ pools: { a: DUAL }, demands: sharers });
  one.putPool(pool("a", { addresses: ["192.0.2.9", "2001:db8::1"], ...(why === "ServiceSelector" && gold) }), NOW);
  const outcome = one.outcome("n/0");
  const stranded = outcome?.state === "Assigned" ? outcome.stranded : undefined;
  const want = why === "ServiceSelector" ? ["192.0.2.1", "2001:db8::1"] : ["192.0.2.1"];
  expect(stranded?.ips.map(formatIP)).toEqual(want);
  expect(one.report("a")).toMatchObject({ stranded: want.length, holders: 2 });
});

test("stranded with another address than before: says so", () => {
  const one = book({
    pools: { a: DUAL },
    demands: [demand("n/s", { ...require2, ...held("a", ["192.0.2.1", "2001:db8::1"]) })],
  });
  expect(one.putPool(pool("a", ["192.0.2.1"]), NOW)).toContain("n/s");
  expect(one.putPool(pool("a", ["2001:db8::1"]), NOW)).toContain("n/s");
});

test("a Service that is being deleted is left the address that its status proves when the pool comes", () => {
  const one = book({ demands: [demand("n/s", { deleting: true, status: [ip("192.0.2.1")] }), demand("n/waits")] });
  expect(brief(one.outcome("n/s"))).toBe("Leaving");
  one.putPool(pool("a", ["192.0.2.1"]), NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
  expect(brief(one.outcome("n/waits"))).toBe("PoolExhausted");
});

test("a pool and an address of another: only a pool that has it is named", () => {
  const one = book({ pools: { a: ["192.0.2.2"], b: ["192.0.2.3"] }, demands: [demand("n/s", of1)] });
  one.put(demand("n/s", { ...of1, ...request({ pool: "b", ips: ["192.0.2.1"] }) }), NOW);
  expect(one.outcome("n/s")).toMatchObject({
    verdict: { reason: "IPNotInPool", ip: ip("192.0.2.1"), pool: "b" },
  });
  expect(one.outcome("n/s")).not.toHaveProperty("verdict.actual");
});

test("a start finds one who has given up a family, and one who has got that address since", () => {
  const one = book({
    pools: { a: DUAL },
    demands: [
      demand("n/gave", { families: ["IPv6"], ...held("a", ["192.0.2.1", "2001:db8::1"], 1) }),
      demand("n/got", held("a", ["192.0.2.1"], 9)),
    ],
  });
  expect(brief(one.outcome("n/gave"))).toBe("a 2001:db8::1");
  expect(one.outcome("n/got")).toMatchObject({ state: "Assigned", assignment: record("a", ["192.0.2.1"], 9) });
});

test("who shares joins when the stranger who had the address too is gone", () => {
  const one = book({
    pools: { a: ["192.0.2.1"] },
    demands: [demand("n/first", { ...held("a", ["192.0.2.1"]), ...web("TCP/80") }), demand("n/s", web("TCP/81"))],
    strangers: { "n/x": ["192.0.2.1"] },
  });
  expect(brief(one.outcome("n/s"))).toBe("PoolExhausted");
  expect(one.remove("n/x", NOW)).toEqual(["n/s"]);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
});

test("who shares one family joins as soon as the other is free", () => {
  const one = book({
    pools: { a: ["192.0.2.1", "2001:db8::1"] },
    demands: [
      demand("n/first", { ...held("a", ["192.0.2.1"]), ...web("TCP/80") }),
      demand("n/six", { families: ["IPv6"], ...held("a", ["2001:db8::1"]) }),
      demand("n/s", { ...require2, ...web("TCP/81") }),
    ],
  });
  expect(brief(one.outcome("n/s"))).toBe("PoolExhausted");
  expect(one.remove("n/six", NOW)).toContain("n/s");
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1,2001:db8::1");
});

test("who is to be reassigned counts its own address as free when the other family comes free", () => {
  const half = { ...require2, ...held("a", ["192.0.2.1"]) };
  const one = book({
    pools: { a: ["192.0.2.1", "2001:db8::1"] },
    demands: [demand("n/six", { families: ["IPv6"], ...held("a", ["2001:db8::1"]) }), demand("n/s", half)],
  });
  one.put(demand("n/s", { ...half, reassign: true }), NOW);
  expect(brief(one.outcome("n/s"))).toBe("PoolExhausted keeps a 192.0.2.1");
  one.remove("n/six", NOW);
  expect(one.outcome("n/s")).toMatchObject({ state: "Assigned", reassigned: true });
});

test("a record alone waits for the address where only that opens the pool", () => {
  const one = book({
    pools: { a: { addresses: ["192.0.2.1"], autoAssign: false } },
    demands: [
      demand("n/holder", { createdAt: 9, ...held("a", ["192.0.2.1"], 1) }),
      demand("n/s", { record: record("a", ["192.0.2.1"]), ...request({ pool: "nope" }) }),
    ],
  });
  expect(brief(one.outcome("n/s"))).toBe("UnknownPool");
  expect(one.remove("n/holder", NOW)).toEqual(["n/s"]);
  expect(brief(one.outcome("n/s"))).toBe("UnknownPool keeps a 192.0.2.1");
});

test("a record alone is asked for as soon as its pool gives it", () => {
  const one = book({
    pools: { a: { addresses: ["192.0.2.2"], disabled: true } },
    demands: [demand("n/s", { record: record("a", ["192.0.2.2"], 3) })],
  });
  expect(brief(one.outcome("n/s"))).toBe("NoFittingPool");
  one.putPool(pool("a", ["192.0.2.1-192.0.2.2"]), NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.2");
});

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

test("an edit of how a pool is announced counts where that makes it a bad one, and a good one again", () => {
  const one = book({ pools: { a: ["192.0.2.1"] }, demands: [] });
  const announced = (communities: string[]) =>
    pool("a", {
      addresses: ["192.0.2.1"],
      announce: [{ bgp: { aggregationLength: 32, aggregationLengthV6: 128, communities } }],
    });
  one.putPool(announced(["no such"]), NOW);
  one.put(demand("n/s"), NOW);
  expect(brief(one.outcome("n/s"))).not.toBe("a 192.0.2.1");
  one.putPool(announced([]), NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
});
