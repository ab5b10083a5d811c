import type { BGPPeer } from "../../api/bgp-peer.ts";
import { API_VERSION } from "../../api/names.ts";
import type { BGP_EVENT_REASONS } from "../../api/reasons.ts";
import type { Clock } from "../../clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { EventRecorder } from "../../kube/events.ts";
import type { Log } from "../../log.ts";
import type { SessionNews } from "./session-stories.ts";

export interface PeerTellerDeps {
  readonly client: Pick<KubeClient, "request">;
  readonly node: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly peers: { get(key: string): BGPPeer | undefined };
  /** An event is not going to be written. */
  readonly dropped: () => void;
}

/** Gives what waits to be written at the end this long, in ms. */
const FLUSH_MS = 500;

/** Tells users on their BGPPeers, and in the log, which sessions came up or went down, and why. */
export class PeerTeller {
  readonly #deps: PeerTellerDeps;
  readonly #events: EventRecorder;

  constructor(deps: PeerTellerDeps) {
    const { client, node: instance, clock, random, dropped } = deps;
    this.#deps = deps;
    this.#events = new EventRecorder({ client, component: "herald-speaker", instance, clock, random, dropped });
  }

  tell({ name, peer, up, cause }: SessionNews): void {
    const { node, log, peers } = this.#deps;
    const { neighbor, peerASN } = peer;
    const fields = { peer: name, neighbor, asn: peerASN };
    if (up) log.info("a BGP session is up", fields);
    else log.warn("a BGP session is down", { ...fields, cause });
    const meta = peers.get(name)?.meta;
    if (meta === undefined) return;
    const about = { apiVersion: API_VERSION, kind: "BGPPeer", namespace: "", name, uid: meta.uid };
    const session = `node ${node}: the session with ${neighbor}, AS ${peerASN},`;
    type Reason = (typeof BGP_EVENT_REASONS)[number];
    const [type, reason, note]: ["Normal" | "Warning", Reason, string] = up
      ? ["Normal", "BGPSessionUp", `${session} is up`]
      : ["Warning", "BGPSessionDown", `${session} is down: ${cause ?? "not known why"}`];
    this.#events.record(about, type, reason, note);
  }

  /** Resolves when what was told is written, or it took too long. */
  end(): Promise<void> {
    return this.#events.end(FLUSH_MS);
  }
}
