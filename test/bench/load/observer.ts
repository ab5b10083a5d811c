import { setTimeout as sleep } from "node:timers/promises";
import { CONDITION } from "../../../src/api/names.ts";
import type { Service } from "../../../src/api/objects.ts";
import { systemClock } from "../../../src/clock.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { Reflector } from "../../../src/kube/reflector.ts";
import { services } from "../../../src/kube/resource.ts";
import { type Change, Store } from "../../../src/kube/store.ts";
import { noLog } from "../../../src/log.ts";

/** Watches all Services of type LoadBalancer, as the node proxies of a cluster would, and notes who gets an address. */
export class Observer {
  readonly #over = new AbortController();
  /** By name: the address and when it was first seen. */
  readonly #addresses = new Map<string, { readonly ip: string; readonly at: number }>();
  readonly #refused = new Set<string>();
  /** Times that a Service was seen with another address than before, or with none any more. */
  moves = 0;

  /** Starts to watch; what is there already is noted too. */
  static async start(client: KubeClient): Promise<Observer> {
    const observer = new Observer();
    const store = new Store<Service>();
    store.onChange((change) => observer.#take(change));
    const shell = { clock: systemClock, random: Math.random, log: noLog };
    const reflector = new Reflector({ ...shell, client, resource: services, store });
    void reflector.run(observer.#over.signal);
    await reflector.whenSynced();
    return observer;
  }

  stop(): void {
    this.#over.abort();
  }

  get addresses(): ReadonlyMap<string, { readonly ip: string; readonly at: number }> {
    return this.#addresses;
  }

  /** Services that wait for an address and say so. */
  get refused(): ReadonlySet<string> {
    return this.#refused;
  }

  /** Resolves when `is` holds; looks each `everyMs`. Throws after `withinMs`. */
  async until(what: string, is: () => boolean, withinMs: number, everyMs = 1): Promise<void> {
    const end = performance.now() + withinMs;
    while (!is()) {
      if (performance.now() > end) throw new Error(`${what}: not within ${withinMs / 1000} s`);
      await sleep(everyMs);
    }
  }

  #take({ before, after }: Change<Service>): void {
    const name = (after ?? before)?.meta.name ?? "";
    const ip = after?.ingress[0]?.ip;
    const known = this.#addresses.get(name);
    if (ip === undefined) this.#addresses.delete(name);
    else if (known?.ip !== ip) this.#addresses.set(name, { ip, at: performance.now() });
    if (after && known && known.ip !== ip) this.moves++;
    const says = after?.conditions.find(({ type }) => type === CONDITION.assigned);
    if (says?.status === "False") this.#refused.add(name);
    else this.#refused.delete(name);
  }
}
