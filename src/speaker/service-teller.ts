import type { Speaker } from "../api/speaker.ts";
import type { Clock } from "../clock.ts";
import type { KubeClient } from "../kube/client.ts";
import type { ConditionText } from "../kube/conditions.ts";
import { EventRecorder } from "../kube/events.ts";
import { keyOf } from "../kube/resource.ts";
import type { Store } from "../kube/store.ts";
import type { Log } from "../log.ts";
import { differences } from "../persistent-map.ts";
import { AnnouncedWriter } from "./announced-writer.ts";
import type { AnnouncementView, IPIntent } from "./announcement.ts";
import { announcedByBGP, type BGPWorld } from "./bgp/announced-by-bgp.ts";
import { type Claimant, claimantsIn } from "./claimants.ts";
import type { Interface } from "./interfaces.ts";
import type { LeanService } from "./lean-services.ts";
import type { SpeakerMetrics } from "./metrics.ts";
import { presenceOf } from "./presence.ts";
import type { OwnershipChange, SegmentState } from "./segment-messages.ts";
import { takeoverOf, takeoverText } from "./takeover.ts";

export interface ServiceTellerDeps {
  readonly client: Pick<KubeClient, "request">;
  readonly node: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: SpeakerMetrics;
  /** With an index "ip" by the IPs that they hold. */
  readonly services: Pick<Store<LeanService>, "list" | "get" | "by">;
  readonly speakers: { list(): readonly Speaker[] };
  /** This node's. */
  readonly interfaces: () => readonly Interface[];
}

/** Events a second, in a storm: they come after what they tell of. */
const EVENTS_PER_SECOND = 50;
/** Gives what waits to be written at the end this long, in ms. */
const FLUSH_MS = 500;

/** What the API says of the IPs, and of the other speakers. */
export interface Intents {
  readonly intentOf: (ip: string) => IPIntent | undefined;
  /** The nodes whose speaker's Pod is Ready; undefined: not known. */
  readonly ready: ReadonlySet<string> | undefined;
  /** The same of BGP. */
  readonly bgp: Omit<BGPWorld, "speakers" | "presence">;
}

/** Tells users on their Services who announces them, and when and why that changed: condition and events. */
export class ServiceTeller {
  readonly #deps: ServiceTellerDeps;
  readonly #writer: AnnouncedWriter;
  readonly #events: EventRecorder;
  #known: Intents | undefined;
  #segments: readonly SegmentState[] = [];
  /** All interfaces are past their start: what this node has is known. */
  #running = false;
  /** What of the segments matters here but for the claims; the same as long as nothing happens. */
  #seen = "";
  #claims: ReadonlyMap<string, SegmentState["claims"]> = new Map();
  #changes: OwnershipChange[] = [];
  /** When this node got what it has, in milliseconds since 1970, by interface, then by IP. */
  readonly #gainedMs = new Map<string, Map<string, number>>();
  #view: AnnouncementView | undefined;

  constructor(deps: ServiceTellerDeps) {
    const { client, node, clock, random, metrics } = deps;
    this.#deps = deps;
    this.#events = new EventRecorder({
      client,
      component: "herald-speaker",
      instance: node,
      clock,
      random,
      perSecond: EVENTS_PER_SECOND,
      dropped: metrics.eventDropped,
    });
    this.#writer = new AnnouncedWriter({
      ...deps,
      view: () => this.#viewNow(),
      wrote: metrics.conditionWritten,
      told: (service, before, after) => this.#tellWritten(service, before, after),
    });
    metrics.watchConditions(() => this.#writer.queue.depth + this.#writer.queue.retrying);
  }

  /** Writes until aborted, and for a moment after that. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#writer.run(signal);
    await this.#events.end(FLUSH_MS);
  }

  serviceChanged(key: string): void {
    this.#writer.look([key]);
  }

  /** Takes what is known now; `changed`: the IPs of which it says something else than before. */
  setIntents(known: Intents, changed: readonly string[] | "All"): void {
    this.#known = known;
    this.#renew(changed);
  }

  /** Says that sessions of some node came up or went down. */
  sessionsChanged(): void {
    this.#renew("All");
  }

  /** Says that some node recorded other claims of these IPs. */
  recordsChanged(ips: readonly string[] | "All"): void {
    this.#renew(ips);
  }

  /** Takes what happened to IPs of this node; it is told with the next state, which explains it. */
  changed(changes: readonly OwnershipChange[]): void {
    this.#changes.push(...changes);
  }

  setSegments(segments: readonly SegmentState[], running: boolean): void {
    this.#segments = segments;
    this.#tellChanges();
    const seen = JSON.stringify([running, segments.map(({ interface: name, view }) => [name, whatMatters(view)])]);
    const claims = new Map(segments.map((segment) => [segment.interface, segment.claims]));
    const before = this.#claims;
    this.#claims = claims;
    if (seen === this.#seen) {
      const changed = [...claims].flatMap(([name, now]) => differences(before.get(name) ?? now, now));
      if (changed.length > 0) this.#renew(changed);
      return;
    }
    this.#seen = seen;
    this.#running = running;
    this.#renew("All");
  }

  #renew(changed: readonly string[] | "All"): void {
    this.#view = undefined;
    if (!this.#running || this.#known === undefined) return;
    this.#writer.look(
      changed === "All" ? changed : changed.flatMap((ip) => this.#holdersOf(ip).map(({ meta }) => keyOf(meta))),
    );
  }

  #viewNow(): AnnouncementView | undefined {
    if (!this.#running || this.#known === undefined) return undefined;
    this.#view ??= this.#buildView(this.#known);
    return this.#view;
  }

  #buildView({ intentOf, ready, bgp }: Intents): AnnouncementView {
    const { node: self, speakers, interfaces } = this.#deps;
    const presence = presenceOf(this.#segments, ready);
    const all = speakers.list();
    const claims = {
      ...{ self, speakers: all, segments: this.#segments, interfaces: interfaces(), presence },
      sinceMs: (name: string, ip: string) => this.#gainedMs.get(name)?.get(ip),
    };
    return {
      self,
      speakers: [...new Set([...all.map(({ meta }) => meta.name), self])],
      presence,
      claimantsOf: claimantsIn(claims),
      intentOf,
      bgp: announcedByBGP({ ...bgp, speakers: all, presence: (node) => (node === self ? "Speaking" : presence(node)) }),
    };
  }

  #tellChanges(): void {
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    const gained = new Map<string, OwnershipChange>();
    for (const change of changes) {
      const { interface: name, ip } = change;
      const gainedMs = this.#gainedMs.get(name) ?? new Map<string, number>();
      this.#gainedMs.set(name, gainedMs);
      if (change.what === "Conflict") this.#tellConflict(change);
      if (change.what === "Lost" || change.what === "Released") gainedMs.delete(ip);
      if (change.what !== "Claimed" && change.what !== "Announced") continue;
      gained.set(`${name} ${ip}`, change);
      gainedMs.set(ip, this.#wallMs(change));
    }
    const claims = new Map(this.#segments.map((segment) => [segment.interface, segment.claims]));
    const recorded = this.#recordedClaimants();
    for (const change of gained.values()) {
      const claim = claims.get(change.interface)?.get(change.ip);
      if (claim !== undefined && !claim.tentative) this.#tellGain(change, recorded);
    }
  }

  #wallMs({ interface: name, atMs }: OwnershipChange): number {
    const nowMs = this.#segments.find((segment) => segment.interface === name)?.atMs ?? atMs;
    return this.#deps.clock.wallNow() - (nowMs - atMs);
  }

  #tellGain(change: OwnershipChange, recorded: (ip: string) => readonly Claimant[]): void {
    const { node: self, metrics, interfaces } = this.#deps;
    const { ip, interface: name } = change;
    const takeover = takeoverOf({
      self,
      change,
      recorded: recorded(ip),
      neighbours: this.#segments.find((segment) => segment.interface === name)?.view.neighbours ?? [],
      intent: this.#known?.intentOf(ip),
    });
    if (takeover === undefined) return;
    metrics.tookOver(takeover);
    const mac = interfaces().find((one) => one.name === name)?.mac ?? "";
    const reason = takeover.from === undefined ? "Announced" : "TakenOver";
    this.#tellHolders(ip, "Normal", reason, takeoverText(takeover, self, mac));
  }

  #tellConflict({ ip, interface: name, cause }: OwnershipChange): void {
    const [kind = "", who = ""] = cause.split(" ", 2);
    const rival = kind === "Node" ? `node ${who}` : `a stranger (${who})`;
    const note = `${ip}: ${rival} answers for it too, as node ${this.#deps.node} sees on ${name}`;
    this.#tellHolders(ip, "Warning", "AddressConflict", note);
  }

  #tellWritten(service: LeanService, before: ConditionText | undefined, after: ConditionText | undefined): void {
    if (after?.status !== "False" || after.reason === "AddressConflict") return;
    if (before?.status === "False" && before.reason === after.reason) return;
    this.#tell(service, "Warning", "NotAnnounced", after.message);
  }

  #tellHolders(ip: string, type: "Normal" | "Warning", reason: string, note: string): void {
    for (const service of this.#holdersOf(ip)) this.#tell(service, type, reason, note);
  }

  #tell({ meta }: LeanService, type: "Normal" | "Warning", reason: string, note: string): void {
    const { namespace, name, uid } = meta;
    this.#events.record({ apiVersion: "v1", kind: "Service", namespace, name, uid }, type, reason, note);
  }

  /** Tells who had an IP by the records, the dead among them. */
  #recordedClaimants(): (ip: string) => readonly Claimant[] {
    const speakers = this.#deps.speakers.list();
    return claimantsIn({ self: "", speakers, segments: [], interfaces: [], presence: () => "Speaking" });
  }

  #holdersOf(ip: string): readonly LeanService[] {
    return this.#deps.services.by("ip", ip);
  }
}

function whatMatters({ neighbours, conflicts, starting }: SegmentState["view"]): unknown {
  return [
    starting,
    neighbours.map(({ node, state }) => [node, state]),
    conflicts.map(({ ip, mac, announced }) => [ip, mac, announced]),
  ];
}
