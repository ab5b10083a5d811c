import { isDeepStrictEqual } from "node:util";
import type { IPPool } from "../api/ippool.ts";
import { CONDITION } from "../api/names.ts";
import type { Namespace, Service } from "../api/objects.ts";
import { AddressBook } from "../ipam/address-book.ts";
import type { PoolObject } from "../ipam/pool.ts";
import type { KubeClient } from "../kube/client.ts";
import type { EventRecorder } from "../kube/events.ts";
import { keyOf } from "../kube/resource.ts";
import type { Change } from "../kube/store.ts";
import type { ControllerDeps, Watched } from "./controller.ts";
import { demandOf, isOurs, statusIPs } from "./demand.ts";
import type { ControllerMetrics } from "./metrics.ts";
import { PoolFinalizers } from "./pool-finalizers.ts";
import { PoolWriter } from "./pool-writer.ts";
import { ServiceWriter } from "./service-writer.ts";

export interface TermDeps extends Pick<ControllerDeps, "clock" | "random" | "log" | "classOnly"> {
  readonly client: Pick<KubeClient, "request">;
  readonly metrics: ControllerMetrics;
  readonly events: EventRecorder;
  /** Synced. */
  readonly watched: Watched;
}

/**
 * One time of leading: the address book decides as soon as a change is heard, and the writers write what is not yet as
 * it decided. Only the decision has an order; the writes are level-driven.
 */
export class Term {
  readonly #deps: TermDeps;
  readonly #book: AddressBook;
  readonly #services: ServiceWriter;
  readonly #pools: PoolWriter;
  readonly #finalizers: PoolFinalizers;

  constructor(deps: TermDeps) {
    const { watched, clock } = deps;
    this.#deps = deps;
    const all = watched.services.list();
    const [served, others] = [all.filter((one) => this.#isOurs(one)), all.filter((one) => !this.#isOurs(one))];
    this.#book = new AddressBook(
      {
        pools: watched.pools.list().map(poolObject),
        namespaces: new Map(watched.namespaces.list().map(({ meta }) => [meta.name, meta.labels])),
        demands: served.map(demandOf),
        strangers: others.map((service) => ({ key: keyOf(service.meta), ips: statusIPs(service) })),
      },
      clock.wallNow(),
    );
    this.#finalizers = new PoolFinalizers(deps, this.#book);
    this.#pools = new PoolWriter(deps, this.#book);
    this.#services = new ServiceWriter(deps, this.#book, (pool) => this.#finalizers.held(pool));
    for (const { meta, conditions } of served)
      if (!conditions.some(({ type }) => type === CONDITION.assigned)) this.#services.arrived(keyOf(meta));
    this.#services.look(all.map(({ meta }) => keyOf(meta)));
    this.#pools.lookAtAll();
    this.#finalizers.lookAtAll();
  }

  /** Runs until aborted. Must be called in the turn in which it was made: what changes in between would be missed. */
  async run(signal: AbortSignal): Promise<void> {
    const { watched, metrics } = this.#deps;
    const ends = [
      watched.services.onChange((change) => this.#serviceChanged(change)),
      watched.pools.onChange((change) => this.#poolChanged(change)),
      watched.namespaces.onChange((change) => this.#namespaceChanged(change)),
    ];
    const { queue: services } = this.#services;
    metrics.watch({
      book: this.#book,
      queues: { services, pools: this.#pools.queue, finalizers: this.#finalizers.queue },
    });
    await Promise.all([this.#services.run(signal), this.#pools.run(signal), this.#finalizers.run(signal)]);
    for (const end of ends) end();
    metrics.watch(undefined);
  }

  #isOurs(service: Service): boolean {
    return isOurs(service, this.#deps.classOnly);
  }

  #serviceChanged({ key, before, after }: Change<Service>): void {
    const now = this.#deps.clock.wallNow();
    const wasServed = before !== undefined && this.#isOurs(before);
    const isServed = after !== undefined && this.#isOurs(after);
    if (wasServed && !isServed) this.#services.departed(key);
    if (!wasServed && isServed) this.#services.arrived(key);
    if (after === undefined) this.#decided(this.#book.remove(key, now));
    else if (isServed) this.#decided(this.#book.put(demandOf(after), now));
    else this.#decided(this.#book.putStranger(key, statusIPs(after), now));
    this.#services.look([key]);
  }

  #poolChanged({ key, before, after }: Change<IPPool>): void {
    const now = this.#deps.clock.wallNow();
    if (before && after && isSamePool(before, after)) {
      // Its status or a finalizer changed, by ourselves or by somebody else.
      this.#pools.lookLater(key);
      this.#finalizers.lookAt(key);
      return;
    }
    if (after === undefined) this.#pools.gone(key);
    this.#decided(after ? this.#book.putPool(poolObject(after), now) : this.#book.removePool(key, now));
    this.#pools.lookAtAll();
    this.#finalizers.lookAtAll();
  }

  #namespaceChanged({ key, before, after }: Change<Namespace>): void {
    const now = this.#deps.clock.wallNow();
    if (after === undefined) this.#decided(this.#book.removeNamespace(key, now));
    else if (!before || !isDeepStrictEqual(before.meta.labels, after.meta.labels))
      this.#decided(this.#book.putNamespace(key, after.meta.labels, now));
  }

  /** Has those Services written whose outcome may have changed, and after a while how full the pools are. */
  #decided(keys: readonly string[]): void {
    this.#services.look(keys);
    this.#pools.usageChanged(() => this.#finalizers.lookAtAll());
  }
}

function poolObject({ meta: { name, createdAt, deleting }, spec }: IPPool): PoolObject {
  return { name, createdAt, deleting, spec };
}

/** The API server counts a change of the spec, and the wish to delete, as a new generation. */
function isSamePool(a: IPPool, b: IPPool): boolean {
  return a.generation === b.generation && a.meta.deleting === b.meta.deleting;
}
