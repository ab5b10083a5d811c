import { differences, PersistentMap } from "../persistent-map.ts";
import { ipBytes } from "./ip-bytes.ts";

const ADDRESS_LENGTH = 16;
const MAC_LENGTH = 6;
const ENTRY_LENGTH = ADDRESS_LENGTH + MAC_LENGTH;

/**
 * Packs tables for the addon: entries of address, 16 bytes, then MAC, 6 bytes, in no order. Tables are alike from one to
 * the next, so only the entries are written that changed: of two PersistentMaps that is found without looking at all.
 */
export class TablePacker {
  #packed: ReadonlyMap<string, Uint8Array> = PersistentMap.from<Uint8Array>([]);
  #bytes = new Uint8Array(0);
  /** The IPs in the order of their entries, and the place of each. */
  readonly #order: string[] = [];
  readonly #places = new Map<string, number>();

  /** Gives a view that holds until the next call. Throws RangeError where a MAC is none, and has then packed nothing. */
  pack(table: ReadonlyMap<string, Uint8Array>): Uint8Array {
    const changed = differences(this.#packed, table);
    for (const ip of changed) {
      const { length } = table.get(ip) ?? NO_MAC;
      if (length !== MAC_LENGTH) throw new RangeError(`the MAC of ${ip} has ${length} bytes`);
    }
    this.#reserve(table.size + changed.length); // what goes away may go last
    for (const ip of changed) {
      const mac = table.get(ip);
      if (mac === undefined) this.#remove(ip);
      else this.#bytes.set(mac, this.#placeOf(ip) * ENTRY_LENGTH + ADDRESS_LENGTH);
    }
    this.#packed = table;
    return this.#bytes.subarray(0, this.#order.length * ENTRY_LENGTH);
  }

  #placeOf(ip: string): number {
    const known = this.#places.get(ip);
    if (known !== undefined) return known;
    const place = this.#order.push(ip) - 1;
    this.#places.set(ip, place);
    this.#bytes.set(longAddress(ip), place * ENTRY_LENGTH);
    return place;
  }

  /** Puts the last entry in its place. */
  #remove(ip: string): void {
    const place = this.#places.get(ip);
    const last = this.#order.pop();
    this.#places.delete(ip);
    if (place === undefined || last === undefined || last === ip) return;
    this.#order[place] = last;
    this.#places.set(last, place);
    const from = this.#order.length * ENTRY_LENGTH;
    this.#bytes.copyWithin(place * ENTRY_LENGTH, from, from + ENTRY_LENGTH);
  }

  #reserve(entries: number): void {
    const needed = entries * ENTRY_LENGTH;
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(needed + (needed >> 2));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}

const NO_MAC = { length: MAC_LENGTH };

/** Packs addresses, 16 bytes each. */
export function packAddresses(ips: Iterable<string>): Uint8Array {
  return Uint8Array.from([...ips].flatMap((ip) => [...longAddress(ip)]));
}

/** Gives an IPv6 address in 16 bytes, an IPv4 address as IPv4-mapped (RFC 4291 section 2.5.5.2). */
function longAddress(ip: string): Uint8Array {
  const short = ipBytes(ip);
  if (short.length === ADDRESS_LENGTH) return short;
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...short);
}
