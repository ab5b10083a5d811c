import { API_VERSION, GROUP, VERSION } from "../api/names.ts";
import type { SpeakerStatus } from "../api/speaker.ts";
import type { Cancel, Clock } from "../clock.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Log } from "../log.ts";

const SPEAKERS = `/apis/${GROUP}/${VERSION}/speakers`;
/** At most one write in this time, however much changes. */
const WRITE_GAP_MS = 1_000;
const RETRY_MOST_MS = 10_000;

export interface SpeakerStatusDeps {
  readonly client: KubeClient;
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The Node's uid, so that the object goes with it; undefined while the Node is not known. */
  readonly nodeUid: () => string | undefined;
  readonly wrote: (result: "ok" | "failed") => void;
}

/**
 * Keeps this node's Speaker object: nobody else writes it. The first change is written at once, further ones at most
 * once a second; a failed write is tried again until it succeeds, with whatever is newest by then.
 */
export class SpeakerStatusWriter {
  readonly #deps: SpeakerStatusDeps;
  #wanted: SpeakerStatus | undefined;
  #written = "";
  #losses = 0;
  #lastStart = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #writing = false;
  #timer: Cancel | undefined;

  constructor(deps: SpeakerStatusDeps) {
    this.#deps = deps;
    deps.signal.addEventListener("abort", () => this.#timer?.(), { once: true });
  }

  /** Says what the status shall be. Equal to the last: nothing is written. */
  set(status: SpeakerStatus): void {
    this.#wanted = status;
    this.#schedule();
  }

  /** Says that somebody deleted the object: it is made again as it shall be. */
  lost(): void {
    this.#losses++;
    this.#written = "";
    this.#schedule();
  }

  #schedule(): void {
    if (this.#writing || this.#timer !== undefined || this.#deps.signal.aborted) return;
    if (this.#wanted === undefined || JSON.stringify(this.#wanted) === this.#written) return;
    const gap = this.#failures === 0 ? WRITE_GAP_MS : Math.min(WRITE_GAP_MS * 2 ** (this.#failures - 1), RETRY_MOST_MS);
    const wait = Math.max(0, this.#lastStart + gap - this.#deps.clock.now());
    this.#timer = this.#deps.clock.after(wait, () => {
      this.#timer = undefined;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    const status = this.#wanted;
    if (status === undefined) return;
    const text = JSON.stringify(status);
    const losses = this.#losses;
    this.#writing = true;
    this.#lastStart = this.#deps.clock.now();
    try {
      await this.#patch(status);
      if (losses === this.#losses) this.#written = text; // else it may have been written before it was deleted
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
      this.#schedule();
    }
  }

  async #patch(status: SpeakerStatus): Promise<void> {
    const { client, node, signal } = this.#deps;
    const patch = () =>
      client.request({
        method: "PATCH",
        path: `${SPEAKERS}/${encodeURIComponent(node)}/status`,
        contentType: "application/merge-patch+json",
        body: { status },
        signal,
      });
    try {
      await patch();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      await this.#create();
      await patch();
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
