import { isDeepStrictEqual } from "node:util";
import { API_VERSION, GROUP, VERSION } from "../api/names.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import type { Cancel, Clock } from "../clock.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/client.ts";
import { speakers } from "../kube/herald-resources.ts";
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

/**
 * Keeps this node's Speaker object: nobody else writes it, and what somebody writes all the same is put right. The first
 * change is written at once, further ones at most once a second, and less often where the others do not go by it; a
 * failed write is tried again until it succeeds, with whatever is newest by then.
 */
export class SpeakerStatusWriter {
  readonly #deps: SpeakerStatusDeps;
  #wanted: SpeakerStatus | undefined;
  /** What was written last, and of it what the other speakers go by. */
  #written = "";
  #writtenRecord = "";
  /** The object as the API server answered to that. */
  #stored: Speaker | undefined;
  /** It as it was last seen. */
  #seen: Speaker | undefined;
  #losses = 0;
  #lastStart = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #writing = false;
  #timer: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(deps: SpeakerStatusDeps) {
    this.#deps = deps;
    deps.signal.addEventListener("abort", () => this.#timer?.cancel(), { once: true });
  }

  /** Says what the status shall be. Equal to the last: nothing is written. */
  set(status: SpeakerStatus): void {
    this.#wanted = status;
    this.#schedule();
  }

  /** Says how the object is now; undefined: somebody deleted it. It is made again as it shall be. */
  saw(object: Speaker | undefined): void {
    this.#seen = object;
    if (object === undefined) {
      this.#losses++;
      this.#stored = undefined;
      this.#forget();
    } else if (this.#isForeign()) this.#forget();
    this.#schedule();
  }

  /** Says whether somebody else has written the object since this did. */
  #isForeign(): boolean {
    const [seen, stored] = [this.#seen, this.#stored];
    if (this.#writing || seen === undefined || stored === undefined) return false;
    if (compareVersions(seen.meta.resourceVersion, stored.meta.resourceVersion) <= 0) return false;
    return !isDeepStrictEqual(seen.status, stored.status);
  }

  #forget(): void {
    this.#written = this.#writtenRecord = "";
  }

  #schedule(): void {
    if (this.#writing || this.#deps.signal.aborted || this.#wanted === undefined) return;
    if (JSON.stringify(this.#wanted) === this.#written) return;
    const { clock, random, speakers } = this.#deps;
    const display = JSON.stringify(recordOf(this.#wanted)) === this.#writtenRecord;
    if (display && this.#timer !== undefined) return;
    const normal = display ? DISPLAY_GAP_MS : WRITE_GAP_MS;
    const gap = this.#failures === 0 ? normal : Math.min(WRITE_GAP_MS * 2 ** (this.#failures - 1), RETRY_MOST_MS);
    const soonest = clock.now() + (display ? random() * DISPLAY_SPREAD_MS * speakers() : 0);
    const at = Math.max(this.#lastStart + gap, soonest);
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.cancel();
    const cancel = clock.after(at - clock.now(), () => {
      this.#timer = undefined;
      void this.#write();
    });
    this.#timer = { at, cancel };
  }

  async #write(): Promise<void> {
    const status = this.#wanted;
    if (status === undefined) return;
    const text = JSON.stringify(status);
    if (text === this.#written) return; // it changed back while it waited
    const losses = this.#losses;
    this.#writing = true;
    this.#lastStart = this.#deps.clock.now();
    try {
      const stored = speakers.keep(await this.#patch(status));
      // Else it may have been written before it was deleted.
      if (losses === this.#losses) {
        this.#stored = stored;
        this.#written = text;
        this.#writtenRecord = JSON.stringify(recordOf(status));
      }
      if (this.#failures > 0) this.#deps.log.info("the Speaker object is written again");
      this.#failures = 0;
      this.#deps.wrote("ok");
    } catch (error) {
      if (this.#deps.signal.aborted) return;
      this.#failures++;
      this.#deps.wrote("failed");
      if (this.#failures === 1) this.#deps.log.warn("the Speaker object can't be written; trying on", { error });
    } finally {
      this.#writing = false;
      if (this.#isForeign()) this.#forget();
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
