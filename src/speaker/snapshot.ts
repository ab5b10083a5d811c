import type { IPPool } from "../api/ippool.ts";
import type { Node } from "../api/objects.ts";
import type { Speaker } from "../api/speaker.ts";
import type { HeldIP } from "../bgp/held-ip.ts";
import type { Candidate } from "../election/candidates.ts";
import type { SegmentSnapshot } from "../l2/segment.ts";
import { PersistentMap } from "../persistent-map.ts";
import type { IPIntent } from "./announcement.ts";
import { Ground, type Place } from "./ground.ts";
import type { Interface } from "./interfaces.ts";
import type { SegmentInput } from "./segment-messages.ts";

/** What a speaker knows from the API at one moment, but for the Services. */
export interface ApiView {
  readonly nodes: readonly Node[];
  readonly pools: readonly IPPool[];
  readonly speakers: readonly Speaker[];
  /** The nodes whose speaker's Pod is Ready; undefined: not known yet. */
  readonly ready: ReadonlySet<string> | undefined;
  /** Newest resourceVersion seen, by kind. */
  readonly versions: ReadonlyMap<string, string>;
}

/**
 * The interfaces of this node that some pool may announce on, with what their segments have to know: the same for the
 * same view, whatever was before. Where nothing is new but some IPs, only those are looked at.
 */
export class Segments {
  readonly #self: string;
  #ground: Ground | undefined;
  #held = PersistentMap.from<HeldIP>([]);
  #ips: ReadonlyMap<string, PersistentMap<readonly Candidate[]>> = new Map();

  constructor(self: string) {
    this.#self = self;
  }

  /** Takes what is known now. Says which IPs may be announced by others than before. */
  take(api: ApiView, own: readonly Interface[], held: PersistentMap<HeldIP>): readonly string[] | "All" {
    const known = this.#ground?.holdsFor(api, own) ? this.#ground : undefined;
    const ground = known ?? new Ground(this.#self, api, own);
    const before = known ? this.#held : PersistentMap.from<HeldIP>([]);
    const changed = before.differences(held);
    const places = changed.map((ip) => [ip, placeOf(ground, ip, held)] as const);
    const none = PersistentMap.from<readonly Candidate[]>([]);
    this.#ips = new Map(
      own.map(({ name }) => {
        const ips = (known && this.#ips.get(name)) ?? none;
        const entry = (place: Place | undefined) => (place?.interfaces.includes(name) ? place.candidates : undefined);
        return [name, ips.with(places.map(([ip, place]) => [ip, entry(place)]))];
      }),
    );
    this.#ground = ground;
    this.#held = held;
    return known ? changed : "All";
  }

  /** Says by whom an IP may be announced; undefined: nobody holds it. */
  intentOf(ip: string): IPIntent | undefined {
    return this.#ground && placeOf(this.#ground, ip, this.#held)?.intent;
  }

  /** What the segments have to know, by interface. */
  inputs({ speakers, ready, versions }: ApiView, own: readonly Interface[]): readonly SegmentInput[] {
    const ownObject = speakers.find(({ meta }) => meta.name === this.#self);
    return own.flatMap((each): SegmentInput[] => {
      const ips = this.#ips.get(each.name);
      if (this.#ground === undefined || ips === undefined) return [];
      if (!this.#ground.opened.has(each.name) && ips.size === 0) return [];
      const records = this.#ground.recordsOn(each, speakers);
      const snapshot: SegmentSnapshot = { versions, ips, records, ...(ready === undefined ? {} : { ready }) };
      const recordedMac = ownObject?.status.interfaces?.find(({ name }) => name === each.name)?.mac;
      return [{ interface: each.name, ...ownAddresses(each), gateways: each.gateways, recordedMac, snapshot }];
    });
  }
}

function placeOf(ground: Ground, ip: string, held: PersistentMap<HeldIP>): Place | undefined {
  const one = held.get(ip);
  return one && ground.placeOf(ip, one);
}

/** Chooses what this node is asked at, by the others' speakers: IPv6's is best the one that is there whatever is routed. */
function ownAddresses({ addresses, linkLocal }: Interface): Pick<SegmentInput, "address" | "address6"> {
  const first = (ofFamily: (cidr: string) => boolean) => addresses.find(ofFamily)?.split("/")[0] ?? "";
  return {
    address: first((cidr) => !cidr.includes(":")),
    address6: linkLocal || first((cidr) => cidr.includes(":")),
  };
}
