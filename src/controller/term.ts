import { isDeepStrictEqual } from "node:util";
import type { IPPool } from "../api/ippool.ts";
import { CONDITION } from "../api/names.ts";
import type { Namespace, Service } from "../api/objects.ts";
import { AddressBook } from "../ipam/address-book.ts";
import type { Demand } from "../ipam/demand.ts";
import type { PoolObject } from "../ipam/pool.ts";
import type { KubeClient } from "../kube/client.ts";
import type { EventRecorder } from "../kube/events.ts";
import { keyOf } from "../kube/resource.ts";
import type { Change } from "../kube/store.ts";
import type { ControllerDeps, Watched } from "./controller.ts";
import { demandOf, isOurs, statusIPs } from "./demand.ts";
import { inTurns } from "./in-turns.ts";
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
  /** What has changed since the book began to be opened; the book hears of it when it is. */
  readonly #backlog: ((opened: Opened) => void)[] = [];
  #opened: Opened | undefined;

  constructor(deps: TermDeps) {
    this.#deps = deps;
  }

  /** Runs until aborted. Must be called in the turn in which `watched` was read: what changes in between would be missed. */
  async run(signal: AbortSignal): Promise<void> {
    const { watched, metrics } = this.#deps;
    const ends = [
      watched.services.onChange((change) => this.#hear((opened) => this.#serviceChanged(change, opened))),
      watched.pools.onChange((change) => this.#hear((opened) => this.#poolChanged(change, opened))),
      watched.namespaces.onChange((change) => this.#hear((opened) => this.#namespaceChanged(change, opened))),
    ];
    const opened = await inTurns(this.#open(), { ...this.#deps, signal });
    if (opened) {
      const { book, services, pools, finalizers } = opened;
      metrics.watch({
        book,
        queues: { services: services.queue, pools: pools.queue, finalizers: finalizers.queue },
      });
      await Promise.all([services.run(signal), pools.run(signal), finalizers.run(signal)]);
    }
    for (const end of ends) end();
    metrics.watch(undefined);
  }

  /** Takes up the cluster's state, and then what has changed meanwhile. */
  *#open(): Generator<undefined, Opened> {
    const { watched, clock } = this.#deps;
    const all = watched.services.list();
    const served = all.filter((one) => this.#isOurs(one));
    const others = all.filter((one) => !this.#isOurs(one));
    const book = yield* AddressBook.opening(
      {
        pools: watched.pools.list().map(poolObject),
        namespaces: new Map(watched.namespaces.list().map(({ meta }) => [meta.name, meta.labels])),
        demands: demandsOf(served),
        strangers: others.map((service) => ({ key: keyOf(service.meta), ips: statusIPs(service) })),
      },
      clock.wallNow(),
    );
    const finalizers = new PoolFinalizers(this.#deps, book);
    const pools = new PoolWriter(this.#deps, book);
    const services = new ServiceWriter(this.#deps, book, (pool) => finalizers.held(pool));
    const opened = { book, services, pools, finalizers };
    for (const { meta, conditions } of served) {
      if (!conditions.some(({ type }) => type === CONDITION.assigned)) services.arrived(keyOf(meta));
      yield;
    }
    for (const { meta } of all) {
      services.look([keyOf(meta)]);
      yield;
    }
    pools.lookAtAll();
    finalizers.lookAtAll();
    for (let change = this.#backlog.shift(); change !== undefined; change = this.#backlog.shift()) {
      change(opened);
      yield;
    }
    this.#opened = opened;
    return opened;
  }

  #hear(change: (opened: Opened) => void): void {
    if (this.#opened) change(this.#opened);
    else this.#backlog.push(change);
  }

  #isOurs(service: Service): boolean {
    return isOurs(service, this.#deps.classOnly);
  }

  #serviceChanged({ key, before, after }: Change<Service>, opened: Opened): void {
    const { book, services } = opened;
    const now = this.#deps.clock.wallNow();
    const wasServed = before !== undefined && this.#isOurs(before);
    const isServed = after !== undefined && this.#isOurs(after);
    if (wasServed && !isServed) services.departed(key);
    if (!wasServed && isServed) services.arrived(key);
    if (after === undefined) decided(opened, book.remove(key, now));
    else if (isServed) decided(opened, book.put(demandOf(after), now));
    else decided(opened, book.putStranger(key, statusIPs(after), now));
    services.look([key]);
  }

  #poolChanged({ key, before, after }: Change<IPPool>, opened: Opened): void {
    const { book, pools, finalizers } = opened;
    const now = this.#deps.clock.wallNow();
    if (before && after && isSamePool(before, after)) {
      // Its status or a finalizer changed, by ourselves or by somebody else.
      pools.lookLater(key);
      finalizers.lookAt(key);
      return;
    }
    if (after === undefined) pools.gone(key);
    decided(opened, after ? book.putPool(poolObject(after), now) : book.removePool(key, now));
    pools.lookAtAll();
    finalizers.lookAtAll();
  }

  #namespaceChanged({ key, before, after }: Change<Namespace>, opened: Opened): void {
    const { book } = opened;
    const now = this.#deps.clock.wallNow();
    if (after === undefined) decided(opened, book.removeNamespace(key, now));
    else if (!before || !isDeepStrictEqual(before.meta.labels, after.meta.labels))
      decided(opened, book.putNamespace(key, after.meta.labels, now));
  }
}

/** What a term works with once the cluster's state is taken up. */
interface Opened {
  readonly book: AddressBook;
  readonly services: ServiceWriter;
  readonly pools: PoolWriter;
  readonly finalizers: PoolFinalizers;
}

/** Has those Services written whose outcome may have changed, and after a while how full the pools are. */
function decided({ services, pools, finalizers }: Opened, keys: readonly string[]): void {
  services.look(keys);
  pools.usageChanged(() => finalizers.lookAtAll());
}

function* demandsOf(services: readonly Service[]): Generator<Demand> {
  for (const service of services) yield demandOf(service);
}

function poolObject({ meta: { name, createdAt, deleting }, spec }: IPPool): PoolObject {
  return { name, createdAt, deleting, spec };
}

/** The API server counts a change of the spec, and the wish to delete, as a new generation. */
function isSamePool(a: IPPool, b: IPPool): boolean {
  return a.generation === b.generation && a.meta.deleting === b.meta.deleting;
}
