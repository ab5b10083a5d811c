import type { Candidate } from "../../src/election/candidates.ts";
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

  heardArp(client: SimNode, arp: Arp): void {
    const owner = this.#world.byMac(arp.senderMac);
    if (owner === undefined) return;
    this.#caches.get(client.name)?.set(formatIP({ family: "IPv4", value: BigInt(arp.senderIP) }), owner);
  }

  look(): void {
    const { nodes, ips } = this.#world;
    const sides = [...new Set(nodes.map((node) => this.#world.sideOfClient(node)))];
    const near = new Map(sides.map((side) => [side, nodes.filter((node) => this.#world.reaches(side, node))]));
    for (const [ip, candidates] of ips) {
      for (const [side, reached] of near) {
        const possible = reached.some((node) => node.started && node.running && isIn(candidates, node));
        const answers: SimNode[] = [];
        for (const node of reached) {
          const mac = node.answer(ip);
          const owner = mac && this.#world.byMac(mac);
          if (owner !== undefined && !answers.includes(owner)) answers.push(owner);
        }
        this.#note("twoMacs", side, ip, answers.length > 1);
        this.#note("unanswered", side, ip, possible && answers.length === 0);
        for (const client of nodes)
          if (this.#world.sideOfClient(client) === side) this.#lookAt(client, ip, possible, reached, answers[0]);
      }
    }
  }

  #lookAt(client: SimNode, ip: string, possible: boolean, reached: readonly SimNode[], answer?: SimNode): void {
    const cached = this.sendsTo(client, ip);
    this.#note("cached", client.name, ip, possible && cached !== undefined && !reached.includes(cached));
    if (cached === undefined && answer !== undefined) this.#caches.get(client.name)?.set(ip, answer);
  }

  #note(what: keyof Observed, where: string | number, ip: string, wrong: boolean): void {
    if (!wrong && this.#since.size === 0) return;
    const key = `${what} ${where} ${ip}`;
    if (!wrong) {
      this.#since.delete(key);
      return;
    }
    const since = this.#since.get(key) ?? this.#world.now() - Observer.STEP_MS;
    this.#since.set(key, since);
    this.#longest[what] = Math.max(this.#longest[what], this.#world.now() - since);
  }
}

function isIn(candidates: readonly Candidate[], { name }: SimNode): boolean {
  return candidates.some(({ node }) => node === name);
}
