import type { IPPool } from "../api/ippool.ts";
import { API_VERSION, CONDITION } from "../api/names.ts";
import type { Service } from "../api/objects.ts";
import type { Cancel } from "../clock.ts";
import { AddressBook } from "../ipam/address-book.ts";
import { parseIP } from "../ipam/addresses.ts";
import { Budgets } from "../kube/budgets.ts";
import type { EventRecorder } from "../kube/events.ts";
import { ipPools } from "../kube/herald-resources.ts";
import { keyOf, services } from "../kube/resource.ts";
import type { Change } from "../kube/store.ts";
import { WorkQueue } from "../kube/work-queue.ts";
import type { ControllerDeps, Watched } from "./controller.ts";
import { demandOf, isOurs, statusIPs } from "./demand.ts";
import type { ControllerMetrics } from "./metrics.ts";
import { poolPatch } from "./pool-patch.ts";
import { forgetPatch, type ServicePatch, servicePatch, verdict } from "./service-patch.ts";
import { writeStatus } from "./write-status.ts";

export interface TermDeps extends Pick<ControllerDeps, "client" | "clock" | "random" | "log" | "classOnly"> {
  readonly metrics: ControllerMetrics;
  readonly events: EventRecorder;
  /** Synced. */
  readonly watched: Watched;
}

const WORKERS = 32;

/** Writes of one Service: what needs more is a quarrel with another writer, who must not make a busy loop of it. */
const PACE = { burst: 10, refillMs: 5000, most: 20_000 };

/** How full a pool is gets written this long after it changed, so that many assignments are one write. */
const USAGE_AFTER_MS = 1000;

/**
 * One time of leading: the address book decides as soon as a change is heard, and workers write what is not yet as it
 * decided. Only the decision has an order; the writes are level-driven, each Service by itself.
 */
export class Term {
  readonly #deps: TermDeps;
  readonly #services: WorkQueue;
  readonly #pools: WorkQueue;
  readonly #book: AddressBook;
  /** Services that were served and are no more, whether deleted or of another type or class now. */
  readonly #departed = new Set<string>();
  readonly #pace = new Budgets(PACE);
  /** Services whose next write waits for the pace. */
  readonly #contested = new Set<string>();
  #usageTimer: Cancel | undefined;

  constructor(deps: TermDeps) {
    this.#deps = deps;
    this.#services = new WorkQueue(deps);
    this.#pools = new WorkQueue(deps);
    const all = deps.watched.services.list();
    this.#book = new AddressBook(
      {
        pools: deps.watched.pools.list().map(({ meta, spec }) => ({ name: meta.name, spec })),
        demands: all.filter((service) => this.#isOurs(service)).map(demandOf),
        strangers: all
          .filter((service) => !this.#isOurs(service))
          .map((service) => ({ key: keyOf(service.meta), ips: statusIPs(service) })),
      },
      deps.clock.wallNow(),
    );
  }

  /** Runs until aborted. Must be called in the turn in which it was made: what changes in between would be missed. */
  async run(signal: AbortSignal): Promise<void> {
    const { watched, metrics, log } = this.#deps;
    const ends = [
      watched.services.onChange((change) => this.#serviceChanged(change)),
      watched.pools.onChange((change) => this.#poolChanged(change)),
    ];
    for (const { meta } of watched.services.list()) this.#services.add(keyOf(meta));
    for (const { meta } of watched.pools.list()) this.#pools.add(meta.name);
    metrics.watch(this.#book);
    const failed = (kind: string) => (key: string, error: unknown, retryInMs: number) =>
      log.warn(`the status of a ${kind} was not written; it is tried again`, { [kind]: key, error, retryInMs });
    await Promise.all([
      this.#services.run({
        workers: WORKERS,
        handle: (key) => this.#reconcileService(key, signal),
        failed: failed("Service"),
        signal,
      }),
      this.#pools.run({
        workers: 1,
        handle: (key) => this.#reconcilePool(key, signal),
        failed: failed("IPPool"),
        signal,
      }),
    ]);
    for (const end of ends) end();
    this.#usageTimer?.();
    metrics.watch(undefined);
  }

  #isOurs(service: Service): boolean {
    return isOurs(service, this.#deps.classOnly);
  }

  #serviceChanged({ key, before, after }: Change<Service>): void {
    const now = this.#deps.clock.wallNow();
    const served = after !== undefined && this.#isOurs(after);
    if (before && this.#isOurs(before) && !served) this.#departed.add(key);
    if (after === undefined) this.#wake(this.#book.remove(key, now));
    else if (served) this.#wake(this.#book.put(demandOf(after), now));
    else this.#wake(this.#book.putStranger(key, statusIPs(after), now));
    this.#services.add(key);
  }

  #poolChanged({ key, before, after }: Change<IPPool>): void {
    const now = this.#deps.clock.wallNow();
    if (after !== undefined && before?.generation === after.generation) {
      this.#pools.addAfter(key, USAGE_AFTER_MS); // its status changed, by ourselves or by somebody else
      return;
    }
    this.#wake(after ? this.#book.putPool(key, after.spec, now) : this.#book.removePool(key, now));
    this.#pools.add(key);
  }

  /** Has those Services written whose outcome may have changed, and after a while how full the pools are. */
  #wake(keys: readonly string[]): void {
    for (const key of keys) this.#services.add(key);
    this.#usageTimer ??= this.#deps.clock.after(USAGE_AFTER_MS, () => {
      this.#usageTimer = undefined;
      for (const { name } of this.#book.pools) this.#pools.add(name);
    });
  }

  async #reconcileService(key: string, signal: AbortSignal): Promise<void> {
    const service = this.#deps.watched.services.get(key);
    if (service === undefined || !this.#isOurs(service)) return await this.#forget(key, signal);
    this.#departed.delete(key);
    let before = service;
    const written = await writeStatus({
      ...this.#deps,
      kind: "Service",
      path: servicePath(key),
      object: service,
      keep: services.keep,
      signal,
      build: (current) => {
        before = current;
        // Between two tries the Service may have become another's, or another Service of its name.
        if (!this.#isOurs(current) || current.meta.uid !== service.meta.uid) return undefined;
        const patch = this.#patch(current);
        return patch && this.#mayWrite(key) ? patch : undefined;
      },
    });
    if (written) this.#tell(before, key);
  }

  /** Tells whether the Service may be written now; where not it is looked at again later. */
  #mayWrite(key: string): boolean {
    const { clock, log } = this.#deps;
    const waitMs = this.#pace.spend(key, clock.now());
    if (waitMs === 0) {
      this.#contested.delete(key);
      return true;
    }
    if (!this.#contested.has(key))
      log.warn("the Service is overwritten again and again: does another controller serve it too?", { service: key });
    this.#contested.add(key);
    this.#services.addAfter(key, waitMs);
    return false;
  }

  #patch(service: Service): ServicePatch | undefined {
    const outcome = this.#book.outcome(keyOf(service.meta));
    if (outcome === undefined) return undefined;
    const inPool = (text: string) => {
      const ip = parseIP(text);
      return ip !== undefined && this.#book.contains(ip);
    };
    return servicePatch(service, outcome, { inPool, now: this.#deps.clock.wallNow() });
  }

  /** Takes the record off a Service that has another type or class now; of a deleted one there is nothing left. */
  async #forget(key: string, signal: AbortSignal): Promise<void> {
    this.#contested.delete(key);
    if (!this.#departed.has(key)) return;
    await writeStatus({
      ...this.#deps,
      kind: "Service",
      path: servicePath(key),
      keep: services.keep,
      signal,
      build: (current) => (this.#isOurs(current) ? undefined : forgetPatch(current)),
    });
    this.#departed.delete(key);
  }

  /** Records an event where a write changed what the condition says, and not only how it says it. */
  #tell(before: Service, key: string): void {
    const outcome = this.#book.outcome(key);
    if (outcome === undefined || outcome.state === "Leaving") return;
    const { reason, message } = verdict(outcome);
    const known = before.conditions.find(({ type }) => type === CONDITION.assigned);
    const isSame = outcome.state === "Assigned" ? known?.message === message : known?.reason === reason;
    if (isSame) return;
    const { namespace, name, uid } = before.meta;
    const about = { apiVersion: "v1", kind: "Service", namespace, name, uid };
    if (outcome.state === "Assigned") this.#deps.events.record(about, "Normal", "Assigned", message);
    else this.#deps.events.record(about, "Warning", "AssignmentFailed", message);
    this.#deps.log.info(outcome.state === "Assigned" ? "assigned" : "not assigned", {
      service: key,
      reason,
      why: message,
    });
  }

  async #reconcilePool(name: string, signal: AbortSignal): Promise<void> {
    const object = this.#deps.watched.pools.get(name);
    if (object === undefined) return;
    await writeStatus({
      ...this.#deps,
      kind: "IPPool",
      path: `/apis/${API_VERSION}/ippools/${name}`,
      object,
      keep: ipPools.keep,
      signal,
      build: (current) => {
        const pool = this.#book.pools.find((pool) => pool.name === name);
        return pool && poolPatch(current, pool, this.#deps.clock.wallNow());
      },
    });
  }
}

function servicePath(key: string): string {
  const [namespace, name] = key.split("/");
  return `/api/v1/namespaces/${namespace}/services/${name}`;
}
