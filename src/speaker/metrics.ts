import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { WriteResult } from "../kube/write-status.ts";
import type { OwnershipChange, SegmentState } from "./segment-messages.ts";
import type { Takeover } from "./takeover.ts";

/** What a speaker shows at /metrics; docs/metrics.md explains each. */
export interface SpeakerMetrics {
  /** Takes the newest state of all interfaces, and by how much a timer came late since the last time at the worst. */
  readonly show: (segments: readonly SegmentState[], longestSleepMs: number) => void;
  readonly ownershipChanged: (change: Pick<OwnershipChange, "what" | "cause">) => void;
  readonly tookOver: (takeover: Takeover) => void;
  readonly recordWritten: (result: "ok" | "failed") => void;
  readonly conditionWritten: (result: WriteResult) => void;
  readonly eventDropped: () => void;
  /** Gives how many Services wait for their condition to be written. */
  readonly watchConditions: (waiting: () => number) => void;
}

/** Of a detection time of 0.33 s by default; a speaker that is away for too long takes a minute. */
const TAKEOVER_BUCKETS = [0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 120];

export function createSpeakerMetrics(registry: Registry): SpeakerMetrics {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const show = segmentMetrics(registry);
  const changes = counter("herald_l2_ownership_changes_total", "What happened to IPs on this node, by what and why.", [
    "what",
    "cause",
  ]);
  const takeovers = counter("herald_l2_takeovers_total", "IPs that this node took over from another, by why.", [
    "cause",
  ]);
  const durations = new Histogram({
    name: "herald_l2_takeover_seconds",
    help: "Time from the former owner's last hello to this node's claim, of IPs whose owner fell silent.",
    labelNames: ["cause"],
    buckets: TAKEOVER_BUCKETS,
    registers,
  });
  const records = counter("herald_speaker_record_writes_total", "Writes of this node's Speaker object.", ["result"]);
  const conditions = counter(
    "herald_speaker_condition_writes_total",
    "Writes of the condition Announced onto Services.",
    ["result"],
  );
  const dropped = counter("herald_speaker_events_dropped_total", "Events about Services that were not written.", []);
  let waiting = () => 0;
  new Gauge({
    name: "herald_speaker_conditions_waiting",
    help: "Services whose condition Announced waits to be written by this node.",
    registers,
    collect() {
      this.set(waiting());
    },
  });
  return {
    show,
    // What comes after the first word names a MAC or a node, of which there may be any number.
    ownershipChanged: ({ what, cause }) => changes.inc({ what, cause: cause.split(" ", 1)[0] ?? "" }),
    tookOver: ({ cause, durationMs }) => {
      if (cause === undefined) return;
      takeovers.inc({ cause });
      if (durationMs !== undefined) durations.observe({ cause }, durationMs / 1000);
    },
    recordWritten: (result) => records.inc({ result }),
    conditionWritten: (result) => conditions.inc({ result }),
    eventDropped: () => dropped.inc(),
    watchConditions: (now) => {
      waiting = now;
    },
  };
}

/** What the segments say of themselves: set anew from each of their reports. */
function segmentMetrics(registry: Registry): SpeakerMetrics["show"] {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = ["interface"]) =>
    new Gauge({ name, help, labelNames, registers });
  const claims = gauge("herald_l2_claims", "IPs that this node owns.");
  const deputies = gauge("herald_l2_deputy_ips", "IPs of other nodes that this one answers for, with their MAC.");
  const conflicts = gauge("herald_l2_conflicts", "IPs of this node that another MAC answers for.");
  const isolated = gauge("herald_l2_isolated", "1 where this node hears nothing at all.");
  const neighbours = gauge("herald_l2_neighbours", "Speakers known on a segment, by state.", ["interface", "state"]);
  const late = gauge(
    "herald_l2_timer_delay_seconds",
    "The longest time by which a protocol timer came late in the last second.",
    [],
  );
  const total = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const packets = total("herald_l2_packets_total", "What the packet sockets counted.", ["interface", "what"]);
  const refused = total("herald_l2_hellos_dropped_total", "Frames of speakers that were not taken, by why.", [
    "interface",
    "reason",
  ]);
  const sent = total("herald_l2_frames_sent_total", "Frames sent for the protocol, by kind.", ["interface", "kind"]);
  const stalls = total("herald_l2_stalls_total", "Times the protocol slept for too long and started over.", [
    "interface",
  ]);
  return (segments, longestSleepMs) => {
    for (const each of [claims, deputies, conflicts, isolated, neighbours, packets, refused, sent, stalls])
      each.reset();
    for (const state of segments) {
      const { view } = state;
      const on = { interface: state.interface };
      claims.set(on, state.claims.size);
      deputies.set(
        on,
        view.deputyFor.reduce((sum, { addresses }) => sum + addresses, 0),
      );
      conflicts.set(on, view.conflicts.length);
      isolated.set(on, view.isolated ? 1 : 0);
      for (const { state } of view.neighbours) neighbours.inc({ ...on, state });
      for (const [what, count] of Object.entries(state.counters)) packets.inc({ ...on, what }, count);
      for (const [reason, count] of Object.entries(view.dropped)) refused.inc({ ...on, reason }, count);
      for (const [kind, count] of Object.entries(state.sent)) sent.inc({ ...on, kind }, count);
      stalls.inc(on, state.stalls);
    }
    late.set(longestSleepMs / 1000);
  };
}
