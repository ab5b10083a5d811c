import type { IPPool } from "../api/ippool.ts";
import { matchesSelector } from "../api/label-selector.ts";
import type { IPFamily, Node } from "../api/objects.ts";
import type { Speaker } from "../api/speaker.ts";
import type { HeldIP } from "../bgp/held-ip.ts";
import type { Candidate } from "../election/candidates.ts";
import { canonicalIP, parseIP } from "../ipam/addresses.ts";
import { type AnnouncedPool, AnnouncedPools } from "../ipam/announced-pools.ts";
import { overlap, parseSubnet, type Range } from "../ipam/ranges.ts";
import type { NodeRecord, SegmentSnapshot } from "../l2/segment.ts";
import type { IPIntent } from "./announcement.ts";
import { type NodeInterface, onePerSegment, possibleInterfaces } from "./choose-interfaces.ts";
import { heldIPs, type ServicesView } from "./held-ips.ts";
import { Intents } from "./intent.ts";
import type { Interface } from "./interfaces.ts";
import { readIncarnation } from "./own-status.ts";
import { readClaims } from "./recorded-claims.ts";
import type { SegmentInput } from "./segment-messages.ts";

/** What a speaker knows from the API at one moment. */
export interface ApiView extends ServicesView {
  readonly nodes: readonly Node[];
  readonly pools: readonly IPPool[];
  readonly speakers: readonly Speaker[];
  /** The nodes whose speaker's Pod is Ready; undefined: not known yet. */
  readonly ready: ReadonlySet<string> | undefined;
  /** Newest resourceVersion seen, by kind. */
  readonly versions: ReadonlyMap<string, string>;
}

/**
 * Gives the interfaces of this node that some pool may announce on, with what their segments have to know. Pure: the
 * same view and interfaces give the same result. `hearIntent` is told by whom each assigned IP may be announced; `held`
 * are those of the view.
 */
export function buildSegments(
  self: string,
  api: ApiView,
  own: readonly Interface[],
  hearIntent: (ip: string, intent: IPIntent) => void = () => {},
  held: ReadonlyMap<string, HeldIP> = heldIPs(api),
): readonly SegmentInput[] {
  const pools = new AnnouncedPools(api.pools);
  const known = new Map(api.speakers.map((speaker) => [speaker.meta.name, nodeInterfaces(speaker)]));
  // Where somebody deleted the own object, what this node knows of itself stands in until its status is written again.
  const ownObject = api.speakers.find(({ meta }) => meta.name === self);
  if (ownObject?.status.interfaces === undefined) known.set(self, own.map(toNodeInterface));
  const nodes = new Map(api.nodes.map((node) => [node.meta.name, node]));
  const possibleOn = (node: string) => (available: readonly NodeInterface[]) =>
    possible(nodes.get(node), pools.all, available);
  const interfaces = new Map([...known].map(([node, all]) => [node, onePerSegment(all, possibleOn(node))]));
  const opened = possibleOn(self)(interfaces.get(self) ?? []);
  const perInterface = new Map(own.map(({ name }) => [name, new Map<string, readonly Candidate[]>()]));
  const intents = new Intents(self, api.nodes, interfaces);
  for (const [text, { serving, assignedPool }] of held) {
    const pool = pools.of(text, assignedPool);
    if (pool === undefined || pool.layer2.length === 0) {
      hearIntent(text, pool === undefined ? { what: "NoPool" } : { what: "NotAnnounced", pool: pool.name });
      continue;
    }
    const ip = parseIP(text);
    if (ip === undefined) continue;
    const intent = intents.of(ip, pool, serving);
    const { interfaces: names, selected, candidates } = intent;
    hearIntent(text, { what: "Announced", candidates: intent });
    for (const name of names) if (selected || opened.has(name)) perInterface.get(name)?.set(text, candidates);
  }
  return own.flatMap((each): SegmentInput[] => {
    const ips = perInterface.get(each.name) ?? new Map();
    if (!opened.has(each.name) && ips.size === 0) return [];
    const subnets = rangesOf(each.addresses);
    const snapshot: SegmentSnapshot = {
      versions: api.versions,
      ips,
      records: recordsOn(subnets, each.name, self, api),
      ...(api.ready === undefined ? {} : { ready: api.ready }),
    };
    const recordedMac = ownObject?.status.interfaces?.find(({ name }) => name === each.name)?.mac;
    return [{ interface: each.name, ...ownAddresses(each), gateways: each.gateways, recordedMac, snapshot }];
  });
}

/** Chooses what this node is asked at, by the others' speakers: IPv6's is best the one that is there whatever is routed. */
function ownAddresses({ addresses, linkLocal }: Interface): Pick<SegmentInput, "address" | "address6"> {
  const first = (ofFamily: (cidr: string) => boolean) => addresses.find(ofFamily)?.split("/")[0] ?? "";
  return {
    address: first((cidr) => !cidr.includes(":")),
    address6: linkLocal || first((cidr) => cidr.includes(":")),
  };
}

/** The interfaces that some pool may announce on. */
function possible(
  node: Node | undefined,
  pools: readonly AnnouncedPool[],
  available: readonly NodeInterface[],
): ReadonlySet<string> {
  if (node === undefined) return new Set();
  const { labels } = node.meta;
  const selecting = pools.flatMap(({ ranges, layer2 }) =>
    layer2
      .filter((entry) => matchesSelector(entry.nodeSelector, labels))
      .flatMap((entry) => possibleInterfaces(entry.interfaces, available, ranges)),
  );
  return new Set(selecting);
}

function nodeInterfaces(speaker: Speaker): readonly NodeInterface[] {
  return (speaker.status.interfaces ?? []).map(({ name, subnets, defaultRoute }) =>
    toNodeInterface({ name, addresses: subnets, defaultRoute: defaultRoute ?? false }),
  );
}

function toNodeInterface({
  name,
  addresses,
  defaultRoute,
}: Pick<Interface, "name" | "addresses" | "defaultRoute">): NodeInterface {
  return { name, subnets: rangesOf(addresses), defaultRoute };
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
    const onSegment = (speaker.status.interfaces ?? []).filter((each) =>
      node === self
        ? each.name === ownInterface
        : rangesOf(each.subnets).some((theirs) => subnets.some((ours) => overlap(theirs, ours))),
    );
    const [first] = onSegment;
    if (first === undefined) return [];
    const names = new Set(onSegment.map(({ name }) => name));
    const recorded = (speaker.status.layer2?.claims ?? []).filter((claims) => names.has(claims.interface));
    const claims = recorded.flatMap(readClaims);
    return [{ node, incarnation: readIncarnation(speaker.status), claims, ...whereabouts(first) }];
  });
}

/** Where a node's kernel can be asked; of what no speaker wrote, nothing. */
function whereabouts({ mac, subnets }: RecordedInterface): Pick<NodeRecord, "mac" | "address" | "address6"> {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) return {};
  const first = (family: IPFamily) => {
    const text = subnets
      .map((cidr) => canonicalIP(cidr.split("/")[0] ?? ""))
      .find((ip) => ip !== undefined && (family === "IPv6") === ip.includes(":"));
    return text ?? "";
  };
  return {
    mac: Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16)),
    address: first("IPv4"),
    address6: first("IPv6"),
  };
}

type RecordedInterface = NonNullable<Speaker["status"]["interfaces"]>[number];

/** Reads subnets once: with 1000 nodes that takes longer than the rest, and most objects stay as they are. */
function rangesOf(subnets: readonly string[]): readonly Range[] {
  const known = parsedSubnets.get(subnets) ?? subnets.flatMap((cidr) => parseSubnet(cidr) ?? []);
  parsedSubnets.set(subnets, known);
  return known;
}

const parsedSubnets = new WeakMap<readonly string[], readonly Range[]>();
