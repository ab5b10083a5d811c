import type { Service, ServiceIngress } from "../api/objects.ts";
import type { AddressBook, Outcome } from "../ipam/address-book.ts";
import { formatIP, parseIP } from "../ipam/addresses.ts";
import type { Assignment } from "../ipam/demand.ts";
import type { Steps } from "../ipam/steps.ts";
import { Budgets } from "../kube/budgets.ts";
import { servicePath } from "../kube/paths.ts";
import { services } from "../kube/resource.ts";
import { WorkQueue } from "../kube/work-queue.ts";
import { writeStatus } from "../kube/write-status.ts";
import { isOurs } from "./demand.ts";
import { serviceEvents } from "./service-events.ts";
import { forgetPatch, isTold, leavingPatch, type ServicePatch, servicePatch, type Told } from "./service-patch.ts";
import type { WriterDeps } from "./term.ts";
import { Turnover } from "./turnover.ts";
import { workOff } from "./work-off.ts";

const WORKERS = 32;

/** Writes of one Service: what needs more is a quarrel with another writer, who must not make a busy loop of it. */
const PACE = { burst: 10, refillMs: 5000, most: 20_000 };

/** What the log says of the events. */
const LOGGED = { Assigned: "assigned", AssignmentFailed: "not assigned", Stranded: "stranded" } as const;

/**
 * Writes what the address book says of the Services onto them. Each Service is by itself, but for one that is to have an
 * address that another has still got: it waits until that has been seen without it.
 */
export class ServiceWriter {
  readonly queue: WorkQueue;
  readonly #deps: WriterDeps;
  readonly #book: AddressBook;
  /** Hears of each pool that a Service is written to hold an address of. */
  readonly #held: (pool: string) => void;
  /** Services that were served and are no more, whether deleted or of another type or class now. */
  readonly #departed = new Set<string>();
  readonly #turnover = new Turnover();
  readonly #pace = new Budgets(PACE);
  /** Services whose next write waits for the pace. */
  readonly #contested = new Set<string>();
  /** When those were first seen that have not been looked at yet, on the monotonic clock. */
  readonly #freshMs = new Map<string, number>();

  constructor(deps: WriterDeps, book: AddressBook, held: (pool: string) => void) {
    this.#deps = deps;
    this.#book = book;
    this.#held = held;
    this.queue = new WorkQueue(deps);
  }

  /** Has those Services looked at that have changed, or whose outcome may have. */
  *look(keys: readonly string[]): Steps<void> {
    for (const key of keys) {
      for (const next of this.#turnover.leaves(key, this.#leaving(key))) this.queue.add(next);
      yield;
    }
    for (const key of keys) this.queue.add(key);
  }

  /** Notes that a Service is served from now on. */
  arrived(key: string): void {
    this.#freshMs.set(key, this.#deps.clock.now());
  }

  /** Notes that a Service is served no more. */
  departed(key: string): void {
    this.#departed.add(key);
    this.#freshMs.delete(key);
  }

  async run(signal: AbortSignal): Promise<void> {
    const work = { queue: "services", workers: WORKERS, what: "the status of a Service", field: "service" } as const;
    const handle = (key: string) => this.#handle(key, signal);
    await workOff(this.queue, { ...work, handle, signal }, this.#deps);
  }

  #isOurs(service: Service): boolean {
    return isOurs(service, this.#deps.classOnly);
  }

  async #handle(key: string, signal: AbortSignal): Promise<void> {
    const service = this.#deps.watched.services.get(key);
    if (service === undefined || !this.#isOurs(service)) return await this.#forget(key, signal);
    this.#departed.delete(key);
    let told: { readonly before: Service; readonly outcome: Told } | undefined;
    const written = await writeStatus({
      ...this.#deps,
      wrote: (result) => this.#deps.metrics.wrote("Service", result),
      path: servicePath(key),
      object: service,
      keep: services.keep,
      signal,
      build: (current) =>
        this.#deps.turns.look(() => {
          // Between two tries the Service may have become another's, or another Service of its name.
          if (!this.#isOurs(current) || current.meta.uid !== service.meta.uid) return undefined;
          const outcome = this.#book.outcome(key);
          if (outcome?.state === "Leaving") return this.#patch(current, outcome);
          if (!isTold(outcome)) return undefined;
          this.#noteHeld(outcome);
          const patch = this.#patch(current, outcome);
          if (patch && this.#mustWait(key, current, patch))
            // Of those who wait for each other one has to let go first.
            return this.#turnover.isAwaited(key) && this.#mayWrite(key) ? lettingGo(current, patch) : undefined;
          told = { before: current, outcome };
          return patch && this.#mayWrite(key) ? patch : undefined;
        }),
    });
    if (!told) return;
    if (written) this.#tell(key, told.before, told.outcome);
    this.#freshMs.delete(key);
  }

  #noteHeld(outcome: Told): void {
    const held = heldBy(outcome);
    if (held) this.#held(held.pool);
  }

  /** The addresses that the next write will take out of a Service's status. */
  #leaving(key: string): readonly string[] {
    const service = this.#deps.watched.services.get(key);
    if (service === undefined || service.ingress.length === 0 || !this.#isOurs(service)) return [];
    const outcome = this.#book.outcome(key);
    if (outcome === undefined || outcome.state === "Undecided") return [];
    const held = isTold(outcome) ? heldBy(outcome)?.ips.map(formatIP) : undefined;
    // Nearly always it has what it holds, as it was written: nothing has to be parsed for that.
    if (held) return without(textsOf(service.ingress.filter(({ ip = "" }) => !held.includes(ip))), held);
    const ingress = this.#patch(service, outcome)?.status?.loadBalancer?.ingress;
    return ingress === undefined ? [] : without(textsOf(service.ingress), textsOf(ingress));
  }

  /** Tells whether a Service has to wait until another is without an address that `patch` gives it. */
  #mustWait(key: string, { ingress }: Service, { status }: ServicePatch): boolean {
    const gets = without(textsOf(status?.loadBalancer?.ingress), textsOf(ingress));
    return this.#turnover.awaits(key, gets);
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
    this.queue.addAfter(key, waitMs);
    return false;
  }

  #patch(service: Service, outcome: Exclude<Outcome, { state: "Undecided" }>): ServicePatch | undefined {
    const options = { inPool: (ip: string) => this.#isInPool(ip), now: this.#deps.clock.wallNow() };
    return isTold(outcome) ? servicePatch(service, outcome, options) : leavingPatch(service, options);
  }

  #isInPool(text: string): boolean {
    const ip = parseIP(text);
    return ip !== undefined && this.#book.contains(ip);
  }

  /** Takes the record off a Service that has another type or class now; of a deleted one there is nothing left. */
  async #forget(key: string, signal: AbortSignal): Promise<void> {
    this.#contested.delete(key);
    if (!this.#departed.has(key)) return;
    await writeStatus({
      ...this.#deps,
      wrote: (result) => this.#deps.metrics.wrote("Service", result),
      path: servicePath(key),
      keep: services.keep,
      signal,
      build: (current) => (this.#isOurs(current) ? undefined : forgetPatch(current)),
    });
    this.#departed.delete(key);
  }

  #tell(key: string, before: Service, outcome: Told): void {
    const { namespace, name, uid } = before.meta;
    const about = { apiVersion: "v1", kind: "Service", namespace, name, uid };
    for (const { type, reason, cause, note } of serviceEvents(before, outcome)) {
      this.#deps.events.record(about, type, reason, note);
      this.#deps.log.info(LOGGED[reason], { service: key, reason: cause, why: note });
    }
    const seenMs = this.#freshMs.get(key);
    if (seenMs !== undefined && outcome.state === "Assigned")
      this.#deps.metrics.assigned(this.#deps.clock.now() - seenMs);
  }
}

function heldBy(outcome: Told): Assignment | undefined {
  return outcome.state === "Assigned" ? outcome.assignment : outcome.keeps;
}

/** As the address book writes them; others write them otherwise. */
function textsOf(ingress: readonly ServiceIngress[] | null | undefined): readonly string[] {
  return (ingress ?? []).flatMap(({ ip }) => {
    const parsed = parseIP(ip ?? "");
    return parsed ? [formatIP(parsed)] : [];
  });
}

function without(ips: readonly string[], others: readonly string[]): readonly string[] {
  return ips.filter((ip) => !others.includes(ip));
}

/** Gives the patch that takes out of a status what `patch` would take out, and puts nothing in. */
function lettingGo({ ingress }: Service, { status }: ServicePatch): ServicePatch {
  const kept = textsOf(status?.loadBalancer?.ingress);
  const left = ingress.filter((one) => textsOf([one]).some((ip) => kept.includes(ip)));
  return { status: { loadBalancer: { ingress: left.length > 0 ? left : null } } };
}
