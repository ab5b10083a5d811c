import { Counter, Gauge, type Registry } from "prom-client";
import type { SegmentState } from "./segment-messages.ts";

/** What a speaker shows at /metrics; docs/metrics.md explains each. */
export interface SpeakerMetrics {
  /** Takes the newest state of all interfaces. */
  readonly show: (segments: readonly SegmentState[], longestSleepMs: number) => void;
  readonly ownershipChanged: (what: string, cause: string) => void;
  readonly recordWritten: (result: "ok" | "failed") => void;
}

export function createSpeakerMetrics(registry: Registry): SpeakerMetrics {
  const registers = [registry];
  const claims = new Gauge({
    name: "herald_l2_claims",
    help: "IPs that this node owns.",
    labelNames: ["interface"],
    registers,
  });
  const neighbours = new Gauge({
    name: "herald_l2_neighbours",
    help: "Speakers known on a segment, by state.",
    labelNames: ["interface", "state"],
    registers,
  });
  const packets = new Gauge({
    name: "herald_l2_packets",
    help: "What the packet sockets and the protocol counted since the interface was opened.",
    labelNames: ["interface", "what"],
    registers,
  });
  const sleep = new Gauge({
    name: "herald_l2_timer_delay_seconds",
    help: "The longest time by which a protocol timer came late in the last second.",
    registers,
  });
  const changes = new Counter({
    name: "herald_l2_ownership_changes_total",
    help: "IPs claimed and given up by this node.",
    labelNames: ["what", "cause"],
    registers,
  });
  const records = new Counter({
    name: "herald_speaker_record_writes_total",
    help: "Writes of this node's Speaker object.",
    labelNames: ["result"],
    registers,
  });
  return {
    show: (segments, longestSleepMs) => {
      for (const gauge of [claims, neighbours, packets]) gauge.reset();
      for (const { interface: name, view, claims: owned, counters } of segments) {
        claims.set({ interface: name }, owned.length);
        for (const { state } of view.neighbours) neighbours.inc({ interface: name, state });
        for (const [what, count] of Object.entries(counters)) packets.set({ interface: name, what }, count);
        for (const [what, count] of Object.entries(view.dropped))
          packets.set({ interface: name, what: `dropped${what}` }, count);
      }
      sleep.set(longestSleepMs / 1000);
    },
    ownershipChanged: (what, cause) => changes.inc({ what, cause }),
    recordWritten: (result) => records.inc({ result }),
  };
}
