import fc from "fast-check";
import type { Demand, Request, Sharing } from "../../src/ipam/demand.ts";
import { ADDRESSES, ELSEWHERE, ipOf, KEYS, NAMESPACES, POOLS, type PoolSettings, RANGES } from "./small-world.ts";

export type Labels = Readonly<Record<string, string>>;
export type Stack = Pick<Demand, "families" | "policy">;

/** What somebody does to the cluster. Plain data, so that a failing sequence can be printed, shrunk and replayed. */
export type Deed =
  | { readonly do: "nothing" }
  | {
      readonly do: "create";
      readonly key: string;
      readonly createdAt: number;
      readonly labels: Labels;
      readonly stack: Stack;
      readonly request?: Request;
      readonly sharing?: Sharing;
      /** What it comes with: from another controller, or from a backup. */
      readonly had: Had;
    }
  | { readonly do: "stack"; readonly key: string; readonly stack: Stack }
  | { readonly do: "request"; readonly key: string; readonly request?: Request }
  | { readonly do: "sharing"; readonly key: string; readonly sharing?: Sharing }
  | { readonly do: "labels"; readonly key: string; readonly labels: Labels }
  | { readonly do: "reassign" | "terminate" | "delete" | "loseRecord"; readonly key: string }
  /** Another type for a while; `written`: the controller has cleaned up meanwhile. */
  | { readonly do: "away" | "back"; readonly key: string; readonly written: boolean }
  | { readonly do: "status"; readonly key: string; readonly ips: readonly string[] }
  | { readonly do: "stranger"; readonly key: string; readonly ips: readonly string[] }
  | {
      readonly do: "pool";
      readonly name: string;
      readonly createdAt: number;
      readonly ranges: number;
      readonly settings: PoolSettings;
    }
  | { readonly do: "poolRanges"; readonly name: string; readonly ranges: number }
  | { readonly do: "poolSettings"; readonly name: string; readonly settings: PoolSettings }
  /** `force`: past the finalizer. */
  | { readonly do: "deletePool"; readonly name: string; readonly force: boolean }
  | { readonly do: "namespace"; readonly name: string; readonly labels: Labels }
  | { readonly do: "forgetNamespace"; readonly name: string }
  | { readonly do: "reapply" };

export type Step =
  | Deed
  /** The controller ends, and starts with the objects in another order. */
  | { readonly do: "restart"; readonly order: number }
  /** It ends right after a deed, with the writes to some Services (a bit each) not done; some lose their status meanwhile. */
  | {
      readonly do: "crash";
      readonly after: Deed;
      readonly unwritten: number;
      readonly emptied: number;
      readonly order: number;
    };

export interface Had {
  readonly status: readonly string[];
  readonly record?: { readonly pool: string; readonly ips: readonly string[]; readonly at: number };
}

const key = fc.constantFrom(...KEYS);
const name = fc.constantFrom(...POOLS);
const namespace = fc.constantFrom(...NAMESPACES);
const address = fc.constantFrom(...ADDRESSES);

const stack = fc.constantFrom<Stack>(
  { families: ["IPv4"], policy: "SingleStack" },
  { families: ["IPv4"], policy: "SingleStack" },
  { families: ["IPv6"], policy: "SingleStack" },
  { families: ["IPv4"], policy: "PreferDualStack" },
  { families: ["IPv4", "IPv6"], policy: "PreferDualStack" },
  { families: ["IPv6", "IPv4"], policy: "PreferDualStack" },
  { families: ["IPv4", "IPv6"], policy: "RequireDualStack" },
  { families: ["IPv6", "IPv4"], policy: "RequireDualStack" },
);

/** At most one per family. */
const pair = fc
  .array(fc.oneof({ weight: 12, arbitrary: address }, { weight: 1, arbitrary: fc.constant(ELSEWHERE) }), {
    minLength: 1,
    maxLength: 2,
  })
  .map((texts) => texts.filter((text, at) => texts.findIndex((one) => isIPv6(one) === isIPv6(text)) === at).sort());

const asked: fc.Arbitrary<Request> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(...POOLS, ...POOLS, "nope").map((pool): Request => ({ pool, ips: [] })),
  },
  { weight: 4, arbitrary: pair.map((ips): Request => ({ ips: ips.map(ipOf) })) },
  {
    weight: 2,
    arbitrary: fc.record({ pool: name, ips: pair }).map(({ pool, ips }): Request => ({ pool, ips: ips.map(ipOf) })),
  },
  fc.constantFrom<Request>(
    { problem: { reason: "InvalidRequest", text: "write an address" } },
    { problem: { reason: "ConflictingRequests", text: "remove one of the two" } },
  ),
);
const request = fc.option(asked, { nil: undefined, freq: 2 });

const shared: fc.Arbitrary<Sharing> = fc.record({
  key: fc.constantFrom("k", "k", "k", "l"),
  ports: fc.subarray(["TCP/443", "TCP/80", "UDP/53"], { minLength: 1, maxLength: 2 }),
  policy: fc.constantFrom<Sharing["policy"]>("Cluster", "Cluster", "Cluster", "Local"),
  selector: fc.constantFrom("", '[["app","web"]]', '[["app","web"]]', '[["app","dns"]]'),
  namespaces: fc.constantFrom<Sharing["namespaces"]>("*", "*", [], ["n"], ["m", "n-1"]),
});
const sharing = fc.option(shared, { nil: undefined, freq: 2 });

const labels = fc.constantFrom<Labels>({}, {}, { tier: "gold" }, { tier: "silver" });
const namespaceLabels = fc.constantFrom<Labels>({}, { team: "x" }, { team: "x" }, { team: "y" });

const had: fc.Arbitrary<Had> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Had>({ status: [] }) },
  { weight: 1, arbitrary: pair.map((status): Had => ({ status })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ pool: name, ips: pair, at: fc.nat(3), restored: fc.boolean(), other: fc.option(pair, { freq: 5 }) })
      .map(
        ({ pool, ips, at, restored, other }): Had => ({
          status: restored ? [] : (other ?? ips),
          record: { pool, ips, at },
        }),
      ),
  },
);

const TEAM_X: PoolSettings["namespaceSelector"] = { matchLabels: { team: "x" } };
const NOT_GOLD: PoolSettings["serviceSelector"] = {
  matchExpressions: [{ key: "tier", operator: "NotIn", values: ["gold"] }],
};

const settings: fc.Arbitrary<PoolSettings> = fc
  .record({
    autoAssign: fc.constantFrom(true, true, true, false),
    avoidBuggyIPs: fc.constantFrom(false, false, true),
    disabled: fc.constantFrom(false, false, false, true),
    priority: fc.constantFrom(0, 0, 1, -1),
    namespaceSelector: fc.constantFrom<PoolSettings["namespaceSelector"]>(undefined, undefined, undefined, {}, TEAM_X),
    serviceSelector: fc.constantFrom<PoolSettings["serviceSelector"]>(undefined, undefined, undefined, NOT_GOLD),
  })
  .map(({ namespaceSelector, serviceSelector, ...rest }) => ({
    ...rest,
    ...(namespaceSelector && { namespaceSelector }),
    ...(serviceSelector && { serviceSelector }),
  }));

const ranges = fc.nat(RANGES.length - 1);
/** A few moments, so that many are of the same age. */
const createdAt = fc.nat(4);
const as = <T extends string>(what: T) => fc.constant(what);

/** What a sequence has more of, so that rare things meet: anything, many who share, or many who want the same. */
interface Mood {
  readonly stack: fc.Arbitrary<Stack>;
  readonly request: fc.Arbitrary<Request | undefined>;
  readonly sharing: fc.Arbitrary<Sharing | undefined>;
  readonly settings: fc.Arbitrary<PoolSettings>;
  /** How often somebody edits the sharing of a Service, and a pool. */
  readonly often: { readonly sharing: number; readonly pools: number };
}

const alike = fc.constantFrom<Stack>(
  { families: ["IPv4"], policy: "SingleStack" },
  { families: ["IPv4"], policy: "SingleStack" },
  { families: ["IPv4", "IPv6"], policy: "PreferDualStack" },
  { families: ["IPv6", "IPv4"], policy: "RequireDualStack" },
);
const rareRequest = fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: asked });
const willing = fc.record<Sharing>({
  key: fc.constant("k"),
  ports: fc.constantFrom(["TCP/443"], ["TCP/80"], ["UDP/53"], ["TCP/80", "UDP/53"]),
  policy: fc.constant("Cluster"),
  selector: fc.constant(""),
  namespaces: fc.constant("*"),
});
const calm = fc.oneof(
  {
    weight: 3,
    arbitrary: settings.map((all) => ({ ...all, disabled: false, autoAssign: true, avoidBuggyIPs: false })),
  },
  { weight: 1, arbitrary: settings },
);

const MOODS: readonly Mood[] = [
  { stack, request, sharing, settings, often: { sharing: 8, pools: 6 } },
  {
    stack: alike,
    request: rareRequest,
    sharing: fc.oneof({ weight: 6, arbitrary: willing }, { weight: 1, arbitrary: sharing }),
    settings: calm,
    often: { sharing: 16, pools: 2 },
  },
  {
    stack: alike,
    request: rareRequest,
    sharing: fc.constant(undefined),
    settings: calm,
    often: { sharing: 1, pools: 2 },
  },
];

function deedsOf({ stack, request, sharing, settings, often }: Mood): fc.Arbitrary<Deed> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 1, arbitrary: fc.constant<Deed>({ do: "nothing" }) },
    {
      weight: 22,
      arbitrary: fc.record({ do: as("create"), key, createdAt, labels, stack, request, sharing, had }).map(
        ({ request, sharing, ...rest }): Deed => ({
          ...rest,
          ...(request && { request }),
          ...(sharing && { sharing }),
        }),
      ),
    },
    { weight: 6, arbitrary: fc.record({ do: as("delete"), key }) },
    { weight: 4, arbitrary: fc.record({ do: as("stack"), key, stack }) },
    {
      weight: 8,
      arbitrary: fc
        .record({ do: as("request"), key, request })
        .map(({ request, ...rest }): Deed => ({ ...rest, ...(request && { request }) })),
    },
    {
      weight: often.sharing,
      arbitrary: fc
        .record({ do: as("sharing"), key, sharing })
        .map(({ sharing, ...rest }): Deed => ({ ...rest, ...(sharing && { sharing }) })),
    },
    { weight: 2, arbitrary: fc.record({ do: as("labels"), key, labels }) },
    { weight: 4, arbitrary: fc.record({ do: as("reassign"), key }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("terminate" as const, "loseRecord" as const), key }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom("away" as const, "back" as const), key, written: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ do: as("status"), key, ips: fc.oneof(fc.constant([]), pair) }) },
    { weight: 3, arbitrary: fc.record({ do: as("stranger"), key, ips: pair }) },
    { weight: 2 * often.pools, arbitrary: fc.record({ do: as("pool"), name, createdAt, ranges, settings }) },
    { weight: often.pools, arbitrary: fc.record({ do: as("poolRanges"), name, ranges }) },
    { weight: often.pools, arbitrary: fc.record({ do: as("poolSettings"), name, settings }) },
    { weight: often.pools, arbitrary: fc.record({ do: as("deletePool"), name, force }) },
    { weight: 4, arbitrary: fc.record({ do: as("namespace"), name: namespace, labels: namespaceLabels }) },
    { weight: 1, arbitrary: fc.record({ do: as("forgetNamespace"), name: namespace }) },
    { weight: 2, arbitrary: fc.constant<Deed>({ do: "reapply" }) },
  );
}

const force = fc.constantFrom(false, false, true);
const bits = fc.nat(2 ** KEYS.length - 1);
const order = fc.nat(99);

function stepsOf(mood: Mood): fc.Arbitrary<Step> {
  const after = deedsOf(mood);
  const emptied = fc.oneof(fc.constant(0), bits);
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 12, arbitrary: after },
    { weight: 1, arbitrary: fc.record({ do: as("restart"), order }) },
    { weight: 1, arbitrary: fc.record({ do: as("crash"), after, unwritten: bits, emptied, order }) },
  );
}

/** Sequences of so many steps; a failing one shrinks by putting "nothing" in the place of what does not matter. */
export function sequences(length: number): fc.Arbitrary<readonly Step[]> {
  return fc.oneof(...MOODS.map((mood) => fc.array(stepsOf(mood), { minLength: length, maxLength: length })));
}

function isIPv6(text: string): boolean {
  return text.includes(":");
}
