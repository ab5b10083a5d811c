import type { RecordedClaim } from "./effects.ts";

/** The claims on one segment as a node's Speaker object has them. */
export interface NodeRecord {
  readonly node: string;
  readonly incarnation: bigint;
  readonly claims: readonly RecordedClaim[];
}

/** What was ever claimed, by anybody: the epochs from the wire and from the records, and the records themselves. */
export class EpochHistory {
  readonly #known = new Map<string, bigint>();
  #records = new Map<string, { readonly from: NodeRecord; readonly epochs: ReadonlyMap<string, bigint> }>();

  /** K: the highest epoch known of an IP; 0 where there is none. */
  known(ip: string): bigint {
    return this.#known.get(ip) ?? 0n;
  }

  learn(ip: string, epoch: bigint): void {
    if (epoch > this.known(ip)) this.#known.set(ip, epoch);
  }

  /** Takes the records that the API has now; one that is the same object as before is not read again. */
  read(records: readonly NodeRecord[]): void {
    const before = this.#records;
    this.#records = new Map();
    for (const from of records) {
      const known = before.get(from.node);
      if (known?.from === from) this.#records.set(from.node, known);
      else {
        this.#records.set(from.node, { from, epochs: new Map(from.claims.map((c) => [c.ip, c.epoch])) });
        for (const { ip, epoch } of from.claims) this.learn(ip, epoch);
      }
    }
  }

  /** Gives the epochs by IP in a node's record; empty where it has none. */
  recordOf(node: string): ReadonlyMap<string, bigint> {
    return this.#records.get(node)?.epochs ?? NO_CLAIMS;
  }

  /** The nodes that have a record. */
  recordedNodes(): Iterable<string> {
    return this.#records.keys();
  }
}

const NO_CLAIMS: ReadonlyMap<string, bigint> = new Map();
