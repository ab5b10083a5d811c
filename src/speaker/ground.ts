import { isDeepStrictEqual } from "node:util";
import type { RecordedClaims } from "../api/claims.ts";
import { matchesSelector } from "../api/label-selector.ts";
import type { IPFamily, Node } from "../api/objects.ts";
import type { Speaker } from "../api/speaker.ts";
import type { HeldIP } from "../bgp/held-ip.ts";
import type { Candidate } from "../election/candidates.ts";
import { canonicalIP, parseIP } from "../ipam/addresses.ts";
import { type AnnouncedPool, AnnouncedPools } from "../ipam/announced-pools.ts";
import { overlap, parseSubnet, type Range } from "../ipam/ranges.ts";
import type { NodeRecord } from "../l2/segment.ts";
import type { IPIntent } from "./announcement.ts";
import { type NodeInterface, onePerSegment, possibleInterfaces } from "./choose-interfaces.ts";
import { sameButVersion, specOf } from "./concern.ts";
import { type Intent, Intents } from "./intent.ts";
import type { Interface } from "./interfaces.ts";
import { readIncarnation } from "./own-status.ts";
import { type RecordedEpochs, readEpochs } from "./recorded-epochs.ts";
import type { ApiView } from "./snapshot.ts";

/** Where an IP may be announced. */
export interface Place {
  readonly intent: IPIntent;
  /** Of this node: those whose segments have to do with it. */
  readonly interfaces: readonly string[];
  readonly candidates: readonly Candidate[];
}

/** What all IPs share: pools, nodes and interfaces. */
export class Ground {
  /** This node's interfaces that some pool may announce on. */
  readonly opened: ReadonlySet<string>;
  readonly #self: string;
  #nodes: ApiView["nodes"];
  #poolList: ApiView["pools"];
  /** Not the Speakers, which would be kept with all of their claims. */
  #interfaces: readonly NamedInterfaces[];
  readonly #own: readonly Interface[];
  readonly #pools: AnnouncedPools;
  readonly #newIntents: () => Intents;
  #intents: Intents;
  /** IPs that are alike share one. */
  readonly #places = new Map<Intent, Place>();
  readonly #notAnnounced = new Map<string, Place>();
  /** By interface and Speaker object: most objects stay as they are. */
  readonly #records = new Map<string, WeakMap<Speaker, readonly NodeRecord[]>>();
  /** By interface and node. */
  readonly #epochs = new Map<string, RecordedEpochs>();

  constructor(self: string, api: ApiView, own: readonly Interface[]) {
    this.#self = self;
    this.#nodes = api.nodes;
    this.#poolList = api.pools;
    this.#interfaces = api.speakers.map(interfacesIn);
    this.#own = own;
    this.#pools = new AnnouncedPools(api.pools);
    const known = new Map(api.speakers.map((speaker) => [speaker.meta.name, nodeInterfaces(speaker)]));
    // Where somebody deleted the own object, what this node knows of itself stands in until its status is written again.
    const ownObject = api.speakers.find(({ meta }) => meta.name === self);
    if (ownObject?.status.interfaces === undefined) known.set(self, own.map(toNodeInterface));
    const nodes = new Map(api.nodes.map((node) => [node.meta.name, node]));
    const possibleOn = (node: string) => (available: readonly NodeInterface[]) =>
      possible(nodes.get(node), this.#pools.all, available);
    const interfaces = new Map([...known].map(([node, all]) => [node, onePerSegment(all, possibleOn(node))]));
    this.opened = possibleOn(self)(interfaces.get(self) ?? []);
    this.#newIntents = () => new Intents(self, api.nodes, interfaces);
    this.#intents = this.#newIntents();
  }

  /**
   * Says whether it is the one of this view too, whose objects may be others and say the same, as where a pool counts its
   * addresses. It goes on with those, which most of the next view's will be.
   */
  holdsFor({ nodes, pools, speakers }: ApiView, own: readonly Interface[]): boolean {
    const interfaces = speakers.map(interfacesIn);
    const same =
      own === this.#own &&
      sameLists(this.#nodes, nodes, sameButVersion) &&
      sameLists(this.#poolList, pools, (a, b) => sameButVersion(specOf(a), specOf(b))) &&
      sameLists(this.#interfaces, interfaces, sameInterfaces);
    if (same) [this.#nodes, this.#poolList, this.#interfaces] = [nodes, pools, interfaces];
    return same;
  }

  placeOf(text: string, { serving, assignedPool }: HeldIP): Place | undefined {
    const pool = this.#pools.of(text, assignedPool);
    if (pool === undefined) return NO_POOL;
    if (pool.layer2.length === 0) return this.#notAnnouncedBy(pool.name);
    const ip = parseIP(text);
    if (ip === undefined) return undefined;
    if (this.#places.size >= MOST_PLACES) this.#forget();
    const intent = this.#intents.of(ip, pool, serving);
    const known = this.#places.get(intent) ?? this.#place(intent);
    this.#places.set(intent, known);
    return known;
  }

  /** Which nodes serve changes with each rollout: what there was must not pile up as long as this lives. */
  #forget(): void {
    this.#places.clear();
    this.#intents = this.#newIntents();
  }

  #place(intent: Intent): Place {
    const { interfaces, selected, candidates } = intent;
    const concerned = interfaces.filter((name) => selected || this.opened.has(name));
    return { intent: { what: "Announced", candidates: intent }, interfaces: concerned, candidates };
  }

  #notAnnouncedBy(pool: string): Place {
    const known = this.#notAnnounced.get(pool) ?? nowhere({ what: "NotAnnounced", pool });
    this.#notAnnounced.set(pool, known);
    return known;
  }

  /** The recorded claims that concern the segment of an interface. */
  recordsOn({ name, addresses }: Interface, speakers: readonly Speaker[]): readonly NodeRecord[] {
    const known = this.#records.get(name) ?? new WeakMap<Speaker, readonly NodeRecord[]>();
    this.#records.set(name, known);
    return speakers.flatMap((speaker) => {
      const records =
        known.get(speaker) ?? recordOn(rangesOf(addresses), name, this.#self, speaker, this.#epochsOf(name));
      known.set(speaker, records);
      return records;
    });
  }

  #epochsOf(interfaceName: string): EpochsOf {
    return (node, recorded) => {
      const read = readEpochs(this.#epochs.get(`${interfaceName} ${node}`), recorded);
      this.#epochs.set(`${interfaceName} ${node}`, read);
      return read.epochs;
    };
  }
}

/** Each names all nodes, so with 1 000 nodes these are 50 MB. */
const MOST_PLACES = 1_000;

type NamedInterfaces = readonly [node: string, interfaces: Speaker["status"]["interfaces"]];

function interfacesIn({ meta, status }: Speaker): NamedInterfaces {
  return [meta.name, status.interfaces];
}

function sameInterfaces([node, before]: NamedInterfaces, [other, after]: NamedInterfaces): boolean {
  return node === other && (before === after || isDeepStrictEqual(before, after));
}

function nowhere(intent: IPIntent): Place {
  return { intent, interfaces: [], candidates: [] };
}

const NO_POOL = nowhere({ what: "NoPool" });

function sameLists<T>(before: readonly T[], after: readonly T[], same: (a: T, b: T) => boolean): boolean {
  if (before === after) return true;
  return before.length === after.length && before.every((a, i) => a === after[i] || same(a, after[i] as T));
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

/** A node's recorded claims that concern a segment: of interfaces that share a subnet with ours, by whatever name they go there. */
function recordOn(
  subnets: readonly Range[],
  ownInterface: string,
  self: string,
  { meta: { name: node }, status }: Speaker,
  epochsOf: EpochsOf,
): readonly NodeRecord[] {
  const onSegment = (status.interfaces ?? []).filter((each) =>
    node === self
      ? each.name === ownInterface
      : rangesOf(each.subnets).some((theirs) => subnets.some((ours) => overlap(theirs, ours))),
  );
  const [first] = onSegment;
  if (first === undefined) return [];
  const names = new Set(onSegment.map(({ name }) => name));
  const recorded = (status.layer2?.claims ?? []).filter((claims) => names.has(claims.interface));
  return [{ node, incarnation: readIncarnation(status), claims: epochsOf(node, recorded), ...whereabouts(first) }];
}

type EpochsOf = (node: string, recorded: RecordedClaims) => NodeRecord["claims"];

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
