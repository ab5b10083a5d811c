import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createSpeakerMetrics } from "./metrics.ts";
import type { SegmentState } from "./segment-messages.ts";

const segment = (hellos: number, stalls = 0) =>
  ({
    interface: "eth0",
    view: {
      neighbours: [{ state: "Heard" }, { state: "Heard" }, { state: "Dead" }],
      deputyFor: [{ addresses: 2 }],
      conflicts: [{}],
      isolated: true,
      dropped: { BadTag: 4 },
    },
    claims: { size: 3 },
    counters: { arpAnswered: 7, hellos },
    sent: { gratuitousArp: 6 },
    stalls,
  }) as unknown as SegmentState;

async function shown(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("# HELP"));
}

test("what the segments counted is shown as counters, set anew from each report", async () => {
  const registry = new Registry();
  const metrics = createSpeakerMetrics(registry);
  metrics.show([segment(10)], 0);
  metrics.show([segment(12, 1)], 40);
  const lines = await shown(registry);
  for (const line of [
    "# TYPE herald_l2_packets_total counter",
    'herald_l2_packets_total{interface="eth0",what="hellos"} 12',
    'herald_l2_packets_total{interface="eth0",what="arpAnswered"} 7',
    "# TYPE herald_l2_hellos_dropped_total counter",
    'herald_l2_hellos_dropped_total{interface="eth0",reason="BadTag"} 4',
    "# TYPE herald_l2_frames_sent_total counter",
    'herald_l2_frames_sent_total{interface="eth0",kind="gratuitousArp"} 6',
    'herald_l2_stalls_total{interface="eth0"} 1',
    'herald_l2_claims{interface="eth0"} 3',
    'herald_l2_deputy_ips{interface="eth0"} 2',
    'herald_l2_conflicts{interface="eth0"} 1',
    'herald_l2_isolated{interface="eth0"} 1',
    'herald_l2_neighbours{interface="eth0",state="Heard"} 2',
    'herald_l2_neighbours{interface="eth0",state="Dead"} 1',
    "herald_l2_timer_delay_seconds 0.04",
  ])
    expect(lines).toContain(line);
  metrics.show([], 0);
  expect((await shown(registry)).filter((line) => line.includes("eth0"))).toEqual([]);
});

test("a takeover counts by its cause, with its duration where that is known; a first owner is none", async () => {
  const registry = new Registry();
  const metrics = createSpeakerMetrics(registry);
  const one = { ip: "192.0.2.1", interface: "eth0", from: "n2", cause: "NodeDead", durationMs: 330 } as const;
  metrics.tookOver(one);
  metrics.tookOver({ ...one, cause: "Drained", durationMs: undefined });
  metrics.tookOver({ ...one, from: undefined, cause: undefined, durationMs: undefined });
  const lines = await shown(registry);
  expect(lines.filter((line) => line.startsWith("herald_l2_takeovers_total"))).toEqual([
    'herald_l2_takeovers_total{cause="NodeDead"} 1',
    'herald_l2_takeovers_total{cause="Drained"} 1',
  ]);
  expect(lines.filter((line) => line.startsWith("herald_l2_takeover_seconds_sum"))).toEqual([
    'herald_l2_takeover_seconds_sum{cause="NodeDead"} 0.33',
  ]);
});

test("no label names a MAC or a node: there may be any number of these", async () => {
  const registry = new Registry();
  const metrics = createSpeakerMetrics(registry);
  metrics.ownershipChanged({ what: "Conflict", cause: "Stranger 02:00:00:00:00:ee" });
  metrics.ownershipChanged({ what: "Conflict", cause: "Stranger 02:00:00:00:00:ff" });
  expect(await shown(registry)).toContain('herald_l2_ownership_changes_total{what="Conflict",cause="Stranger"} 2');
});
