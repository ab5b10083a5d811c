import { hash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { API_VERSION, GROUP, VERSION } from "../api/names.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import { type Cancel, type Clock, type Rest, restMs } from "../clock.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/client.ts";
import { keepMeta } from "../kube/resource.ts";
import { compareVersions } from "../kube/version.ts";
import type { Log } from "../log.ts";

const SPEAKERS = `/apis/${GROUP}/${VERSION}/speakers`;
/** At most one write in this time, however much changes. */
const WRITE_GAP_MS = 1_000;
/** The same for what only people read. */
const DISPLAY_GAP_MS = 5_000;
/**
 * What only people read changes on all nodes at once, as where one dies, and each write goes to every speaker: so it is
 * put off by up to this long for each speaker that there is, in ms.
 */
const DISPLAY_SPREAD_MS = 20;
const RETRY_MOST_MS = 10_000;

export interface SpeakerStatusDeps {
  readonly client: KubeClient;
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly random: () => number;
  /** How many nodes have a speaker. */
  readonly speakers: () => number;
  /** The Node's uid, so that the object goes with it; undefined while the Node is not known. */
  readonly nodeUid: () => string | undefined;
  readonly wrote: (result: "ok" | "failed") => void;
}

/** After making a status that need not be written it rests so long: with 10 000 claims that is some ms. */
const LOOK_REST: Rest = { share: 9, maxMs: WRITE_GAP_MS };
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Keeps this node's Speaker object: nobody else writes it, and what somebody writes all the same is put right. The first
 * change is written at once, further ones at most once a second, and less often where the others do not go by it; a
 * failed write is tried again until it succeeds, with whatever is newest by then. The status is made when one is due, and
 * of what was written only digests are kept: 10 000 claims are 250 KB.
 */
export class SpeakerStatusWriter {
  readonly #deps: SpeakerStatusDeps;
  #make: (() => SpeakerStatus) | undefined;
  /** The status may be another than when it was last made. */
  #changed = false;
  /** When what only people read is to be written; NEVER: nothing of it is known to be new. */
  #displayAtMs = NEVER;
  /** Digests of what was written last, and of that part of it which the other speakers go by. */
  #written = "";
  #writtenRecord = "";
  /** The object's version since then. */
  #version: string | undefined;
  /** The object at that version, once it was seen. */
  #own: Speaker | undefined;
  /** It as it was last seen. */
  #seen: Speaker | undefined;
  #losses = 0;
  #lastStart = Number.NEGATIVE_INFINITY;
  /** When the status may be made again. */
  #restUntilMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #writing = false;
  #timer: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(deps: SpeakerStatusDeps) {
    this.#deps = deps;
    deps.signal.addEventListener("abort", () => this.#timer?.cancel(), { once: true });
  }

  /** Says how to make what the status shall be, and that it may be another than before. Where it is equal nothing is written. */
  set(make: () => SpeakerStatus): void {
    this.#make = make;
    this.#changed = true;
    this.#schedule();
  }

  /** Says how the object is now; undefined: somebody deleted it. It is made again as it shall be. */
  saw(object: Speaker | undefined): void {
    this.#seen = object;
    if (object === undefined) {
      this.#losses++;
      this.#version = this.#own = undefined;
      this.#forget();
    } else if (!this.#writing) this.#compare(object);
    this.#schedule();
  }

  /** Finds out whether somebody else has written the object since this did: then it is written again. */
  #compare(seen: Speaker): void {
    if (this.#version === undefined) return;
    const order = compareVersions(seen.meta.resourceVersion, this.#version);
    if (order < 0) return;
    if (order > 0 && !isDeepStrictEqual(seen.status, this.#own?.status)) {
      this.#forget();
      return;
    }
    this.#own = seen;
    this.#version = seen.meta.resourceVersion;
  }

  #forget(): void {
    this.#written = this.#writtenRecord = "";
    this.#changed = true;
  }

  #schedule(): void {
    const { clock, signal } = this.#deps;
    if (this.#writing || signal.aborted || this.#make === undefined) return;
    const soonest = Math.max(clock.now(), this.#lastStart + this.#gapMs(WRITE_GAP_MS), this.#restUntilMs);
    const at = Math.min(this.#changed ? soonest : NEVER, this.#displayAtMs);
    if (at === NEVER || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const cancel = clock.after(at - clock.now(), () => {
      this.#timer = undefined;
      this.#look();
      this.#schedule();
    });
    this.#timer = { at, cancel };
  }

  #gapMs(normalMs: number): number {
    return this.#failures === 0 ? normalMs : Math.min(WRITE_GAP_MS * 2 ** (this.#failures - 1), RETRY_MOST_MS);
  }

  /** Makes the status, and has it written if that is due. */
  #look(): void {
    if (this.#make === undefined || this.#writing) return;
    const { clock, random, speakers } = this.#deps;
    const beganMs = clock.now();
    this.#changed = false;
    const status = this.#make();
    const digests = digestsOf(status);
    const nowMs = clock.now();
    this.#restUntilMs = nowMs + restMs(LOOK_REST, nowMs - beganMs);
    if (digests.all === this.#written)
      this.#displayAtMs = NEVER; // it changed back while it waited
    else if (digests.record !== this.#writtenRecord || nowMs >= this.#displayAtMs) void this.#write(status, digests);
    else if (this.#displayAtMs === NEVER) {
      const spreadMs = random() * DISPLAY_SPREAD_MS * speakers();
      this.#displayAtMs = Math.max(this.#lastStart + this.#gapMs(DISPLAY_GAP_MS), nowMs + spreadMs);
    }
  }

  async #write(status: SpeakerStatus, { all, record }: Digests): Promise<void> {
    const losses = this.#losses;
    this.#writing = true;
    this.#displayAtMs = NEVER;
    this.#lastStart = this.#deps.clock.now();
    try {
      const { resourceVersion } = keepMeta(await this.#patch(status));
      // Else it may have been written before it was deleted.
      if (losses === this.#losses) {
        this.#version = resourceVersion;
        this.#own = undefined;
        this.#written = all;
        this.#writtenRecord = record;
      }
      if (this.#failures > 0) this.#deps.log.info("the Speaker object is written again");
      this.#failures = 0;
      this.#deps.wrote("ok");
    } catch (error) {
      if (this.#deps.signal.aborted) return;
      this.#changed = true;
      this.#failures++;
      this.#deps.wrote("failed");
      if (this.#failures === 1) this.#deps.log.warn("the Speaker object can't be written; trying on", { error });
    } finally {
      this.#writing = false;
      if (this.#seen !== undefined) this.#compare(this.#seen);
      this.#schedule();
    }
  }

  async #patch(status: SpeakerStatus): Promise<unknown> {
    const { client, node, signal } = this.#deps;
    const patch = () =>
      client.request({
        method: "PATCH",
        path: `${SPEAKERS}/${encodeURIComponent(node)}/status`,
        contentType: "application/merge-patch+json",
        body: { status: { ...status, bgp: wholeBGP(status.bgp) } },
        metadataOnly: true,
        signal,
      });
    try {
      return await patch();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      await this.#create();
      return await patch();
    }
  }

  async #create(): Promise<void> {
    const { client, node, signal } = this.#deps;
    const uid = this.#deps.nodeUid();
    const owner = uid === undefined ? [] : [{ apiVersion: "v1", kind: "Node", name: node, uid }];
    const body = { apiVersion: API_VERSION, kind: "Speaker", metadata: { name: node, ownerReferences: owner } };
    await client.request({ method: "POST", path: SPEAKERS, body, signal });
  }
}

/** A merge patch leaves what it does not name: what is not there any more is taken away. */
function wholeBGP(bgp: SpeakerStatus["bgp"]): object | null {
  return bgp === undefined ? null : { asn: null, routerID: null, withdrawn: null, ...bgp };
}

/** What the other speakers go by, and what users wait for: an address that a stranger has, a session and what is wrong with it. */
function recordOf({ version, incarnation, interfaces, layer2, bgp }: SpeakerStatus): readonly unknown[] {
  const sessions = bgp?.peers.map(({ name, state, lastError }) => [name, state, lastError]);
  return [version, incarnation, interfaces, layer2?.claims, layer2?.conflicts, bgp?.gobgpd, bgp?.withdrawn, sessions];
}

interface Digests {
  /** Of what recordOf gives. */
  readonly record: string;
  /** Of the whole status. */
  readonly all: string;
}

function digestsOf(status: SpeakerStatus): Digests {
  const record = digest(recordOf(status));
  const { claims, conflicts, ...display } = status.layer2 ?? {};
  return { record, all: digest([record, { ...status, layer2: display }]) };
}

function digest(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "base64");
}
