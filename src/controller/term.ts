import { isDeepStrictEqual } from "node:util";
import type { IPPool } from "../api/ippool.ts";
import { CONDITION } from "../api/names.ts";
import type { Namespace, Service } from "../api/objects.ts";
import { AddressBook } from "../ipam/address-book.ts";
import type { Demand } from "../ipam/demand.ts";
import type { PoolObject } from "../ipam/pool.ts";
import type { Steps } from "../ipam/steps.ts";
import type { KubeClient } from "../kube/client.ts";
import type { EventRecorder } from "../kube/events.ts";
import { keyOf } from "../kube/resource.ts";
import type { Change } from "../kube/store.ts";
import type { ControllerDeps, Watched } from "./controller.ts";
import { demandOf, isOurs, statusIPs } from "./demand.ts";
import { InTurns } from "./in-turns.ts";
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

export interface WriterDeps extends TermDeps {
  /** How the address book changes, and when it may be looked at. */
  readonly turns: InTurns;
}

/**
 * One time of leading: the address book decides as soon as a change is heard, and the writers write what is not yet as
 * it decided. Only the decision has an order; the writes are level-driven. A change that concerns many takes several turns
 * of the event loop; what is heard meanwhile comes after it, and no writer looks at the book before.
 */
export class Term {
  readonly #deps: TermDeps;
  #opened: Opened | undefined;

  constructor(deps: TermDeps) {
    this.#deps = deps;
  }

  /** Runs until aborted. Must be called in the turn in which `watched` was read: what changes in between would be missed. */
  async run(signal: AbortSignal): Promise<void> {
    const { watched, metrics } = this.#deps;
    const turns = new InTurns({ ...this.#deps, signal });
    const opening = turns.do(this.#open(turns));
    const ends = [
      watched.services.onChange((change) => this.#hear(turns, (opened) => this.#serviceChanged(change, opened))),
      watched.pools.onChange((change) => this.#hear(turns, (opened) => this.#poolChanged(change, opened))),
      watched.namespaces.onChange((change) => this.#hear(turns, (opened) => this.#namespaceChanged(change, opened))),
    ];
    await opening;
    if (this.#opened) {
      const { book, services, pools, finalizers } = this.#opened;
      metrics.watch({
        book,
        queues: { services: services.queue, pools: pools.queue, finalizers: finalizers.queue },
        look: (look) => turns.look(look),
      });
      const letting = this.#letGoOfLeftovers(turns, services);
      await Promise.all([services.run(signal), pools.run(signal), finalizers.run(signal), letting]);
    }
    for (const end of ends) end();
    metrics.watch(undefined);
  }

  /** Takes up the cluster's state. */
  *#open(turns: InTurns): Steps<void> {
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
    const deps = { ...this.#deps, turns };
    const finalizers = new PoolFinalizers(deps, book);
    const pools = new PoolWriter(deps, book);
    const services = new ServiceWriter(deps, book, (pool) => finalizers.held(pool));
    for (const { meta, conditions } of served) {
      if (!conditions.some(({ type }) => type === CONDITION.assigned)) services.arrived(keyOf(meta));
      yield;
    }
    yield* services.look(all.map(({ meta }) => keyOf(meta)));
    pools.lookAtAll();
    finalizers.lookAtAll();
    this.#opened = { book, services, pools, finalizers };
  }

  /** Has those cleaned that have got another type while nobody led. Those of another class are somebody's: never touched. */
  async #letGoOfLeftovers(turns: InTurns, services: ServiceWriter): Promise<void> {
    const keys = await this.#deps.watched.leftovers();
    for (const key of keys) services.departed(key);
    await turns.do(services.look(keys));
  }

  #hear(turns: InTurns, take: (opened: Opened) => Steps<void>): void {
    turns.do(this.#taking(take)).catch((error) => this.#deps.log.error("a change was not taken up", { error }));
  }

  *#taking(take: (opened: Opened) => Steps<void>): Steps<void> {
    if (this.#opened) yield* take(this.#opened);
  }

  #isOurs(service: Service): boolean {
    return isOurs(service, this.#deps.classOnly);
  }

  *#serviceChanged({ key, before, after }: Change<Service>, opened: Opened): Steps<void> {
    const { book, services } = opened;
    const now = this.#deps.clock.wallNow();
    const wasServed = before !== undefined && this.#isOurs(before);
    const isServed = after !== undefined && this.#isOurs(after);
    if (wasServed && !isServed) services.departed(key);
    if (!wasServed && isServed) services.arrived(key);
    if (after === undefined) yield* decided(opened, yield* book.remove(key, now));
    else if (isServed) yield* decided(opened, yield* book.put(demandOf(after), now));
    else yield* decided(opened, yield* book.putStranger(key, statusIPs(after), now));
    yield* services.look([key]);
  }

  *#poolChanged({ key, before, after }: Change<IPPool>, opened: Opened): Steps<void> {
    const { book, pools, finalizers } = opened;
    const now = this.#deps.clock.wallNow();
    if (before && after && isSamePool(before, after)) {
      // Its status or a finalizer changed, by ourselves or by somebody else.
      pools.lookLater(key);
      finalizers.lookAt(key);
      return;
    }
    if (after === undefined) pools.gone(key);
    yield* decided(opened, yield* after ? book.putPool(poolObject(after), now) : book.removePool(key, now));
    pools.lookAtAll();
    finalizers.lookAtAll();
  }

  *#namespaceChanged({ key, before, after }: Change<Namespace>, opened: Opened): Steps<void> {
    const { book } = opened;
    const now = this.#deps.clock.wallNow();
    if (after === undefined) yield* decided(opened, yield* book.removeNamespace(key, now));
    else if (!before || !isDeepStrictEqual(before.meta.labels, after.meta.labels))
      yield* decided(opened, yield* book.putNamespace(key, after.meta.labels, now));
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
function* decided({ services, pools, finalizers }: Opened, keys: readonly string[]): Steps<void> {
  yield* services.look(keys);
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
