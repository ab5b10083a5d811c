import fc from "fast-check";
import { expect, test } from "vitest";
import type { IPPool, IPPoolStatus } from "../api/ippool.ts";
import type { PoolReport } from "../ipam/address-book.ts";
import { ipPools } from "../kube/herald-resources.ts";
import { poolEvents } from "./pool-events.ts";
import { finalizerPatch } from "./pool-finalizers.ts";
import { poolPatch } from "./pool-patch.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");

function object(status: unknown = {}): IPPool {
  return ipPools.keep({ metadata: { name: "p", generation: 3 }, spec: { addresses: ["192.0.2.0/30"] }, status });
}

const none = { total: 0, assigned: 0, available: 0 };
const valid: PoolReport = {
  state: { state: "Valid" },
  ipv4: { total: 4, assigned: 1, available: 3 },
  ipv6: none,
  stranded: 0,
  holders: 1,
};

/** The conditions that a report comes to, as "Type=Status Reason". */
function conditions(report: PoolReport): string[] {
  const all = poolPatch(object(), report, NOW)?.status.conditions ?? [];
  return all.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

function message(report: PoolReport, type: string): string | undefined {
  return poolPatch(object(), report, NOW)?.status.conditions?.find((one) => one.type === type)?.message;
}

test("a new pool gets its counts and all four conditions, and then nothing more", () => {
  const patch = poolPatch(object(), valid, NOW);
  const at = { observedGeneration: 3, lastTransitionTime: "2026-01-02T03:04:05Z" };
  expect(patch).toEqual({
    status: {
      ipv4: { total: 4, assigned: 1, available: 3 },
      ipv6: none,
      stranded: 0,
      conditions: [
        { type: "Ready", status: "True", reason: "Valid", message: "addresses are given out", ...at },
        {
          type: "Overlapping",
          status: "False",
          reason: "NoOverlap",
          message: "no other pool keeps this one from giving out addresses",
          ...at,
        },
        { type: "Exhausted", status: "False", reason: "AddressesAvailable", message: "addresses are left", ...at },
        {
          type: "Stranded",
          status: "False",
          reason: "NoneStranded",
          message: "Services hold only what the pool would give them",
          ...at,
        },
      ],
    },
  });
  expect(poolPatch(object(patch?.status), valid, NOW + 5000)).toBeUndefined();
});

test.each<{ name: string; report: Partial<PoolReport>; want: string[]; say: Record<string, string> }>([
  {
    name: "with a bad entry",
    report: { state: { state: "Invalid", problem: 'spec.addresses[0] "x" is wrong' } },
    want: [
      "Ready=False InvalidSpec",
      "Overlapping=False NoOverlap",
      "Exhausted=False NotReady",
      "Stranded=False NoneStranded",
    ],
    say: { Ready: 'spec.addresses[0] "x" is wrong' },
  },
  {
    name: "that overlaps an older one",
    report: { state: { state: "Overlapping", with: "old", ips: "192.0.2.1-192.0.2.2" } },
    want: [
      "Ready=False Overlapping",
      "Overlapping=True Overlapping",
      "Exhausted=False NotReady",
      "Stranded=False NoneStranded",
    ],
    say: {
      Overlapping:
        'has 192.0.2.1-192.0.2.2 in common with pool "old", which is older: nothing is given out; take these addresses out of one of the two',
    },
  },
  {
    name: "that is disabled",
    report: { state: { state: "Disabled" } },
    want: [
      "Ready=False Disabled",
      "Overlapping=False NoOverlap",
      "Exhausted=False NotReady",
      "Stranded=False NoneStranded",
    ],
    say: {},
  },
  {
    name: "that is being deleted",
    report: { state: { state: "Terminating" }, holders: 2 },
    want: [
      "Ready=False Terminating",
      "Overlapping=False NoOverlap",
      "Exhausted=False NotReady",
      "Stranded=False NoneStranded",
    ],
    say: {
      Ready:
        "is being deleted: nothing new is given out, and it goes when the last Service (of 2 now) has let go of its addresses",
    },
  },
  {
    name: "that is full in one family",
    report: { ipv6: { total: 2, assigned: 2, available: 0 } },
    want: [
      "Ready=True Valid",
      "Overlapping=False NoOverlap",
      "Exhausted=True Exhausted",
      "Stranded=False NoneStranded",
    ],
    say: { Exhausted: "no IPv6 address is left; add addresses, or delete a Service that holds one" },
  },
  {
    name: "that is full in both",
    report: { ipv4: { total: 1, assigned: 1, available: 0 }, ipv6: { total: 1, assigned: 0, available: 0 } },
    want: [
      "Ready=True Valid",
      "Overlapping=False NoOverlap",
      "Exhausted=True Exhausted",
      "Stranded=False NoneStranded",
    ],
    say: { Exhausted: "no IPv4 and no IPv6 address is left; add addresses, or delete a Service that holds one" },
  },
  {
    name: "with stranded holders",
    report: { stranded: 1 },
    want: [
      "Ready=True Valid",
      "Overlapping=False NoOverlap",
      "Exhausted=False AddressesAvailable",
      "Stranded=True Stranded",
    ],
    say: {
      Stranded:
        "1 address is held by Services that the pool would not give it to any more; their condition heraldlb.io/Stranded says why",
    },
  },
])("a pool $name says so", ({ report, want, say }) => {
  expect(conditions({ ...valid, ...report })).toEqual(want);
  for (const [type, text] of Object.entries(say)) expect(message({ ...valid, ...report }, type)).toBe(text);
});

test("what somebody else writes into the status is put right, and their own conditions stay", () => {
  const theirs = {
    type: "example.com/Audited",
    status: "True",
    reason: "Fine",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  const usage = fc.record({ total: fc.nat(), assigned: fc.nat(), available: fc.nat() });
  const condition = fc.record({
    type: fc.constantFrom("Ready", "Overlapping", "Exhausted", "Stranded", "Other"),
    status: fc.constantFrom("True", "False", "Unknown"),
    reason: fc.string(),
    message: fc.string(),
    lastTransitionTime: fc.constantFrom("", "2026-01-01T00:00:00Z"),
    observedGeneration: fc.nat(5),
  });
  const status = fc.record(
    {
      ipv4: usage,
      ipv6: usage,
      stranded: fc.nat(),
      conditions: fc.uniqueArray(condition, { selector: ({ type }) => type }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(status, (written) => {
      const raw = { ...written, conditions: [theirs, ...(written.conditions ?? [])] };
      const patch = poolPatch(object(raw), valid, NOW);
      const after = object({ ...raw, ...patch?.status });
      expect(poolPatch(after, valid, NOW + 5000)).toBeUndefined();
      expect(after.status).toMatchObject({ ipv4: valid.ipv4, ipv6: none, stranded: 0 });
      expect(after.status.conditions).toContainEqual(theirs);
      for (const one of written.conditions ?? [])
        if (one.type === "Other") expect(after.status.conditions).toContainEqual(one);
    }),
  );
});

test("a condition that turns has the time of its turn; a text that changes alone has not", () => {
  const first = object(poolPatch(object(), valid, NOW)?.status);
  const turned = poolPatch(first, { ...valid, state: { state: "Disabled" } }, NOW + 60_000)?.status.conditions;
  expect(turned?.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
    "2026-01-02T03:05:05Z",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05Z",
  ]);
});

test.each([
  {
    name: "set beside others'",
    finalizers: ["a/b"],
    wanted: true,
    deleting: false,
    want: ["a/b", "heraldlb.io/in-use"],
  },
  { name: "left set", finalizers: ["heraldlb.io/in-use", "a/b"], wanted: true, deleting: true, want: undefined },
  { name: "not set on what is being deleted", finalizers: [], wanted: true, deleting: true, want: undefined },
  {
    name: "taken off, and others' stay",
    finalizers: ["a/b", "heraldlb.io/in-use"],
    wanted: false,
    deleting: true,
    want: ["a/b"],
  },
  { name: "not looked for where it is not", finalizers: ["a/b"], wanted: false, deleting: false, want: undefined },
])("the finalizer is $name", ({ finalizers, wanted, deleting, want }) => {
  expect(finalizerPatch(finalizers, wanted, deleting)?.metadata.finalizers).toEqual(want);
});

const statusOf = (report: Partial<PoolReport>): IPPoolStatus =>
  poolPatch(object(), { ...valid, ...report }, NOW)?.status ?? {};

test.each<{ name: string; from: IPPoolStatus; to: IPPoolStatus; want: string[] }>([
  { name: "comes", from: {}, to: statusOf({}), want: [] },
  {
    name: "comes bad",
    from: {},
    to: statusOf({ state: { state: "Overlapping", with: "o", ips: "x" } }),
    want: ["Warning Overlapping"],
  },
  {
    name: "is disabled",
    from: statusOf({}),
    to: statusOf({ state: { state: "Disabled" } }),
    want: ["Normal Disabled"],
  },
  { name: "is good again", from: statusOf({ state: { state: "Disabled" } }), to: statusOf({}), want: ["Normal Ready"] },
  {
    name: "gets full",
    from: statusOf({}),
    to: statusOf({ ipv4: { total: 4, assigned: 4, available: 0 } }),
    want: ["Warning Exhausted"],
  },
  { name: "strands a holder", from: statusOf({}), to: statusOf({ stranded: 1 }), want: ["Warning Stranded"] },
  { name: "strands one more", from: statusOf({ stranded: 1 }), to: statusOf({ stranded: 2 }), want: [] },
  {
    name: "loses a holder while it is deleted",
    from: statusOf({ state: { state: "Terminating" }, holders: 2 }),
    to: statusOf({ state: { state: "Terminating" }, holders: 1 }),
    want: [],
  },
])("a pool that $name makes the events $want", ({ from, to, want }) => {
  expect(poolEvents(from, to).map(({ type, reason }) => `${type} ${reason}`)).toEqual(want);
});
