import type { Registry } from "prom-client";
import { encodeClaims } from "../api/claims.ts";
import type { IPPool } from "../api/ippool.ts";
import type { EndpointSlice, Node, Service } from "../api/objects.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import type { Cancel, Clock } from "../clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { ipPools, speakers } from "../kube/herald-resources.ts";
import { Reflector } from "../kube/reflector.ts";
import { endpointSlices, type Kept, nodes, type Resource, services } from "../kube/resource.ts";
import { Store } from "../kube/store.ts";
import type { Log } from "../log.ts";
import { type Interface, machine, usableInterfaces } from "./interfaces.ts";
import { createSpeakerMetrics, type SpeakerMetrics } from "./metrics.ts";
import type { FromSegmentThread, SegmentState } from "./segment-messages.ts";
import { SegmentThread } from "./segment-thread.ts";
import { buildIntent } from "./snapshot.ts";
import { SpeakerStatusWriter } from "./speaker-status.ts";

export interface SpeakerDeps {
  readonly client: KubeClient;
  readonly node: string;
  readonly key: Uint8Array;
  readonly helloIntervalMs: number;
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly registry: Registry;
  readonly signal: AbortSignal;
  readonly notReady: (missing: string | undefined) => void;
}

/** Changes of the API that come within this time are computed together, in ms. */
const SETTLE_MS = 5;
/** How often the machine's interfaces are looked at, in ms; losing one is noticed by the packet socket at once. */
const INTERFACES_MS = 1_000;

/** Runs a speaker until aborted: then it hands its IPs over and returns. Rejects when it can't go on. */
export async function runSpeaker(deps: SpeakerDeps): Promise<void> {
  const speaker = new SpeakerRole(deps);
  await speaker.run();
}

class SpeakerRole {
  readonly #deps: SpeakerDeps;
  readonly #services: Store<Service>;
  readonly #slices: Store<EndpointSlice>;
  readonly #nodes: Store<Node>;
  readonly #pools: Store<IPPool>;
  readonly #speakers: Store<Speaker>;
  readonly #thread: SegmentThread;
  readonly #status: SpeakerStatusWriter;
  readonly #metrics: SpeakerMetrics;
  /** Aborted when everything shall end; reading and writing the API go on while IPs are handed over. */
  readonly #end = new AbortController();
  #interfaces: readonly Interface[] = [];
  #segments: readonly SegmentState[] = [];
  /** The interfaces that the segment thread was told to announce on. */
  #opened: readonly string[] | undefined;
  #settling: Cancel | undefined;

  constructor(deps: SpeakerDeps) {
    this.#deps = deps;
    const { log, client, clock, node, key, helloIntervalMs } = deps;
    this.#metrics = createSpeakerMetrics(deps.registry);
    this.#services = new Store({}, log);
    this.#slices = new Store({ service: (slice) => [`${slice.meta.namespace}/${slice.serviceName}`] }, log);
    this.#nodes = new Store({}, log);
    this.#pools = new Store({}, log);
    this.#speakers = new Store({}, log);
    this.#thread = new SegmentThread({ node, key, helloIntervalMs }, (message) => this.#heard(message));
    this.#status = new SpeakerStatusWriter({
      client,
      node,
      clock,
      log,
      signal: this.#end.signal,
      nodeUid: () => this.#nodes.get(node)?.meta.uid,
      wrote: this.#metrics.recordWritten,
    });
  }

  async run(): Promise<void> {
    const { signal, notReady } = this.#deps;
    notReady("the API server has not been read yet");
    const reflecting = [
      this.#reflect(services, this.#services),
      this.#reflect(endpointSlices, this.#slices),
      this.#reflect(nodes, this.#nodes),
      this.#reflect(ipPools, this.#pools),
      this.#reflect(speakers, this.#speakers),
    ];
    this.#watchInterfaces();
    try {
      await Promise.race([aborted(signal), this.#thread.failed]);
      notReady("ending");
      await this.#thread.leave();
    } finally {
      this.#settling?.();
      this.#end.abort();
      await Promise.all(reflecting);
    }
  }

  #reflect<T extends Kept>(resource: Resource<T>, store: Store<T>): Promise<void> {
    const { client, clock, random, log } = this.#deps;
    store.onChange(() => this.#wake());
    const reflector = new Reflector({ client, resource, store, clock, random, log });
    void reflector.whenSynced().then(() => this.#wake());
    return reflector.run(this.#end.signal);
  }

  #wake(): void {
    this.#settling ??= this.#deps.clock.after(SETTLE_MS, () => {
      this.#settling = undefined;
      this.#compute();
    });
  }

  /** Computes what each segment has to know, and hands it to the segment thread. */
  #compute(): void {
    const stores = {
      Service: this.#services,
      EndpointSlice: this.#slices,
      Node: this.#nodes,
      IPPool: this.#pools,
      Speaker: this.#speakers,
    };
    const unread = Object.entries(stores).filter(([, store]) => !store.synced);
    if (unread.length > 0) return;
    const { segments } = buildIntent(
      this.#deps.node,
      {
        services: this.#services.list(),
        slicesOf: (service) => this.#slices.by("service", service),
        nodes: this.#nodes.list(),
        pools: this.#pools.list(),
        speakers: this.#speakers.list(),
        versions: new Map(Object.entries(stores).map(([kind, store]) => [kind, store.version])),
      },
      this.#interfaces,
    );
    this.#opened = segments.map((segment) => segment.interface);
    this.#thread.update(segments);
  }

  #watchInterfaces(): void {
    if (this.#end.signal.aborted) return;
    const found = usableInterfaces(machine, this.#interfaces);
    if (JSON.stringify(found) !== JSON.stringify(this.#interfaces)) {
      this.#interfaces = found;
      this.#deps.log.info("usable interfaces", { interfaces: found.map(({ name }) => name) });
      this.#wake();
      this.#showStatus();
    }
    this.#deps.clock.after(INTERFACES_MS, () => this.#watchInterfaces());
  }

  #heard(message: FromSegmentThread): void {
    const { log } = this.#deps;
    switch (message.what) {
      case "state":
        this.#segments = message.segments;
        this.#metrics.show(message.segments, message.longestSleepMs);
        this.#showReadiness();
        this.#showStatus();
        break;
      case "changes":
        for (const { what, cause, ip, interface: name, epoch } of message.changes) {
          this.#metrics.ownershipChanged(what, cause);
          log.info(`${what} ${ip}`, { interface: name, cause, epoch });
        }
        break;
      case "problem":
        log.error("an interface can't be used; trying on", { interface: message.interface, problem: message.message });
        this.#deps.clock.after(INTERFACES_MS, () => this.#wake());
        break;
    }
  }

  #showReadiness(): void {
    if (!this.#deps.signal.aborted) this.#deps.notReady(this.#whatIsMissing());
  }

  #whatIsMissing(): string | undefined {
    if (this.#interfaces.length === 0) return "no interface to announce on";
    if (this.#opened === undefined) return "the API server has not been read yet";
    const running = new Map(this.#segments.map((segment) => [segment.interface, segment.view]));
    const closed = this.#opened.filter((name) => !running.has(name));
    if (closed.length > 0) return `${closed.join(", ")} can't be used yet`;
    const starting = this.#opened.filter((name) => running.get(name)?.starting);
    return starting.length > 0 ? `listening on ${starting.join(", ")} before claiming` : undefined;
  }

  /**
   * Shows interfaces and claims in the Speaker object: the record that others, and this node's next run, go by. While a
   * segment starts, its recorded claims stay: they are what it is going to adopt.
   */
  #showStatus(): void {
    if (!this.#speakers.synced) return;
    const recorded = this.#speakers.get(this.#deps.node)?.status.layer2?.claims ?? [];
    const open = new Map(this.#segments.map((segment) => [segment.interface, segment]));
    const kept = recorded.filter(({ interface: name }) => open.get(name)?.view.starting ?? true);
    const claims = [...open.values()].flatMap(({ interface: name, view }) =>
      view.starting ? [] : view.claims.map(({ ip, epoch }) => ({ ip, epoch, interface: name })),
    );
    const status: SpeakerStatus = {
      version: this.#deps.version,
      incarnation: String(newest(this.#segments)),
      interfaces: this.#interfaces.map(({ name, mac, addresses, defaultRoute }) => ({
        name,
        mac,
        subnets: [...addresses],
        defaultRoute,
      })),
      layer2: { claims: [...encodeClaims(claims), ...kept].sort((a, b) => (a.interface < b.interface ? -1 : 1)) },
    };
    this.#status.set(status);
  }
}

/** The incarnation of this run; an interface that was replaced meanwhile has a later one. */
function newest(segments: readonly SegmentState[]): bigint {
  let incarnation = 0n;
  for (const { view } of segments) if (view.incarnation > incarnation) incarnation = view.incarnation;
  return incarnation;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
