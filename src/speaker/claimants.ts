import type { Speaker } from "../api/speaker.ts";
import { compareClaims } from "../election/ownership.ts";
import { overlap, parseSubnet, type Range } from "../ipam/ranges.ts";
import type { Presence } from "./presence.ts";
import { readClaims } from "./recorded-claims.ts";
import type { SegmentState } from "./segment-messages.ts";

/** Another MAC that answers for an IP which a node claims. */
export interface Rival {
  readonly mac: string;
  /** The node whose MAC that is, where it is one. */
  readonly node?: string | undefined;
}

/** A node that claims an IP on one interface. */
export interface Claimant {
  readonly node: string;
  readonly interface: string;
  /** "" where it is not known. */
  readonly mac: string;
  readonly epoch: bigint;
  /** False: it claims the IP and does not announce it, yet or because of the rival. */
  readonly announces: boolean;
  readonly rival?: Rival | undefined;
  /** Since when it announces, in milliseconds since 1970; undefined: not known here. */
  readonly sinceMs?: number | undefined;
  /** Of its interface. */
  readonly subnets: readonly string[];
}

export interface ClaimantsInput {
  readonly self: string;
  readonly speakers: readonly Speaker[];
  readonly segments: readonly Pick<SegmentState, "interface" | "claims" | "view">[];
  /** Of this node. */
  readonly interfaces: readonly {
    readonly name: string;
    readonly mac: string;
    readonly addresses: readonly string[];
  }[];
  readonly presence: (node: string) => Presence;
  /** Since when this node has an IP on an interface, in milliseconds since 1970; undefined: not known. */
  readonly sinceMs?: (interfaceName: string, ip: string) => number | undefined;
}

/**
 * Finds who has each IP: this node by what it does, the others by their records, but for those that are dead. There is
 * one claimant for each segment, the one whose claim stands, first the one with the best claim of all; those who claim
 * without announcing count only where nobody announces.
 */
export function claimants(input: ClaimantsInput): ReadonlyMap<string, readonly Claimant[]> {
  const all = new Map<string, Claimant[]>();
  const add = (ip: string, claimant: Claimant) => {
    const known = all.get(ip);
    if (known === undefined) all.set(ip, [claimant]);
    else known.push(claimant);
  };
  addOwn(input, add);
  for (const speaker of input.speakers)
    if (speaker.meta.name !== input.self && input.presence(speaker.meta.name) !== "Dead") addRecorded(speaker, add);
  for (const [ip, found] of all) if (found.length > 1) all.set(ip, standing(ip, found));
  return all;
}

function addOwn(
  { self, segments, interfaces, sinceMs }: ClaimantsInput,
  add: (ip: string, claimant: Claimant) => void,
): void {
  for (const { interface: name, claims, view } of segments) {
    const { mac = "", addresses: subnets = [] } = interfaces.find((one) => one.name === name) ?? {};
    const rivals = new Map(view.conflicts.map((conflict) => [conflict.ip, conflict]));
    for (const { ip, epoch, tentative = false } of claims) {
      const rival = rivals.get(ip);
      const announces = !tentative && (rival?.announced ?? true);
      add(ip, { node: self, interface: name, mac, epoch, announces, rival, subnets, sinceMs: sinceMs?.(name, ip) });
    }
  }
}

function addRecorded({ meta, status }: Speaker, add: (ip: string, claimant: Claimant) => void): void {
  const { claims: recorded = [], conflicts = [] } = status.layer2 ?? {};
  const of = (name: string) => {
    const { mac = "", subnets = [] } = status.interfaces?.find((one) => one.name === name) ?? {};
    return { node: meta.name, interface: name, mac, subnets };
  };
  for (const claims of recorded) {
    const rivals = new Map(
      conflicts.filter(({ interface: name }) => name === claims.interface).map((rival) => [rival.ip, rival]),
    );
    const where = of(claims.interface);
    for (const { ip, epoch } of readClaims(claims))
      add(ip, { ...where, epoch, announces: true, rival: rivals.get(ip) });
  }
  for (const { interface: name, ip, mac, node, announced } of conflicts)
    if (!announced) add(ip, { ...of(name), epoch: 0n, announces: false, rival: { mac, node } });
}

/** Leaves one claimant of each segment. Which interfaces are on one segment their subnets tell. */
function standing(ip: string, found: readonly Claimant[]): Claimant[] {
  const announcing = found.filter(({ announces }) => announces);
  const claims = [...(announcing.length > 0 ? announcing : found)].sort((a, b) =>
    compareClaims({ ...a, yielding: false }, { ...b, yielding: false }, ip),
  );
  const chosen: Claimant[] = [];
  for (const claim of claims) if (!chosen.some((other) => onOneSegment(claim, other))) chosen.push(claim);
  return chosen;
}

function onOneSegment(a: Claimant, b: Claimant): boolean {
  if (a.node === b.node) return a.interface === b.interface;
  const theirs = ranges(b.subnets);
  return ranges(a.subnets).some((one) => theirs.some((other) => overlap(one, other)));
}

function ranges(subnets: readonly string[]): readonly Range[] {
  return subnets.filter((cidr) => !cidr.startsWith("fe80:")).flatMap((cidr) => parseSubnet(cidr) ?? []);
}
