import { isDeepStrictEqual } from "node:util";
import type { Registry } from "prom-client";
import type { BGPPeer } from "../api/bgp-peer.ts";
import type { IPPool } from "../api/ippool.ts";
import { EVACUATE_NODE_LABEL } from "../api/names.ts";
import type { Node, Secret } from "../api/objects.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import type { Daemon } from "../bgp/daemon.ts";
import { BGP_PORT } from "../bgp/model.ts";
import { type Cancel, type Clock, type Rest, restMs } from "../clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { bgpPeers, ipPools } from "../kube/herald-resources.ts";
import { Reflector } from "../kube/reflector.ts";
import { type Kept, nodes, type Resource } from "../kube/resource.ts";
import { secretsIn } from "../kube/secrets.ts";
import { type SpeakerPod, speakerPods } from "../kube/speaker-pods.ts";
import { type Change, Store } from "../kube/store.ts";
import type { TimerSettings } from "../l2/timing.ts";
import type { Log } from "../log.ts";
import { BGPRole, type BGPSnapshot } from "./bgp/bgp-role.ts";
import { createBGPMetrics } from "./bgp/metrics.ts";
import { PeerTeller } from "./bgp/peer-teller.ts";
import { isPortTaken } from "./bgp/port-taken.ts";
import { probePeer } from "./bgp/probe.ts";
import { SecretsReading } from "./bgp/secrets-reading.ts";
import {
  changedRecords,
  layer2Of,
  leanSpeakers,
  sameButVersion,
  sessionsOf,
  specOf,
  withoutCondition,
} from "./concern.ts";
import { HeldIPs } from "./held-ips.ts";
import { type Interface, machine, usableInterfaces } from "./interfaces.ts";
import { type LeanService, leanServices } from "./lean-services.ts";
import { type LeanSlice, leanSlices } from "./lean-slices.ts";
import { createSpeakerMetrics, type SpeakerMetrics } from "./metrics.ts";
import { type StatusOf, watchNodeProxy } from "./node-proxy.ts";
import { OwnClaims } from "./own-claims.ts";
import { shownOf } from "./own-layer2.ts";
import { ownStatus } from "./own-status.ts";
import type { Leave, SegmentInput, SegmentState } from "./segment-messages.ts";
import { type Heard, SegmentThread } from "./segment-thread.ts";
import { ServiceTeller } from "./service-teller.ts";
import { type ApiView, Segments } from "./snapshot.ts";
import { SpeakerStatusWriter } from "./speaker-status.ts";
import { tellChanges } from "./tell-changes.ts";

export interface SpeakerDeps {
  readonly client: KubeClient;
  readonly node: string;
  /** Herald's own: there the speakers' Pods are. */
  readonly namespace: string;
  readonly key: Uint8Array;
  readonly timers: TimerSettings;
  /** Tells whether this node forwards to Services; undefined: nobody asks. */
  readonly nodeProxyUrl: string | undefined;
  readonly statusOf: StatusOf;
  /** This node's gobgpd. */
  readonly daemon: Daemon;
  /** For how long routes say that they are about to go before they are withdrawn; 0: they don't. */
  readonly drainDelayMs: number;
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
/** After a computation the next one waits: a storm of changes takes no whole CPU. */
const SETTLE_REST: Rest = { share: 3, maxMs: 2_000 };
/** How often the machine's interfaces are looked at, in ms; losing one is noticed by the packet socket at once. */
const INTERFACES_MS = 1_000;

/** Runs a speaker until aborted: then it sees to it that nothing is lost and returns. Rejects when it can't go on. */
export async function runSpeaker(deps: SpeakerDeps): Promise<void> {
  const speaker = new SpeakerRole(deps);
  await speaker.run();
}

class SpeakerRole {
  readonly #deps: SpeakerDeps;
  readonly #services: Store<LeanService>;
  readonly #slices: Store<LeanSlice>;
  readonly #nodes: Store<Node>;
  readonly #pools: Store<IPPool>;
  readonly #speakers: Store<Speaker>;
  readonly #pods: Store<SpeakerPod>;
  readonly #peers: Store<BGPPeer>;
  readonly #secrets: Store<Secret>;
  readonly #secretsReading: SecretsReading;
  readonly #bgp: BGPRole;
  readonly #peerTeller: PeerTeller;
  readonly #thread: SegmentThread;
  readonly #status: SpeakerStatusWriter;
  readonly #metrics: SpeakerMetrics;
  readonly #teller: ServiceTeller;
  /** Aborted when everything shall end; reading and writing the API go on while IPs are handed over. */
  readonly #end = new AbortController();
  #interfaces: readonly Interface[] = [];
  #notForwarding = false;
  #segments: readonly SegmentState[] = [];
  /** When they were so, in milliseconds since 1970. */
  #segmentsWallMs = 0;
  /** The interfaces that the segment thread was told to announce on. */
  #opened: readonly string[] | undefined;
  #settling: Cancel | undefined;
  /** When the next computation may begin. */
  #notBeforeMs = 0;
  /** Something changed that is more than its version. */
  #news = true;
  #retry = false;
  readonly #held: HeldIPs;
  readonly #placed: Segments;
  #segmentInputs: readonly SegmentInput[] = [];
  /** What is told of all Services depends on it, besides what is where. */
  #world: readonly unknown[] = [];
  /** What of the segments the status was made of. */
  #shown: readonly unknown[] = [];
  #ownStatus: SpeakerStatus | undefined;
  readonly #ownClaims = new OwnClaims();

  constructor(deps: SpeakerDeps) {
    this.#deps = deps;
    const { log, client, clock, node, key, timers } = deps;
    this.#metrics = createSpeakerMetrics(deps.registry);
    this.#services = new Store({ ip: ({ ips }) => ips }, log);
    this.#slices = new Store({ service: ({ service }) => [service] }, log);
    this.#held = new HeldIPs({
      services: () => this.#services.list(),
      holdersOf: (ip) => this.#services.by("ip", ip),
      slicesOf: (service) => this.#slices.by("service", service),
    });
    this.#placed = new Segments(deps.node);
    this.#nodes = new Store({}, log);
    this.#pools = new Store({}, log);
    this.#speakers = new Store({}, log);
    this.#pods = new Store({}, log);
    this.#peers = new Store({}, log);
    this.#secrets = new Store({}, log);
    this.#secretsReading = new SecretsReading(deps.namespace, () => this.#secrets.synced);
    this.#peerTeller = new PeerTeller({ ...deps, peers: this.#peers, dropped: this.#metrics.eventDropped });
    this.#bgp = new BGPRole({
      ...deps,
      metrics: createBGPMetrics(deps.registry),
      probe: probePeer,
      isPortTaken: () => isPortTaken(BGP_PORT),
      touched: () => this.#showStatus(),
      tell: (news) => this.#peerTeller.tell(news),
    });
    this.#thread = new SegmentThread({ node, key, ...timers }, (message) => this.#heard(message));
    this.#status = new SpeakerStatusWriter({
      client,
      node,
      clock,
      log,
      signal: this.#end.signal,
      random: deps.random,
      speakers: () => this.#speakers.size,
      nodeUid: () => this.#nodes.get(node)?.meta.uid,
      wrote: this.#metrics.recordWritten,
    });
    this.#teller = new ServiceTeller({
      ...deps,
      metrics: this.#metrics,
      services: this.#services,
      speakers: this.#speakers,
      interfaces: () => this.#interfaces,
    });
  }

  async run(): Promise<void> {
    const { signal, notReady } = this.#deps;
    notReady("the API server has not been read yet");
    const reflecting = [
      this.#reflect(leanServices, this.#services, {
        concern: withoutCondition,
        isNews: ({ before, after }) => this.#touch([before, after]),
      }),
      this.#reflect(leanSlices, this.#slices, {
        isNews: ({ before, after }) =>
          this.#touch([before, after].map((slice) => slice && this.#services.get(slice.service))),
      }),
      this.#reflect(nodes, this.#nodes),
      this.#reflect(ipPools, this.#pools, { concern: specOf }),
      this.#reflect(leanSpeakers(this.#deps.node), this.#speakers, { concern: layer2Of }),
      this.#reflect(speakerPods(this.#deps.namespace), this.#pods),
      this.#reflect(bgpPeers, this.#peers),
      this.#reflect(secretsIn(this.#deps.namespace), this.#secrets, {
        failed: (error) => {
          if (this.#secretsReading.failed(error)) this.#wake(true);
        },
      }),
      this.#bgp.run(this.#end.signal),
      this.#followNodeProxy(),
      this.#teller.run(this.#end.signal),
    ];
    this.#services.onChange(({ key }) => this.#teller.serviceChanged(key));
    this.#speakers.onChange(({ key, before, after }) => {
      if (key === this.#deps.node) this.#status.saw(after);
      if (!isDeepStrictEqual(sessionsOf(before?.status.bgp), sessionsOf(after?.status.bgp)))
        this.#teller.sessionsChanged();
      this.#teller.recordsChanged(changedRecords(before, after));
    });
    this.#pollInterfaces();
    try {
      await Promise.race([aborted(signal), this.#thread.failed]);
      notReady("ending");
      const how = this.#howToLeave();
      await Promise.all([this.#thread.leave(how), this.#bgp.leave(how)]);
    } finally {
      this.#settling?.();
      this.#end.abort();
      await Promise.all([...reflecting, this.#peerTeller.end()]);
    }
  }

  #reflect<T extends Kept>(
    resource: Resource<T>,
    store: Store<T>,
    { concern = (object) => object, isNews = () => true, failed }: Reflecting<T> = {},
  ): Promise<void> {
    const { client, clock, random, log } = this.#deps;
    store.onChange((change) => {
      const { before, after } = change;
      this.#wake(!sameButVersion(before && concern(before), after && concern(after)) && isNews(change));
    });
    const reflector = new Reflector({ client, resource, store, clock, random, log, ...(failed && { failed }) });
    void reflector.whenSynced().then(() => this.#wake(true));
    return reflector.run(this.#end.signal);
  }

  /** Has the IPs of Services that changed looked at; says whether there are any. */
  #touch(changed: readonly (LeanService | undefined)[]): boolean {
    const ips = changed.flatMap((service) => service?.ips ?? []);
    this.#held.touch(ips);
    return ips.length > 0;
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
      const api = this.#apiView(versions);
      const held = this.#held.now();
      const changed = this.#placed.take(api, this.#interfaces, held);
      this.#segmentInputs = this.#placed.inputs(api, this.#interfaces);
      const bgp = {
        ...{ nodes: api.nodes, pools: api.pools, held },
        ...{ peers: this.#peers.list(), secrets: this.#secrets.list(), secretsUnread: this.#secretsReading.unread },
      };
      const { ready } = api;
      const world = [bgp.peers, bgp.secrets, bgp.secretsUnread, ready && [...ready].sort().join()];
      const sameWorld = world.every((part, i) => part === this.#world[i]);
      this.#world = world;
      const intentOf = (ip: string) => this.#placed.intentOf(ip);
      this.#teller.setIntents({ intentOf, ready, bgp }, sameWorld ? changed : "All");
      this.#tellBGP(bgp);
      if (this.#opened === undefined) this.#showStatus();
      this.#opened = this.#segmentInputs.map((segment) => segment.interface);
      const endedMs = this.#deps.clock.now();
      this.#notBeforeMs = endedMs + restMs(SETTLE_REST, endedMs - started);
    }
    const inputs = this.#segmentInputs.map((input) => ({ ...input, snapshot: { ...input.snapshot, versions } }));
    this.#tellConditions();
    this.#thread.update(inputs, this.#retry);
    this.#retry = false;
  }

  #apiView(versions: ReadonlyMap<string, string>): ApiView {
    return {
      nodes: this.#nodes.list(),
      pools: this.#pools.list(),
      speakers: this.#speakers.list(),
      ready: this.#readyNodes(),
      versions,
    };
  }

  /** What BGP goes by is told once all of it is read: what is missing would be withdrawn. Secrets that can't be are not waited for. */
  #tellBGP(known: Pick<BGPSnapshot, "peers" | "secrets" | "secretsUnread" | "pools" | "held">): void {
    const needsSecrets = this.#peers.list().some(({ spec }) => spec.passwordSecretRef !== undefined);
    if (!this.#peers.synced || (needsSecrets && this.#secretsReading.isOpen)) return;
    this.#bgp.setSnapshot({
      ...known,
      node: this.#nodes.get(this.#deps.node),
      interfaces: this.#interfaces,
      evacuating: this.#isEvacuating(),
      recorded: this.#speakers.get(this.#deps.node)?.status.bgp !== undefined,
    });
  }

  /** The speakers that the API shows ready; not known where it was not read yet, or the right to read it is missing. */
  #readyNodes(): ReadonlySet<string> | undefined {
    if (!this.#pods.synced) return undefined;
    return new Set(this.#pods.list().flatMap(({ nodeName, ready }) => (ready ? [nodeName] : [])));
  }

  async #followNodeProxy(): Promise<void> {
    const { nodeProxyUrl: url, statusOf, clock, log } = this.#deps;
    if (url === undefined) return;
    const changed = (forwarding: boolean) => {
      this.#notForwarding = !forwarding;
      this.#tellConditions();
      this.#bgp.setNotForwarding(!forwarding);
    };
    await watchNodeProxy({ url, statusOf, clock, log, signal: this.#end.signal, changed });
  }

  #tellConditions(): void {
    this.#thread.setConditions({ evacuating: this.#isEvacuating(), notForwarding: this.#notForwarding });
  }

  #isEvacuating(): boolean {
    return this.#nodes.get(this.#deps.node)?.meta.labels[EVACUATE_NODE_LABEL] === "true";
  }

  /** A node that is being emptied will not be back soon; else the speaker is, with the IPs that the node has now. */
  #howToLeave(): Leave {
    const emptied = this.#isEvacuating() || this.#nodes.get(this.#deps.node)?.unschedulable === true;
    return emptied ? "HandOver" : "Restart";
  }

  #pollInterfaces(): void {
    if (this.#end.signal.aborted) return;
    this.#lookAtInterfaces();
    this.#deps.clock.after(INTERFACES_MS, () => this.#pollInterfaces());
  }

  #lookAtInterfaces(): void {
    const found = usableInterfaces(machine, this.#interfaces, namedInterfaces(this.#pools.list(), this.#peers.list()));
    if (JSON.stringify(found) !== JSON.stringify(this.#interfaces)) {
      const names = found.map(({ name }) => name);
      if (names.join() !== this.#interfaces.map(({ name }) => name).join())
        this.#deps.log.info("usable interfaces", { interfaces: names });
      this.#interfaces = found;
      this.#wake(true);
      this.#showStatus();
    }
  }

  #heard(message: Heard): void {
    const { log } = this.#deps;
    switch (message.what) {
      case "state":
        this.#segments = message.segments;
        this.#segmentsWallMs = this.#deps.clock.wallNow();
        this.#metrics.show(message.segments, message.longestSleepMs);
        this.#showReadiness();
        this.#showIfChanged();
        this.#teller.setSegments(message.segments, this.#whatIsMissing() === undefined);
        break;
      case "changes":
        for (const change of message.changes) this.#metrics.ownershipChanged(change);
        this.#teller.changed(message.changes);
        for (const { text, fields } of tellChanges(message.changes)) log.info(text, fields);
        break;
      case "link":
        this.#lookAtInterfaces();
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

  /** Keeps the status in step with what the segment thread says: most of what it tells each second changes nothing of it. */
  #showIfChanged(): void {
    const made = this.#segments.flatMap(({ interface: name, view, claims }) => [
      name,
      view.starting,
      view.incarnation,
      claims,
      shownOf(view),
    ]);
    if (made.length === this.#shown.length && made.every((part, i) => part === this.#shown[i])) return;
    this.#shown = made;
    this.#showStatus();
  }

  /** What is recorded must be known first: it is what this run is going to adopt. */
  #showStatus(): void {
    if (this.#speakers.synced) this.#status.set(() => this.#makeStatus());
  }

  #makeStatus(): SpeakerStatus {
    const [segment] = this.#segments;
    this.#ownStatus = ownStatus({
      version: this.#deps.version,
      interfaces: this.#interfaces,
      segments: this.#segments,
      claims: this.#ownClaims,
      bgp: this.#bgp,
      recorded: this.#speakers.get(this.#deps.node)?.status,
      before: this.#ownStatus,
      wall: (segmentMs) => this.#segmentsWallMs - ((segment?.atMs ?? segmentMs) - segmentMs),
      nowMs: this.#deps.clock.wallNow(),
    });
    return this.#ownStatus;
  }
}

/** What is done with the objects of one kind besides keeping them. */
interface Reflecting<T> {
  /** Leaves of an object what is gone by. */
  readonly concern?: (object: T) => Kept;
  /** Says of a change of that whether there is anything to compute. */
  readonly isNews?: (change: Change<T>) => boolean;
  readonly failed?: (error: unknown) => void;
}

/** The interfaces that pools and BGPPeers name in full: they may announce though they look like those of a container network. */
function namedInterfaces(pools: readonly IPPool[], peers: readonly BGPPeer[]): ReadonlySet<string> {
  const entries = pools.flatMap(({ spec }) => spec.announce.flatMap(({ layer2 }) => layer2 ?? []));
  const bound = peers.flatMap(({ spec }) => spec.bindInterface ?? []);
  return new Set([...entries.flatMap(({ interfaces = [] }) => interfaces), ...bound]);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
