import { expect, test } from "vitest";
import type { Candidates } from "../election/candidates.ts";
import { saysTheSame } from "../kube/conditions.ts";
import { type AnnouncementView, announcement, type IPIntent, writerOf } from "./announcement.ts";
import type { AnnouncedByBGP } from "./bgp/announced-by-bgp.ts";
import type { Claimant } from "./claimants.ts";
import type { LeanService } from "./lean-services.ts";
import type { Presence } from "./presence.ts";

const NOW = Date.parse("2026-01-02T03:04:05.678Z");
const [V4, V6] = ["192.0.2.1", "2001:db8::1"];

function service(ips: readonly string[], message?: string): LeanService {
  return {
    meta: { namespace: "default", name: "web", uid: "u", resourceVersion: "1" },
    isLoadBalancer: true,
    externalTrafficPolicy: "Cluster",
    ips,
    assignedPool: undefined,
    announced: message === undefined ? undefined : { status: "True", reason: "Layer2", message },
  };
}

const claimant = (node: string, more: Partial<Claimant> = {}): Claimant => ({
  node,
  interface: "eth0",
  mac: `02:00:00:00:00:0${node.slice(1)}`,
  epoch: 1n,
  announces: true,
  subnets: [],
  ...more,
});
const may = (candidates: Partial<Candidates> & { nodes?: string[] }): IPIntent => ({
  what: "Announced",
  candidates: {
    candidates: (candidates.nodes ?? []).map((node) => ({ node, score: 0 })),
    excluded: candidates.excluded ?? [],
    ...(candidates.reason && { reason: candidates.reason }),
  },
});
interface Known {
  readonly claimants?: Readonly<Record<string, readonly Claimant[]>>;
  readonly intents?: Readonly<Record<string, IPIntent>>;
  readonly presence?: Readonly<Record<string, Presence>>;
  readonly self?: string;
  readonly bgp?: Readonly<Record<string, AnnouncedByBGP>>;
}
function view({ claimants = {}, intents = {}, presence = {}, self = "n1", bgp = {} }: Known): AnnouncementView {
  const known = { [V4]: may({ nodes: ["n1", "n2"] }), [V6]: may({ nodes: ["n1", "n2"] }), ...intents };
  return {
    self,
    speakers: ["n1", "n2", "n3"],
    presence: (node) => presence[node] ?? "Speaking",
    claimantsOf: (ip) => claimants[ip] ?? [],
    bgp: (ip) => bgp[ip],
    intentOf: (ip) => (known as Readonly<Record<string, IPIntent>>)[ip],
  };
}
const said = (of: LeanService, known: Known) => announcement(of, view(known), NOW);
const ROUTED: AnnouncedByBGP = {
  reason: "BGP",
  announced: true,
  text: "advertised from 3 nodes to bird, frr",
  settled: true,
};
const UNROUTED: AnnouncedByBGP = {
  reason: "NoBGPSession",
  announced: false,
  text: "by nobody: no session",
  settled: false,
};
const ONLY_BGP: IPIntent = { what: "NotAnnounced", pool: "p" };
const SINCE = "since 2026-01-02T03:04:05Z";

test.each<{ name: string; known: Known; ips?: string[]; want: [string, string, string, boolean] }>([
  {
    name: "announced",
    known: { claimants: { [V4]: [claimant("n2")] } },
    want: ["True", "Layer2", `${V4} by node n2 on eth0 (02:00:00:00:00:02) ${SINCE}`, true],
  },
  {
    name: "of two segments both owners",
    known: { claimants: { [V4]: [claimant("n2"), claimant("n3", { interface: "eth1" })] } },
    want: [
      "True",
      "Layer2",
      `${V4} by node n2 on eth0 (02:00:00:00:00:02) ${SINCE}; ${V4} by node n3 on eth1 (02:00:00:00:00:03) ${SINCE}`,
      true,
    ],
  },
  {
    name: "another answers too",
    known: { claimants: { [V4]: [claimant("n1", { rival: { mac: "02:00:00:00:00:ee" } })] } },
    want: [
      "True",
      "AddressConflict",
      `${V4} by node n1 on eth0 (02:00:00:00:00:01) ${SINCE}, and a stranger (02:00:00:00:00:ee) answers for it too`,
      true,
    ],
  },
  {
    name: "a stranger had it first",
    known: { claimants: { [V4]: [claimant("n1", { announces: false, rival: { mac: "02:00:00:00:00:ee" } })] } },
    want: [
      "False",
      "AddressConflict",
      `${V4} by nobody: a stranger (02:00:00:00:00:ee) has it already, as n1 sees on eth0`,
      true,
    ],
  },
  {
    name: "still asked for",
    known: { claimants: { [V4]: [claimant("n1", { announces: false })] } },
    want: ["False", "Pending", `${V4} by nobody: n1, n2 may, and none does yet`, false],
  },
  {
    name: "by BGP alone",
    known: { intents: { [V4]: ONLY_BGP }, bgp: { [V4]: ROUTED } },
    want: ["True", "BGP", `${V4} advertised from 3 nodes to bird, frr`, true],
  },
  {
    name: "by BGP alone, and nobody does",
    known: { intents: { [V4]: ONLY_BGP }, bgp: { [V4]: UNROUTED } },
    want: ["False", "NoBGPSession", `${V4} by nobody: no session`, false],
  },
  {
    name: "in both ways",
    known: { claimants: { [V4]: [claimant("n2")] }, bgp: { [V4]: ROUTED } },
    want: [
      "True",
      "Layer2AndBGP",
      `${V4} by node n2 on eth0 (02:00:00:00:00:02) ${SINCE}; ${V4} advertised from 3 nodes to bird, frr`,
      true,
    ],
  },
  {
    name: "in both ways, of which one does not work",
    known: { claimants: { [V4]: [claimant("n2")] }, bgp: { [V4]: UNROUTED } },
    want: [
      "True",
      "NoBGPSession",
      `${V4} by node n2 on eth0 (02:00:00:00:00:02) ${SINCE}; ${V4} by nobody: no session`,
      false,
    ],
  },
  {
    name: "no endpoint, though it is still recorded",
    known: { claimants: { [V4]: [claimant("n1")] }, intents: { [V4]: may({ reason: "NoEndpoints" }) } },
    want: ["False", "NoEndpoints", `${V4} by nobody: no endpoint of the Service serves`, false],
  },
  {
    name: "no candidate",
    known: {
      intents: {
        [V4]: may({
          reason: "NoNode",
          excluded: Array.from({ length: 7 }, (_, i) => ({ node: `n${i}`, reason: "NotSelected" as const })),
        }),
      },
    },
    want: [
      "False",
      "NoCandidate",
      `${V4} by nobody: no node may: n0 (NotSelected), n1 (NotSelected), n2 (NotSelected), n3 (NotSelected), n4 (NotSelected) and 2 more`,
      false,
    ],
  },
  {
    name: "no node at all",
    known: { intents: { [V4]: may({ reason: "NoNode" }) } },
    want: ["False", "NoCandidate", `${V4} by nobody: no node may: there is none`, false],
  },
  {
    name: "no speaker on any candidate",
    known: { intents: { [V4]: may({ nodes: ["n2", "n3"] }) }, presence: { n2: "Dead", n3: "Dead" } },
    want: ["False", "NoSpeaker", `${V4} by nobody: no speaker is there on n2, n3`, false],
  },
  {
    name: "a pool that only assigns",
    known: { intents: { [V4]: { what: "NotAnnounced", pool: "p" } } },
    want: ["False", "NotAnnounced", `${V4} by nobody: pool "p" has no entry in its spec.announce`, false],
  },
  {
    name: "no pool",
    known: { intents: { [V4]: { what: "NoPool" } } },
    want: ["False", "NoPool", `${V4} by nobody: no IPPool contains it`, false],
  },
  {
    name: "of two families one has no endpoint",
    ips: [V4, V6],
    known: { claimants: { [V4]: [claimant("n1")] }, intents: { [V6]: may({ reason: "NoEndpoints" }) } },
    want: [
      "False",
      "NoEndpoints",
      `${V4} by node n1 on eth0 (02:00:00:00:00:01) ${SINCE}; ${V6} by nobody: no endpoint of the Service serves`,
      true,
    ],
  },
])("the condition says: $name", ({ known, ips = [V4], want }) => {
  const { wanted, settled } = said(service(ips), known);
  expect([wanted?.status, wanted?.reason, wanted?.message, settled]).toEqual(want);
});

test("a Service without an address has no such condition", () => {
  expect(said(service([]), {}).wanted).toBeUndefined();
});

test("the time since when stays as it was told, for each address by itself, and is new after a move", () => {
  const then = "since 2020-01-01T00:00:00Z";
  const [four, six] = [`${V4} by node n1 on eth0 (02:00:00:00:00:01)`, `${V6} by node n2 on eth0 (02:00:00:00:00:02)`];
  const known = { claimants: { [V4]: [claimant("n1")], [V6]: [claimant("n2")] } };
  const both = service([V4, V6], `${four} ${then}; ${six} ${then}`);
  expect(saysTheSame(both.announced, said(both, known).wanted)).toBe(true);
  const moved = { claimants: { [V4]: [claimant("n1")], [V6]: [claimant("n1")] } };
  expect(said(both, moved).wanted?.message).toBe(
    `${four} ${then}; ${V6} by node n1 on eth0 (02:00:00:00:00:01) ${SINCE}`,
  );
  const torn = service([V4], `${four} since yesterday, I think`);
  expect(said(torn, known).wanted?.message).toBe(`${four} ${SINCE}`);
});

const writer = (of: LeanService, known: Known) => writerOf(of, said(of, known), view(known));

test.each<{ name: string; known: Known; ips?: string[]; want: string | undefined }>([
  { name: "the owner", known: { claimants: { [V4]: [claimant("n3")] } }, want: "n3" },
  {
    name: "of two addresses the owner of the first",
    ips: [V6, V4],
    known: { claimants: { [V4]: [claimant("n3")], [V6]: [claimant("n2")] } },
    want: "n2",
  },
  {
    name: "of two addresses the owner of the only one that has an owner",
    ips: [V6, V4],
    known: { claimants: { [V4]: [claimant("n3")] } },
    want: "n3",
  },
  {
    name: "another where the owner's speaker is away",
    known: { claimants: { [V4]: [claimant("n3")] }, presence: { n3: "Away", n2: "Dead" } },
    want: "n1",
  },
  {
    name: "not the one whose record is older than what the API says",
    known: {
      claimants: { [V4]: [claimant("n1")] },
      intents: { [V4]: { what: "NotAnnounced", pool: "p" } },
    },
    want: "n2",
  },
  { name: "oneself where nobody else is there", known: { presence: { n2: "Dead", n3: "Away" } }, want: "n1" },
])("it is written by $name", ({ known, ips = [V4], want }) => {
  expect(writer(service(ips), known)).toBe(want);
});

test("a time that is not told yet is that of the claim, however late it is written", () => {
  const known = { claimants: { [V4]: [claimant("n1", { sinceMs: NOW - 100_000 })] } };
  expect(said(service([V4]), known).wanted?.message).toBe(
    `${V4} by node n1 on eth0 (02:00:00:00:00:01) since 2026-01-02T03:02:25Z`,
  );
});

test("where nobody has the address all name the same writer, and different Services have different ones", () => {
  const named = (name: string, self: string) => {
    const of = service([V4]);
    return writer({ ...of, meta: { ...of.meta, name } }, { self });
  };
  const names = Array.from({ length: 60 }, (_, n) => `s${n}`);
  const writers = names.map((name) => new Set(["n1", "n2", "n3"].map((self) => named(name, self))));
  for (const one of writers) expect(one.size).toBe(1);
  expect(new Set(writers.flatMap((one) => [...one])).size).toBe(3);
});
