import type { Condition, Service } from "../api/objects.ts";
import type { Speaker } from "../api/speaker.ts";
import type { Clock } from "../clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { EventRecorder } from "../kube/events.ts";
import type { Log } from "../log.ts";
import { AnnouncedWriter } from "./announced-writer.ts";
import { type AnnouncementView, type IPIntent, ipsOf } from "./announcement.ts";
import { announcedByBGP, type BGPWorld } from "./bgp/announced-by-bgp.ts";
import { type Claimant, claimants } from "./claimants.ts";
import type { Interface } from "./interfaces.ts";
import type { SpeakerMetrics } from "./metrics.ts";
import { Pace } from "./pace.ts";
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
  readonly services: { list(): readonly Service[]; get(key: string): Service | undefined };
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
  readonly intents: ReadonlyMap<string, IPIntent>;
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
  readonly #signal = new AbortController();
  #known: Intents | undefined;
  #segments: readonly SegmentState[] = [];
  /** All interfaces are past their start: what this node has is known. */
  #running = false;
  /** What of the segments matters here; the same as long as nothing happens. */
  #seen: readonly unknown[] = [];
  #changes: OwnershipChange[] = [];
  /** When this node got what it has, in milliseconds since 1970, by interface and IP. */
  readonly #gainedMs = new Map<string, number>();
  #view: AnnouncementView | undefined;
  /** By IP, as the Speaker objects had it that are the key. */
  #recorded:
    | { readonly of: readonly Speaker[]; readonly claimants: ReadonlyMap<string, readonly Claimant[]> }
    | undefined;
  #holders: { readonly of: readonly Service[]; readonly byIP: ReadonlyMap<string, readonly Service[]> } | undefined;

  constructor(deps: ServiceTellerDeps) {
    const { client, node, clock, random, metrics } = deps;
    const pace = new Pace(clock, EVENTS_PER_SECOND);
    this.#deps = deps;
    this.#events = new EventRecorder({
      client: {
        request: async (request) => {
          await pace.turn(this.#signal.signal);
          return await client.request(request);
        },
      },
      component: "herald-speaker",
      instance: node,
      clock,
      random,
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
    this.#signal.abort(); // what is left is not held up any more
    await this.#events.end(FLUSH_MS);
  }

  serviceChanged(key: string): void {
    this.#writer.look([key]);
  }

  setIntents(known: Intents): void {
    this.#known = known;
    this.#renew();
  }

  /** Says that sessions of some node came up or went down. */
  sessionsChanged(): void {
    this.#renew();
  }

  /** Takes what happened to IPs of this node; it is told with the next state, which explains it. */
  changed(changes: readonly OwnershipChange[]): void {
    this.#changes.push(...changes);
  }

  setSegments(segments: readonly SegmentState[], running: boolean): void {
    this.#segments = segments;
    this.#tellChanges();
    const seen = [running, ...segments.flatMap(({ claims, view }) => [claims, JSON.stringify(whatMatters(view))])];
    if (seen.length === this.#seen.length && seen.every((part, i) => part === this.#seen[i])) return;
    this.#seen = seen;
    this.#running = running;
    this.#renew();
  }

  #renew(): void {
    this.#view = undefined;
    if (this.#running && this.#known !== undefined) this.#writer.look("All");
  }

  #viewNow(): AnnouncementView | undefined {
    if (!this.#running || this.#known === undefined) return undefined;
    this.#view ??= this.#buildView(this.#known);
    return this.#view;
  }

  #buildView({ intents, ready, bgp }: Intents): AnnouncementView {
    const { node: self, speakers, interfaces } = this.#deps;
    const presence = presenceOf(this.#segments, ready);
    const all = speakers.list();
    return {
      self,
      speakers: [...new Set([...all.map(({ meta }) => meta.name), self])],
      presence,
      claimants: claimants({
        self,
        speakers: all,
        segments: this.#segments,
        interfaces: interfaces(),
        presence,
        sinceMs: (name, ip) => this.#gainedMs.get(`${name} ${ip}`),
      }),
      intents,
      bgp: announcedByBGP({ ...bgp, speakers: all, presence: (node) => (node === self ? "Speaking" : presence(node)) }),
    };
  }

  #tellChanges(): void {
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    const gained = new Map<string, OwnershipChange>();
    for (const change of changes) {
      const key = `${change.interface} ${change.ip}`;
      if (change.what === "Conflict") this.#tellConflict(change);
      if (change.what === "Lost" || change.what === "Released") this.#gainedMs.delete(key);
      if (change.what !== "Claimed" && change.what !== "Announced") continue;
      gained.set(key, change);
      this.#gainedMs.set(key, this.#wallMs(change));
    }
    const announced = new Map(
      this.#segments.map(({ interface: name, claims }) => [
        name,
        new Set(claims.flatMap(({ ip, tentative }) => (tentative ? [] : [ip]))),
      ]),
    );
    for (const change of gained.values()) if (announced.get(change.interface)?.has(change.ip)) this.#tellGain(change);
  }

  #wallMs({ interface: name, atMs }: OwnershipChange): number {
    const nowMs = this.#segments.find((segment) => segment.interface === name)?.atMs ?? atMs;
    return this.#deps.clock.wallNow() - (nowMs - atMs);
  }

  #tellGain(change: OwnershipChange): void {
    const { node: self, metrics, interfaces } = this.#deps;
    const { ip, interface: name } = change;
    const takeover = takeoverOf({
      self,
      change,
      recorded: this.#recordedNow().get(ip) ?? [],
      neighbours: this.#segments.find((segment) => segment.interface === name)?.view.neighbours ?? [],
      intent: this.#known?.intents.get(ip),
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

  #tellWritten(service: Service, before: Condition | undefined, after: Condition | undefined): void {
    if (after?.status !== "False" || after.reason === "AddressConflict") return;
    if (before?.status === "False" && before.reason === after.reason) return;
    this.#tell(service, "Warning", "NotAnnounced", after.message);
  }

  #tellHolders(ip: string, type: "Normal" | "Warning", reason: string, note: string): void {
    for (const service of this.#holdersNow().get(ip) ?? []) this.#tell(service, type, reason, note);
  }

  #tell({ meta }: Service, type: "Normal" | "Warning", reason: string, note: string): void {
    const { namespace, name, uid } = meta;
    this.#events.record({ apiVersion: "v1", kind: "Service", namespace, name, uid }, type, reason, note);
  }

  /** Who had each IP by the records, the dead among them. */
  #recordedNow(): ReadonlyMap<string, readonly Claimant[]> {
    const of = this.#deps.speakers.list();
    if (this.#recorded?.of !== of) {
      const all = claimants({ self: "", speakers: of, segments: [], interfaces: [], presence: () => "Speaking" });
      this.#recorded = { of, claimants: all };
    }
    return this.#recorded.claimants;
  }

  #holdersNow(): ReadonlyMap<string, readonly Service[]> {
    const of = this.#deps.services.list();
    if (this.#holders?.of !== of) {
      const byIP = new Map<string, Service[]>();
      for (const service of of) {
        for (const ip of ipsOf(service)) {
          const known = byIP.get(ip);
          if (known === undefined) byIP.set(ip, [service]);
          else known.push(service);
        }
      }
      this.#holders = { of, byIP };
    }
    return this.#holders.byIP;
  }
}

function whatMatters({ neighbours, conflicts, starting }: SegmentState["view"]): unknown {
  return [
    starting,
    neighbours.map(({ node, state }) => [node, state]),
    conflicts.map(({ ip, mac, announced }) => [ip, mac, announced]),
  ];
}
