import fc from "fast-check";
import { expect, test } from "vitest";
import type { IPFamily } from "../api/objects.ts";
import { AddressBook, type Outcome } from "./address-book.ts";
import { formatIP, type IP, parseIP } from "./addresses.ts";
import type { Assignment, Demand } from "./demand.ts";

const NOW = 1_000_000;

function ip(text: string): IP {
  const parsed = parseIP(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

function pool(addresses: string[], autoAssign = true) {
  return { addresses, autoAssign, announce: [] };
}

function demand(key: string, more: Partial<Demand> = {}): Demand {
  return { key, createdAt: 0, families: ["IPv4"], policy: "SingleStack", deleting: false, status: [], ...more };
}

function record(pool: string, ips: string[], at = 0): Assignment {
  return { pool, ips: ips.map(ip), at };
}

interface World {
  readonly pools?: Record<string, string[] | ReturnType<typeof pool>>;
  readonly demands?: Demand[];
  readonly strangers?: Record<string, string[]>;
}

function book({ pools = {}, demands = [], strangers = {} }: World): AddressBook {
  return new AddressBook(
    {
      pools: Object.entries(pools).map(([name, spec]) => ({ name, spec: Array.isArray(spec) ? pool(spec) : spec })),
      demands,
      strangers: Object.entries(strangers).map(([key, ips]) => ({ key, ips: ips.map(ip) })),
    },
    NOW,
  );
}

/** "a 192.0.2.1,2001:db8::1" for an assignment, "PoolExhausted" or "PoolExhausted keeps a 192.0.2.1" for a wait. */
function brief(outcome: Outcome | undefined): string {
  const of = ({ pool, ips }: Assignment) => `${pool} ${ips.map(formatIP).join()}`;
  if (outcome?.state === "Assigned") return of(outcome.assignment);
  if (outcome?.state === "Waiting")
    return `${outcome.verdict.reason}${outcome.keeps ? ` keeps ${of(outcome.keeps)}` : ""}`;
  return outcome?.state ?? "unknown";
}

const DUAL = ["192.0.2.1-192.0.2.2", "2001:db8::1-2001:db8::2"];
const both: readonly IPFamily[] = ["IPv4", "IPv6"];

test.each<{ name: string; world: World; want: string }>([
  { name: "no pool", world: {}, want: "NoPool" },
  { name: "the lowest address", world: { pools: { a: ["192.0.2.0/28"] } }, want: "a 192.0.2.0" },
  { name: "entries in their order", world: { pools: { a: ["192.0.2.9", "192.0.2.1"] } }, want: "a 192.0.2.9" },
  { name: "pools by name", world: { pools: { b: ["192.0.2.1"], a: ["192.0.2.2"] } }, want: "a 192.0.2.2" },
  {
    name: "a pool that is for requests only",
    world: { pools: { a: pool(["192.0.2.1"], false) } },
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

test.each<{
  name: string;
  pools: Record<string, string[]>;
  policy: Demand["policy"];
  families?: readonly IPFamily[];
  want: string;
}>([
  {
    name: "both from one pool",
    pools: { a: ["192.0.2.1"], b: DUAL },
    policy: "RequireDualStack",
    want: "b 192.0.2.1,2001:db8::1",
  },
  {
    name: "required, but no pool gives both",
    pools: { a: ["192.0.2.1"], b: ["2001:db8::1"] },
    policy: "RequireDualStack",
    want: "NoFittingPool",
  },
  {
    name: "preferred, from a later pool",
    pools: { a: ["192.0.2.1"], b: DUAL },
    policy: "PreferDualStack",
    want: "b 192.0.2.1,2001:db8::1",
  },
  {
    name: "preferred, but no pool gives both",
    pools: { a: ["2001:db8::1"], b: ["192.0.2.1"] },
    policy: "PreferDualStack",
    want: "b 192.0.2.1",
  },
  {
    name: "preferred, IPv6 first",
    pools: { a: ["192.0.2.1"], b: ["2001:db8::1"] },
    policy: "PreferDualStack",
    families: ["IPv6", "IPv4"],
    want: "b 2001:db8::1",
  },
  {
    name: "preferred, only the other family there",
    pools: { a: ["2001:db8::1"] },
    policy: "PreferDualStack",
    want: "a 2001:db8::1",
  },
  {
    name: "preferred on a single-stack cluster",
    pools: { a: DUAL },
    policy: "PreferDualStack",
    families: ["IPv4"],
    want: "a 192.0.2.1",
  },
  { name: "single", pools: { a: DUAL }, policy: "SingleStack", families: ["IPv6"], want: "a 2001:db8::1" },
])("dual stack, $name: $want", ({ pools, policy, families = both, want }) => {
  expect(brief(book({ pools, demands: [demand("n/s", { policy, families })] }).outcome("n/s"))).toBe(want);
});

/** `other` is a Service without an address, and older: it gets the lowest address that is left. */
test.each<{ name: string; demands: Demand[]; pools?: Record<string, string[]>; want: Record<string, string> }>([
  {
    name: "a record and a status keep the address",
    demands: [demand("n/s", { createdAt: 5, status: [ip("192.0.2.1")], record: record("a", ["192.0.2.1"]) })],
    want: { "n/s": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "an address outside its pool stays",
    demands: [demand("n/s", { status: [ip("203.0.113.1")], record: record("gone", ["203.0.113.1"]) })],
    want: { "n/s": "gone 203.0.113.1", "n/other": "a 192.0.2.1" },
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
    name: "a record alone yields to a holder",
    demands: [
      demand("n/s", { createdAt: 5, record: record("a", ["192.0.2.1"], 1) }),
      demand("n/holder", { createdAt: 9, status: [ip("192.0.2.1")], record: record("a", ["192.0.2.1"], 2) }),
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
      demand("n/late", { createdAt: 5, status: [ip("192.0.2.1")], record: record("a", ["192.0.2.1"], 2) }),
      demand("n/early", { createdAt: 9, status: [ip("192.0.2.1")], record: record("a", ["192.0.2.1"], 1) }),
    ],
    pools: { a: ["192.0.2.1-192.0.2.3"] },
    want: { "n/early": "a 192.0.2.1", "n/other": "a 192.0.2.2", "n/late": "a 192.0.2.3" },
  },
  {
    name: "what is being deleted keeps its address",
    demands: [demand("n/s", { deleting: true, status: [ip("192.0.2.1")], record: record("a", ["192.0.2.1"]) })],
    want: { "n/s": "a 192.0.2.1", "n/other": "a 192.0.2.2" },
  },
  {
    name: "what is being deleted gets nothing",
    demands: [demand("n/s", { deleting: true })],
    want: { "n/s": "Leaving", "n/other": "a 192.0.2.1" },
  },
])("at a start, $name", ({ demands, pools = { a: ["192.0.2.1-192.0.2.2"] }, want }) => {
  const started = book({ pools, demands: [demand("n/other", { createdAt: 1 }), ...demands] });
  const got = Object.fromEntries(Object.keys(want).map((key) => [key, brief(started.outcome(key))]));
  expect(got).toEqual(want);
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

test("a new pool serves the oldest, and the rest hear that it was tried", () => {
  const one = book({ demands: ["c", "b", "a"].map((name, at) => demand(`n/${name}`, { createdAt: at })) });
  expect(one.putPool("p", pool(["192.0.2.1-192.0.2.2"]), NOW)).toEqual(["n/c", "n/b", "n/a"]);
  expect(["n/c", "n/b", "n/a"].map((key) => brief(one.outcome(key)))).toEqual([
    "p 192.0.2.1",
    "p 192.0.2.2",
    "PoolExhausted",
  ]);
});

test("neither a narrowed nor a deleted pool moves a holder", () => {
  const one = book({ pools: { a: ["192.0.2.1-192.0.2.2"] }, demands: [demand("n/s")] });
  expect(one.putPool("a", pool(["192.0.2.2"]), NOW)).toEqual([]);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
  one.removePool("a", NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
});

test("a PreferDualStack Service gains the other family when its pool grows, and keeps the first", () => {
  const one = book({
    pools: { a: ["192.0.2.1"] },
    demands: [demand("n/s", { policy: "PreferDualStack", families: both })],
  });
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
  one.putPool("b", pool(DUAL), NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
  expect(one.putPool("a", pool(["192.0.2.0/24", "2001:db8::1"]), NOW)).toEqual(["n/s"]);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1,2001:db8::1");
});

test("a Service that now requires both keeps the one while it waits for the other", () => {
  const one = book({ pools: { a: ["192.0.2.1"], b: DUAL }, demands: [demand("n/s")] });
  one.put(demand("n/s", { policy: "RequireDualStack", families: both }), NOW);
  expect(brief(one.outcome("n/s"))).toBe("NoFittingPool keeps a 192.0.2.1");
  one.put(demand("n/s"), NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
});

test("a Service that no longer wants a family gives it back", () => {
  const wants = (policy: Demand["policy"]) => demand("n/s", { policy, families: both });
  const one = book({ pools: { a: DUAL }, demands: [wants("RequireDualStack")] });
  one.put(wants("SingleStack"), NOW);
  expect(brief(one.outcome("n/s"))).toBe("a 192.0.2.1");
  expect(one.pools.map((pool) => pool.usage("IPv6"))).toEqual([{ total: 2, assigned: 0, available: 2 }]);
});

test("usage counts holders as assigned and strangers as neither", () => {
  const one = book({
    pools: { a: ["192.0.2.0/29"] },
    demands: [demand("n/s"), demand("n/t")],
    strangers: { x: ["192.0.2.7"] },
  });
  expect(one.pools.map((pool) => pool.usage("IPv4"))).toEqual([{ total: 8, assigned: 2, available: 5 }]);
  const wide = book({ pools: { a: ["::/0"] }, demands: [demand("n/s", { families: ["IPv6"] })] });
  expect(wide.pools.map((pool) => pool.usage("IPv6"))).toEqual([
    { total: Number.MAX_SAFE_INTEGER, assigned: 1, available: Number.MAX_SAFE_INTEGER - 1 },
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
  const told = all.putPool("p", pool(["192.0.2.0/30"]), NOW);
  expect([...told].sort()).toEqual(["n/forged", "n/older", "n/record", "n/status"]);
  expect(["n/status", "n/record", "n/older", "n/forged"].map((key) => brief(all.outcome(key)))).toEqual([
    "p 192.0.2.0",
    "p 192.0.2.1",
    "p 192.0.2.2",
    "p 192.0.2.3",
  ]);
});

// A cluster as its API server has it, under random edits, with the book beside it.

const KEYS = ["n/a", "n/b", "n-1/a", "m/c", "m/d"];
const POOLS: Record<string, readonly string[][]> = {
  p: [["192.0.2.0/30"], ["192.0.2.1"], ["192.0.2.1/30"], ["2001:db8::/127", "192.0.2.2-192.0.2.3"]],
  q: [["192.0.2.2-192.0.2.5"], ["2001:db8::1"], ["192.0.2.8", "2001:db8::8"]],
};

type Step =
  | {
      readonly do: "put";
      readonly key: string;
      readonly createdAt: number;
      readonly families: readonly IPFamily[];
      readonly policy: Demand["policy"];
      /** What its status says when it is new: somebody else's assignment. */
      readonly had: readonly string[];
    }
  | { readonly do: "remove" | "overwrite"; readonly key: string }
  | { readonly do: "stranger"; readonly key: string; readonly ips: readonly string[] }
  | { readonly do: "pool"; readonly name: string; readonly version: number; readonly autoAssign: boolean }
  | { readonly do: "removePool"; readonly name: string }
  | { readonly do: "restart"; readonly seed: number };

const key = fc.constantFrom(...KEYS);
const families = fc.constantFrom<readonly IPFamily[]>(["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]);
const policy = fc.constantFrom<Demand["policy"]>("SingleStack", "PreferDualStack", "RequireDualStack");
const name = fc.constantFrom("p", "q");
const had = fc.oneof(fc.constant([]), fc.subarray(["192.0.2.3", "2001:db8::1"]));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("put" as const), key, createdAt: fc.nat(3), families, policy, had }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("remove" as const, "overwrite" as const), key }) },
  fc.record({ do: fc.constant("stranger" as const), key, ips: fc.subarray(["192.0.2.1", "192.0.2.3", "2001:db8::1"]) }),
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pool" as const), name, version: fc.nat(3), autoAssign: fc.boolean() }),
  },
  fc.record({ do: fc.constant("removePool" as const), name }),
  fc.record({ do: fc.constant("restart" as const), seed: fc.nat() }),
);

/** The API server's objects, and what a converged controller has written on them. */
class Cluster {
  readonly demands = new Map<string, Demand>();
  readonly strangers = new Map<string, readonly IP[]>();
  readonly pools = new Map<string, ReturnType<typeof pool>>();
  book = this.restarted(0);

  restarted(seed: number): AddressBook {
    const shuffled = <T>(all: Iterable<T>) =>
      [...all]
        .map((one, at) => ({ one, at: (at * 7919 + seed) % 101 }))
        .sort((a, b) => a.at - b.at)
        .map(({ one }) => one);
    return new AddressBook(
      {
        pools: shuffled(this.pools).map(([name, spec]) => ({ name, spec })),
        demands: shuffled(this.demands.values()),
        strangers: shuffled(this.strangers).map(([key, ips]) => ({ key, ips })),
      },
      NOW,
    );
  }

  /** Does a step, and gives the keys whose outcome the book says may have changed. */
  apply(step: Step): readonly string[] {
    switch (step.do) {
      case "put": {
        const known = this.demands.get(step.key);
        // The first family of a Service can't be changed while it is of type LoadBalancer.
        const first = known?.families[0] ?? step.families[0] ?? "IPv4";
        const families = [first, ...step.families.filter((family) => family !== first)];
        const made = { createdAt: step.createdAt, status: step.had.map(ip) };
        const now = demand(step.key, { ...made, ...known, families, policy: step.policy });
        this.strangers.delete(step.key);
        this.demands.set(step.key, now);
        return this.book.put(now, NOW);
      }
      case "overwrite": {
        const known = this.demands.get(step.key);
        return known ? this.book.put({ ...known, status: [] }, NOW) : [];
      }
      case "stranger": {
        const ips = step.ips.map(ip);
        this.demands.delete(step.key);
        this.strangers.set(step.key, ips);
        return this.book.putStranger(step.key, ips, NOW);
      }
      case "remove":
        this.demands.delete(step.key);
        this.strangers.delete(step.key);
        return this.book.remove(step.key, NOW);
      case "pool": {
        const spec = pool([...(POOLS[step.name]?.[step.version] ?? ["192.0.2.0/31"])], step.autoAssign);
        this.pools.set(step.name, spec);
        return this.book.putPool(step.name, spec, NOW);
      }
      case "removePool":
        this.pools.delete(step.name);
        return this.book.removePool(step.name, NOW);
      case "restart":
        this.book = this.restarted(step.seed);
        return [];
    }
  }

  /** Writes the outcomes, as the controller does. */
  write(): void {
    for (const [key, demand] of this.demands) {
      const held = heldBy(this.book.outcome(key));
      const { record: _, ...rest } = demand;
      const others = demand.status.filter((ip) => !this.book.contains(ip));
      this.demands.set(key, { ...rest, status: held?.ips ?? others, ...(held && { record: held }) });
    }
  }

  heldByAnybody(): readonly string[] {
    return [...this.outcomes().values()].flatMap((outcome) => heldBy(outcome)?.ips.map(formatIP) ?? []);
  }

  outcomes(): Map<string, Outcome> {
    const found = KEYS.map((key) => [key, this.book.outcome(key)] as const);
    return new Map(found.flatMap(([key, outcome]) => (outcome ? [[key, outcome] as const] : [])));
  }
}

function heldBy(outcome: Outcome | undefined): Assignment | undefined {
  if (outcome?.state === "Assigned") return outcome.assignment;
  return outcome?.state === "Waiting" ? outcome.keeps : undefined;
}

test("under random edits and restarts the address contract holds", () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const cluster = new Cluster();
      for (const step of steps) {
        const before = cluster.outcomes();
        const told = new Set(cluster.apply(step));
        const after = cluster.outcomes();
        for (const key of KEYS) checkContract(cluster, key, before.get(key), after.get(key), told.has(key));
        checkDistinct(after, cluster);
        checkUsage(cluster, after);
        cluster.write();
        for (const demand of cluster.demands.values()) cluster.book.put(demand, NOW);
        expect(cluster.outcomes(), "a second reconcile changed something").toEqual(after);
      }
    }),
    { numRuns: 300 },
  ));

function checkContract(
  cluster: Cluster,
  key: string,
  before: Outcome | undefined,
  after: Outcome | undefined,
  told: boolean,
): void {
  if (JSON.stringify(plain(before)) !== JSON.stringify(plain(after)) && after)
    expect(told, `${key} was not told`).toBe(true);
  const wanted = cluster.demands.get(key);
  if (wanted === undefined) {
    expect(after).toBeUndefined();
    return;
  }
  const families = wanted.policy === "SingleStack" ? wanted.families.slice(0, 1) : wanted.families;
  if (families.length === 1 && heldBy(before) === undefined) {
    const shown = wanted.status.filter((ip) => families.includes(ip.family) && cluster.book.contains(ip));
    const held = cluster.heldByAnybody();
    for (const ip of shown) expect(held, `${key} was not left the address that it came with`).toContain(formatIP(ip));
  }
  const kept = (heldBy(before)?.ips ?? []).filter(({ family }) => families.includes(family));
  const holds = heldBy(after)?.ips ?? [];
  for (const { family } of holds) expect(families, `${key} holds what it does not want`).toContain(family);
  if (before) expect(holds.map(formatIP), `${key} lost an address`).toEqual(expect.arrayContaining(kept.map(formatIP)));
  if (after?.state === "Waiting" && after.keeps === undefined) {
    const fitting = cluster.book.pools.filter((pool) => pool.autoAssign);
    const gives = (family: IPFamily) => fitting.filter((pool) => pool.lowestFree(family) !== undefined);
    const [first, second] = families;
    const some = first === undefined ? [] : gives(first);
    const all = second === undefined ? some : some.filter((pool) => gives(second).includes(pool));
    expect(all, `${key} waits while an address is free`).toEqual([]);
    if (wanted.policy === "PreferDualStack") expect(families.flatMap(gives)).toEqual([]);
  }
}

function checkDistinct(outcomes: ReadonlyMap<string, Outcome>, cluster: Cluster): void {
  const all = [...outcomes.values()].flatMap((outcome) => heldBy(outcome)?.ips.map(formatIP) ?? []);
  expect(new Set(all).size, "an address has two holders").toBe(all.length);
  for (const pool of cluster.book.pools)
    for (const family of both) {
      const free = pool.lowestFree(family);
      if (free) expect(all, "a held address is free").not.toContain(formatIP(free));
    }
}

function checkUsage(cluster: Cluster, outcomes: ReadonlyMap<string, Outcome>): void {
  const held = [...outcomes.values()].flatMap((outcome) => heldBy(outcome)?.ips ?? []);
  const strange = [...cluster.strangers.values()].flat();
  for (const pool of cluster.book.pools)
    for (const family of both) {
      const { total, assigned, available } = pool.usage(family);
      const within = (ips: readonly IP[]) =>
        new Set(ips.filter((ip) => ip.family === family && pool.contains(ip)).map(formatIP));
      expect(assigned).toBe(within(held).size);
      expect(available).toBe(total - within([...held, ...strange]).size);
    }
}

function plain(outcome: Outcome | undefined): unknown {
  if (outcome?.state === "Waiting") return { verdict: outcome.verdict, keeps: brief(outcome) };
  return brief(outcome);
}
