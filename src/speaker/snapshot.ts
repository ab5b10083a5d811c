import { type Claim, decodeClaims, type RecordedClaims } from "../api/claims.ts";
import type { IPPool } from "../api/ippool.ts";
import { matchesSelector } from "../api/label-selector.ts";
import { ANNOTATION } from "../api/names.ts";
import type { EndpointSlice, Node, Service } from "../api/objects.ts";
import type { Speaker } from "../api/speaker.ts";
import { type Candidate, type CandidateService, servingNodes } from "../election/candidates.ts";
import { canonicalIP, parseIP } from "../ipam/addresses.ts";
import { containsIP, overlap, parseRange, parseSubnet, type Range } from "../ipam/ranges.ts";
import type { SegmentSnapshot } from "../l2/segment.ts";
import { assignedIPs } from "./assigned-ips.ts";
import { type NodeInterface, possibleInterfaces } from "./choose-interfaces.ts";
import { type AnnouncingPool, Intents } from "./intent.ts";
import type { Interface } from "./interfaces.ts";
import { readIncarnation } from "./own-status.ts";
import type { SegmentInput } from "./segment-messages.ts";

/** What a speaker knows from the API at one moment. */
export interface ApiView {
  readonly services: readonly Service[];
  /** Gives the slices of a Service by "namespace/name". */
  readonly slicesOf: (service: string) => readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly pools: readonly IPPool[];
  readonly speakers: readonly Speaker[];
  /** Newest resourceVersion seen, by kind. */
  readonly versions: ReadonlyMap<string, string>;
}

/**
 * Gives the interfaces of this node that some pool may announce on, with what their segments have to know. Pure: the
 * same view and interfaces give the same result.
 */
export function buildSegments(self: string, api: ApiView, own: readonly Interface[]): readonly SegmentInput[] {
  const interfaces = new Map(api.speakers.map((speaker) => [speaker.meta.name, nodeInterfaces(speaker)]));
  // Where somebody deleted the own object, what this node knows of itself stands in until its status is written again.
  const written = api.speakers.some(({ meta, status }) => meta.name === self && status.interfaces !== undefined);
  if (!written) interfaces.set(self, own.map(toNodeInterface));
  const pools = api.pools.map(compilePool);
  const perInterface = new Map(own.map(({ name }) => [name, new Map<string, readonly Candidate[]>()]));
  const intents = new Intents(self, api.nodes, interfaces);
  for (const [text, { services, assignedPool }] of holders(api)) {
    const ip = parseIP(text);
    if (ip === undefined) continue;
    // The pool that gave it out, also where it was narrowed since or is being deleted; where that one is gone, who has it now.
    const pool =
      pools.find(({ name }) => name === assignedPool) ??
      pools.find(({ ranges }) => ranges.some((range) => containsIP(range, ip)));
    if (pool === undefined || pool.entries.length === 0) continue;
    const { interfaces: names, candidates } = intents.of(ip, pool, servingNodes(services));
    for (const name of names) perInterface.get(name)?.set(text, candidates);
  }
  const ownNode = api.nodes.find((node) => node.meta.name === self);
  const possible = new Set(
    pools.flatMap(({ ranges, entries }) =>
      entries
        .filter((entry) => ownNode !== undefined && matchesSelector(entry.nodeSelector, ownNode.meta.labels))
        .flatMap((entry) => possibleInterfaces(entry.interfaces, interfaces.get(self) ?? [], ranges)),
    ),
  );
  return own.flatMap((each): SegmentInput[] => {
    const ips = perInterface.get(each.name) ?? new Map();
    if (!possible.has(each.name) && ips.size === 0) return [];
    const subnets = each.addresses.flatMap((cidr) => parseSubnet(cidr) ?? []);
    const snapshot: SegmentSnapshot = {
      versions: api.versions,
      ips,
      records: recordsOn(subnets, each.name, self, api),
    };
    const address = each.addresses.find((cidr) => !cidr.includes(":"))?.split("/")[0];
    return address === undefined ? [] : [{ interface: each.name, address, snapshot }];
  });
}

interface CompiledPool extends AnnouncingPool {
  readonly ranges: readonly Range[];
}

/** Reads the entries of a pool once: of 256 IPv6 CIDRs that takes milliseconds, and most pools stay as they are. */
function compilePool(pool: IPPool): CompiledPool {
  const known = compiledPools.get(pool) ?? compile(pool);
  compiledPools.set(pool, known);
  return known;
}

const compiledPools = new WeakMap<IPPool, CompiledPool>();

function compile({ meta, spec }: IPPool): CompiledPool {
  const ranges = spec.addresses.map(parseRange).filter((range) => typeof range !== "string");
  const entries = spec.announce.flatMap(({ layer2 }) => layer2 ?? []);
  return { name: meta.name, ranges, entries };
}

interface Holding {
  readonly services: CandidateService[];
  /** The pool that gave the IP, by the first holder's record. */
  readonly assignedPool: string | undefined;
}

/** The Services that hold each IP, by IP. */
function holders(api: ApiView): ReadonlyMap<string, Holding> {
  const found = new Map<string, Holding>();
  for (const service of api.services) {
    const ips = new Set(assignedIPs(service).flatMap((ip) => canonicalIP(ip) ?? [])); // as frames have them
    if (ips.size === 0) continue;
    const slices = api.slicesOf(`${service.meta.namespace}/${service.meta.name}`);
    for (const ip of ips) {
      const family = ip.includes(":") ? "IPv6" : "IPv4";
      const candidate: CandidateService = {
        externalTrafficPolicy: service.externalTrafficPolicy,
        endpoints: slices.filter(({ addressType }) => addressType === family).flatMap(({ endpoints }) => endpoints),
      };
      const sharers = found.get(ip)?.services;
      const assignedPool = service.meta.annotations[ANNOTATION.assignedPool];
      if (sharers === undefined) found.set(ip, { services: [candidate], assignedPool });
      else sharers.push(candidate);
    }
  }
  return found;
}

function nodeInterfaces(speaker: Speaker): readonly NodeInterface[] {
  return (speaker.status.interfaces ?? []).map(({ name, subnets, defaultRoute }) =>
    toNodeInterface({ name, addresses: subnets, defaultRoute: defaultRoute ?? false }),
  );
}

function toNodeInterface({ name, addresses, defaultRoute }: Omit<Interface, "mac">): NodeInterface {
  return { name, subnets: addresses.flatMap((cidr) => parseSubnet(cidr) ?? []), defaultRoute };
}

/** The recorded claims that concern a segment: of interfaces that share a subnet with ours, by whatever name they go there. */
function recordsOn(
  subnets: readonly Range[],
  ownInterface: string,
  self: string,
  api: ApiView,
): SegmentSnapshot["records"] {
  return api.speakers.flatMap((speaker) => {
    const node = speaker.meta.name;
    const onSegment = new Set(
      nodeInterfaces(speaker)
        .filter((each) =>
          node === self
            ? each.name === ownInterface
            : each.subnets.some((theirs) => subnets.some((ours) => overlap(theirs, ours))),
        )
        .map(({ name }) => name),
    );
    if (onSegment.size === 0) return [];
    const recorded = (speaker.status.layer2?.claims ?? []).filter((claims) => onSegment.has(claims.interface));
    const claims = recorded.flatMap(decoded);
    return [{ node, incarnation: readIncarnation(speaker.status), claims }];
  });
}

/** Reads recorded claims once: with 10 000 of them that takes longer than the rest, and most objects stay as they are. */
function decoded(claims: RecordedClaims[number]): readonly Claim[] {
  const known = decodings.get(claims) ?? decodeClaims([claims]);
  decodings.set(claims, known);
  return known;
}

const decodings = new WeakMap<RecordedClaims[number], readonly Claim[]>();
