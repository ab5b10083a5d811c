import { isDeepStrictEqual } from "node:util";
import type { Registry } from "prom-client";
import type { IPPool } from "../api/ippool.ts";
import type { EndpointSlice, Node, Service } from "../api/objects.ts";
import type { Speaker } from "../api/speaker.ts";
import type { Cancel, Clock } from "../clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { ipPools, speakers } from "../kube/herald-resources.ts";
import { Reflector } from "../kube/reflector.ts";
import { endpointSlices, type Kept, nodes, type Resource, services } from "../kube/resource.ts";
import { Store } from "../kube/store.ts";
import type { Log } from "../log.ts";
import { type Interface, machine, usableInterfaces } from "./interfaces.ts";
import { createSpeakerMetrics, type SpeakerMetrics } from "./metrics.ts";
import { ownStatus } from "./own-status.ts";
import type { SegmentInput, SegmentState } from "./segment-messages.ts";
import { type Heard, SegmentThread } from "./segment-thread.ts";
import { buildSegments } from "./snapshot.ts";
import { SpeakerStatusWriter } from "./speaker-status.ts";
import { tellChanges } from "./tell-changes.ts";

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
/** After a computation the next one waits so many times as long as it took: a storm of changes takes no whole CPU. */
const SETTLE_SHARE = 3;
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
  /** When the next computation may begin. */
  #notBeforeMs = 0;
  /** Something changed that is more than its version. */
  #news = true;
  #retry = false;
  #segmentInputs: readonly SegmentInput[] = [];
  /** What of the segments the status was made of. */
  #shown: readonly unknown[] = [];

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
    this.#speakers.onChange(({ key, after }) => {
      if (key === this.#deps.node && after === undefined) this.#status.lost();
    });
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
    store.onChange(({ before, after }) => this.#wake(!sameButVersion(before, after)));
    const reflector = new Reflector({ client, resource, store, clock, random, log });
    void reflector.whenSynced().then(() => this.#wake(true));
    return reflector.run(this.#end.signal);
  }

  #wake(news: boolean): void {
    this.#news ||= news;
    const waitMs = Math.max(SETTLE_MS, this.#notBeforeMs - this.#deps.clock.now());
    this.#settling ??= this.#deps.clock.after(waitMs, () => {
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
    const versions = new Map(Object.entries(stores).map(([kind, store]) => [kind, store.version]));
    if (this.#news) {
      const started = this.#deps.clock.now();
      this.#news = false;
      this.#segmentInputs = this.#build(versions);
      if (this.#opened === undefined) this.#showStatus();
      this.#opened = this.#segmentInputs.map((segment) => segment.interface);
      const endedMs = this.#deps.clock.now();
      this.#notBeforeMs = endedMs + SETTLE_SHARE * (endedMs - started);
    }
    const inputs = this.#segmentInputs.map((input) => ({ ...input, snapshot: { ...input.snapshot, versions } }));
    this.#thread.update(inputs, this.#retry);
    this.#retry = false;
  }

  #build(versions: ReadonlyMap<string, string>): readonly SegmentInput[] {
    return buildSegments(
      this.#deps.node,
      {
        services: this.#services.list(),
        slicesOf: (service) => this.#slices.by("service", service),
        nodes: this.#nodes.list(),
        pools: this.#pools.list(),
        speakers: this.#speakers.list(),
        versions,
      },
      this.#interfaces,
    );
  }

  #watchInterfaces(): void {
    if (this.#end.signal.aborted) return;
    const found = usableInterfaces(machine, this.#interfaces);
    if (JSON.stringify(found) !== JSON.stringify(this.#interfaces)) {
      this.#interfaces = found;
      this.#deps.log.info("usable interfaces", { interfaces: found.map(({ name }) => name) });
      this.#wake(true);
      this.#showStatus();
    }
    this.#deps.clock.after(INTERFACES_MS, () => this.#watchInterfaces());
  }

  #heard(message: Heard): void {
    const { log } = this.#deps;
    switch (message.what) {
      case "state":
        this.#segments = message.segments;
        this.#metrics.show(message.segments, message.longestSleepMs);
        this.#showReadiness();
        this.#showIfChanged();
        break;
      case "changes":
        for (const { what, cause } of message.changes) this.#metrics.ownershipChanged(what, cause);
        for (const { text, fields } of tellChanges(message.changes)) log.info(text, fields);
        break;
      case "problem":
        log.error("an interface can't be used; trying on", { interface: message.interface, problem: message.message });
        this.#deps.clock.after(INTERFACES_MS, () => {
          this.#retry = true;
          this.#wake(false);
        });
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

  /** Keeps the status in step with what the segment thread says; making it of 10 000 claims each second would cost too much. */
  #showIfChanged(): void {
    const made = this.#segments.flatMap(({ interface: name, view, claims }) => [
      name,
      view.starting,
      view.incarnation,
      claims,
    ]);
    if (made.length === this.#shown.length && made.every((part, i) => part === this.#shown[i])) return;
    this.#shown = made;
    this.#showStatus();
  }

  /** What is recorded must be known first: it is what this run is going to adopt. */
  #showStatus(): void {
    if (!this.#speakers.synced) return;
    const recorded = this.#speakers.get(this.#deps.node)?.status;
    this.#status.set(
      ownStatus({
        version: this.#deps.version,
        interfaces: this.#interfaces,
        segments: this.#segments,
        recorded,
      }),
    );
  }
}

/** Says whether an object changed in nothing that is kept but its version: a kubelet's heartbeats, another's conditions. */
function sameButVersion<T extends Kept>(before: T | undefined, after: T | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  const version = after.meta.resourceVersion;
  return isDeepStrictEqual({ ...before, meta: { ...before.meta, resourceVersion: version } }, after);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
