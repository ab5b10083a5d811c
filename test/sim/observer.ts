import { formatIP } from "../../src/ipam/addresses.ts";
import type { Arp } from "../../src/l2/arp.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** The longest times seen, in ms, over all IPs and clients. */
export interface Observed {
  /** Nobody answered a new ARP request, though a candidate was there and past its start. */
  readonly unanswered: number;
  /** More than one node answered. */
  readonly twoMacs: number;
  /** A client that resolved the IP earlier sent to a node that was off or out of reach. */
  readonly cached: number;
}

/** Watches what clients see: one beside each node, with a neighbour cache that gratuitous ARP updates. */
export class Observer {
  /** How often it looks, in ms: the resolution of what it measures. */
  static readonly STEP_MS = 10;
  readonly #world: World;
  #longest = { unanswered: 0, twoMacs: 0, cached: 0 };
  /** Since when something has been wrong, by what, client and IP. */
  readonly #since = new Map<string, number>();
  /** The clients' caches: by the client's node, then by IP. */
  readonly #caches = new Map<string, Map<string, SimNode>>();

  constructor(world: World) {
    this.#world = world;
    for (const { name } of world.nodes) this.#caches.set(name, new Map());
  }

  get longest(): Observed {
    return { ...this.#longest };
  }

  reset(): void {
    this.#since.clear();
    this.#longest = { unanswered: 0, twoMacs: 0, cached: 0 };
  }

  /** The node to which the client beside `client` sends what is for an IP. */
  sendsTo(client: SimNode, ip: string): SimNode | undefined {
    return this.#caches.get(client.name)?.get(ip);
  }

  heardArp(client: SimNode, from: SimNode, arp: Arp): void {
    this.#caches.get(client.name)?.set(formatIP({ family: "IPv4", value: BigInt(arp.senderIP) }), from);
  }

  look(): void {
    for (const [ip, candidates] of this.#world.ips) {
      const able = candidates.map(({ node }) => this.#world.node(node)).filter((node) => node.running && node.started);
      const answering = this.#world.answering(ip);
      for (const client of this.#world.nodes) this.#lookAt(client, ip, able, answering);
    }
  }

  #lookAt(client: SimNode, ip: string, able: readonly SimNode[], answering: readonly SimNode[]): void {
    const near = (node: SimNode) => this.#world.sideOf(node) === this.#world.sideOf(client);
    const possible = able.some(near);
    const answers = answering.filter(near);
    const cached = this.sendsTo(client, ip);
    this.#note("twoMacs", client, ip, answers.length > 1);
    this.#note("unanswered", client, ip, possible && answers.length === 0);
    this.#note("cached", client, ip, possible && cached !== undefined && !(cached.powered && near(cached)));
    if (cached === undefined && answers[0] !== undefined) this.#caches.get(client.name)?.set(ip, answers[0]);
  }

  #note(what: keyof Observed, client: SimNode, ip: string, wrong: boolean): void {
    const key = `${what} ${client.name} ${ip}`;
    if (!wrong) {
      if (this.#since.size > 0) this.#since.delete(key);
      return;
    }
    const since = this.#since.get(key) ?? this.#world.now() - Observer.STEP_MS;
    this.#since.set(key, since);
    this.#longest[what] = Math.max(this.#longest[what], this.#world.now() - since);
  }
}
