import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Session } from "../../bgp/daemon.ts";
import type { ReconcilerMetrics } from "../../bgp/reconciler.ts";

/** What is shown of BGP at /metrics; docs/metrics.md explains each. */
export interface BGPMetrics extends ReconcilerMetrics {
  readonly show: (shown: ShownBGP) => void;
}

export interface ShownBGP {
  /** gobgpd does what it is told; undefined: it is not needed. */
  readonly gobgpdUp: boolean | undefined;
  /** Routes that gobgpd holds; undefined: not known. */
  readonly routes: number | undefined;
  /** By name of the BGPPeer; undefined: gobgpd has no such session. */
  readonly sessions: ReadonlyMap<string, Session | undefined>;
  /** By name of the BGPPeer, how often its session went down. */
  readonly falls: ReadonlyMap<string, number>;
}

/** A reconcile is one call of some ms, or all of what there is. */
const RECONCILE_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createBGPMetrics(registry: Registry): BGPMetrics {
  const registers = [registry];
  const drifts = (name: string, help: string) => new Counter({ name, help, registers });
  const found = drifts("herald_bgp_drift_found_total", "Things that somebody else had changed in gobgpd.");
  const repaired = drifts("herald_bgp_drift_repaired_total", "Of these, those that were put right.");
  const durations = new Histogram({
    name: "herald_bgp_reconcile_seconds",
    help: "How long it took to compare gobgpd with what it shall hold, or to tell it what is new.",
    labelNames: ["result"],
    buckets: RECONCILE_BUCKETS,
    registers,
  });
  return {
    show: sessionMetrics(registry),
    reconciled: (result, durationMs) => durations.observe({ result }, durationMs / 1000),
    driftFound: (count) => found.inc(count),
    driftRepaired: (count) => repaired.inc(count),
  };
}

/** What gobgpd says of itself and its sessions: set anew each time. */
function sessionMetrics(registry: Registry): BGPMetrics["show"] {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: readonly string[] = ["peer"]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const total = (name: string, help: string, labelNames: readonly string[] = ["peer"]) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const gobgpd = gauge("herald_bgp_gobgpd_up", "1 where gobgpd does what it is told.", []);
  const routes = gauge("herald_bgp_routes", "Routes that gobgpd holds of this node.", []);
  const up = gauge("herald_bgp_session_up", "1 where the session with a peer is established.");
  const since = gauge("herald_bgp_session_established_timestamp_seconds", "When the session was established last.");
  const advertised = gauge("herald_bgp_routes_advertised", "Routes that a peer was told of.");
  const bfd = gauge(
    "herald_bgp_bfd_up",
    "1 where BFD hears the peer; absent where it is not asked for, and while the session is down.",
  );
  const updates = total("herald_bgp_updates_total", "UPDATE messages since gobgpd has the peer.", [
    "peer",
    "direction",
  ]);
  const flaps = total("herald_bgp_session_flaps_total", "How often the session went down since the speaker started.");
  return (shown) => {
    for (const each of [gobgpd, routes, up, since, advertised, bfd, updates, flaps]) each.reset();
    for (const each of [gobgpd, routes]) each.remove(); // one without labels would be 0
    if (shown.gobgpdUp !== undefined) gobgpd.set(shown.gobgpdUp ? 1 : 0);
    if (shown.routes !== undefined) routes.set(shown.routes);
    for (const [peer, session] of shown.sessions) {
      const of = { peer };
      up.set(of, session?.state === "Established" ? 1 : 0);
      if (session === undefined) continue;
      const { state, establishedAtMs, bfd: bfdState } = session;
      if (state === "Established" && establishedAtMs !== undefined) since.set(of, establishedAtMs / 1000);
      advertised.set(of, session.advertised);
      if (bfdState !== undefined) bfd.set(of, bfdState === "Up" ? 1 : 0);
      updates.inc({ ...of, direction: "sent" }, session.updatesSent);
      updates.inc({ ...of, direction: "received" }, session.updatesReceived);
    }
    for (const [peer, falls] of shown.falls) flaps.inc({ peer }, falls);
  };
}
