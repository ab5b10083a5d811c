import { isDeepStrictEqual } from "node:util";
import type { HeldIP } from "../bgp/held-ip.ts";
import { servingNodes } from "../election/candidates.ts";
import { keyOf } from "../kube/resource.ts";
import { PersistentMap } from "../persistent-map.ts";
import type { LeanService } from "./lean-services.ts";
import type { LeanSlice } from "./lean-slices.ts";

/** The Services and their slices as they are now. */
export interface ServicesView {
  readonly services: () => readonly LeanService[];
  /** Those that hold an IP (in canonical text), by key. */
  readonly holdersOf: (ip: string) => readonly LeanService[];
  /** The slices of one Service, by its key. */
  readonly slicesOf: (service: string) => readonly Pick<LeanSlice, "addressType" | "endpoints">[];
}

/** The IPs that Services hold, in canonical text. Of 10 000 only those are looked at that something happened to. */
export class HeldIPs {
  readonly #view: ServicesView;
  #held: PersistentMap<HeldIP> | undefined;
  readonly #touched = new Set<string>();

  constructor(view: ServicesView) {
    this.#view = view;
  }

  /** Says that these may be held by others than before, or served by other nodes. */
  touch(ips: readonly string[]): void {
    for (const ip of ips) this.#touched.add(ip);
  }

  /** Gives all. What did not change is the same object as before. */
  now(): PersistentMap<HeldIP> {
    const before = this.#held ?? PersistentMap.from<HeldIP>([]);
    const touched = this.#held === undefined ? this.#view.services().flatMap(({ ips }) => ips) : this.#touched;
    this.#held = before.with([...touched].map((ip) => [ip, this.#heldIP(ip, before.get(ip))]));
    this.#touched.clear();
    return this.#held;
  }

  #heldIP(ip: string, before: HeldIP | undefined): HeldIP | undefined {
    const { holdersOf, slicesOf } = this.#view;
    const family = ip.includes(":") ? "IPv6" : "IPv4";
    const holders = holdersOf(ip);
    const [first] = holders;
    if (first === undefined) return undefined;
    const serving = servingNodes(
      holders.map(({ meta, externalTrafficPolicy }) => {
        const slices = slicesOf(keyOf(meta)).filter(({ addressType }) => addressType === family);
        return { externalTrafficPolicy, endpoints: slices.flatMap(({ endpoints }) => endpoints) };
      }),
    );
    const held = { serving, assignedPool: first.assignedPool };
    return isDeepStrictEqual(held, before) ? before : held;
  }
}
