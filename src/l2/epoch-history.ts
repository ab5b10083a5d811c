import { differences, PersistentMap } from "../persistent-map.ts";

/** The claims on one segment as a node's Speaker object has them. */
export interface NodeRecord {
  readonly node: string;
  readonly incarnation: bigint;
  /** The epochs of its claims by IP. As PersistentMaps: of two that came from each other what is new is found at once. */
  readonly claims: ReadonlyMap<string, bigint>;
  /** Where its kernel can be asked whether it is there, on this segment; absent: not known. */
  readonly mac?: Uint8Array;
  /** Its own IPv4 address here. */
  readonly address?: string;
  /** Its own IPv6 address here, best a link-local one. */
  readonly address6?: string;
}

/** What was ever claimed, by anybody: the epochs from the wire and from the records, and the records themselves. */
export class EpochHistory {
  readonly #known = new Map<string, bigint>();
  /** IPs that somebody announced: no stranger can have them. */
  readonly #announced = new Set<string>();
  #records: ReadonlyMap<string, NodeRecord> = new Map();

  /** K: the highest epoch known of an IP; 0 where there is none. */
  known(ip: string): bigint {
    return this.#known.get(ip) ?? 0n;
  }

  learn(ip: string, epoch: bigint): void {
    if (epoch > this.known(ip)) this.#known.set(ip, epoch);
  }

  /** Says whether somebody has announced the IP since it was assigned. */
  wasAnnounced(ip: string): boolean {
    return this.#announced.has(ip);
  }

  announced(ip: string): void {
    this.#announced.add(ip);
  }

  /** Nobody is to have the IP any more; a stranger may take it until it is assigned again. */
  unassigned(ip: string): void {
    this.#announced.delete(ip);
  }

  /** Takes the records that the API has now; gives the IPs whose records changed. */
  read(records: readonly NodeRecord[]): ReadonlySet<string> {
    const before = this.#records;
    const changed = new Set<string>();
    this.#records = new Map(records.map((record) => [record.node, record]));
    for (const { node, claims } of records) {
      for (const ip of differences(before.get(node)?.claims ?? NO_CLAIMS, claims)) {
        const epoch = claims.get(ip);
        changed.add(ip);
        if (epoch === undefined) continue;
        this.learn(ip, epoch);
        this.announced(ip);
      }
    }
    return changed;
  }

  /** Gives the epochs by IP in a node's record; empty where it has none. */
  recordOf(node: string): ReadonlyMap<string, bigint> {
    return this.#records.get(node)?.claims ?? NO_CLAIMS;
  }

  /** The nodes that have a record. */
  recordedNodes(): Iterable<string> {
    return this.#records.keys();
  }
}

const NO_CLAIMS: ReadonlyMap<string, bigint> = PersistentMap.from<bigint>([]);
