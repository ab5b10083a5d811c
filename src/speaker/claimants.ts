import { ipIn, recordedEpoch } from "../api/claims.ts";
import type { Speaker } from "../api/speaker.ts";
import { compareClaims } from "../election/ownership.ts";
import { overlap, parseSubnet, type Range } from "../ipam/ranges.ts";
import type { Presence } from "./presence.ts";
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

/** From so many questions and Speakers on an index of all records is faster than asking each Speaker. */
const MANY = { questions: 100, speakers: 10 };

/**
 * Gives what finds who has an IP: this node by what it does, the others by their records, but for those that are dead.
 * There is one claimant for each segment, the one whose claim stands, first the one with the best claim of all; those who
 * claim without announcing count only where nobody announces.
 */
export function claimantsIn(input: ClaimantsInput): (ip: string) => readonly Claimant[] {
  const { self, speakers, presence } = input;
  const others = speakers.filter(({ meta }) => meta.name !== self && presence(meta.name) !== "Dead");
  let questions = 0;
  let index: ReadonlyMap<string, readonly Speaker[]> | undefined;
  return (ip) => {
    if (++questions > MANY.questions && others.length >= MANY.speakers) index ??= indexOf(others);
    const asked = index === undefined ? others : (index.get(ip) ?? []);
    const found = [...own(ip, input), ...asked.flatMap((speaker) => recorded(ip, speaker))];
    return found.length > 1 ? standing(ip, found) : found;
  };
}

/** Gives by IP the Speakers that say something of it. */
function indexOf(speakers: readonly Speaker[]): ReadonlyMap<string, readonly Speaker[]> {
  const found = new Map<string, Speaker[]>();
  for (const speaker of speakers) {
    const { claims = [], conflicts = [] } = speaker.status.layer2 ?? {};
    const claimed = claims.flatMap(({ ips }) => ips.map(ipIn));
    for (const ip of new Set([...claimed, ...conflicts.map((conflict) => conflict.ip)])) {
      const known = found.get(ip);
      if (known === undefined) found.set(ip, [speaker]);
      else known.push(speaker);
    }
  }
  return found;
}

function own(ip: string, { self, segments, interfaces, sinceMs }: ClaimantsInput): readonly Claimant[] {
  return segments.flatMap(({ interface: name, claims, view }): Claimant[] => {
    const claim = claims.get(ip);
    if (claim === undefined) return [];
    const { mac = "", addresses: subnets = [] } = interfaces.find((one) => one.name === name) ?? {};
    const rival = view.conflicts.find((conflict) => conflict.ip === ip);
    const { epoch, tentative = false } = claim;
    const announces = !tentative && (rival?.announced ?? true);
    return [{ node: self, interface: name, mac, epoch, announces, rival, subnets, sinceMs: sinceMs?.(name, ip) }];
  });
}

function recorded(ip: string, { meta, status }: Speaker): readonly Claimant[] {
  const { claims = [], conflicts = [] } = status.layer2 ?? {};
  const of = (name: string) => {
    const { mac = "", subnets = [] } = status.interfaces?.find((one) => one.name === name) ?? {};
    return { node: meta.name, interface: name, mac, subnets };
  };
  const rivals = conflicts.filter((rival) => rival.ip === ip);
  const announced = claims.flatMap((one): Claimant[] => {
    const epoch = recordedEpoch(one, ip);
    if (epoch === undefined) return [];
    const rival = rivals.find(({ interface: name }) => name === one.interface);
    return [{ ...of(one.interface), epoch, announces: true, rival }];
  });
  const silent = rivals.filter((rival) => !rival.announced);
  return [
    ...announced,
    ...silent.map(({ interface: name, mac, node }) => {
      return { ...of(name), epoch: 0n, announces: false, rival: { mac, node } };
    }),
  ];
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
