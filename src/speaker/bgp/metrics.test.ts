import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { sessionOf } from "../../../test/unit/bgp-world.ts";
import { createBGPMetrics } from "./metrics.ts";

const session = sessionOf({
  state: "Established",
  establishedAtMs: 1_767_225_600_000,
  advertised: 5,
  flaps: 2,
  updatesSent: 7,
  updatesReceived: 1,
  bfd: "Up",
});

async function shown(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("sessions are shown by the names of their BGPPeers, set anew each time", async () => {
  const registry = new Registry();
  const metrics = createBGPMetrics(registry);
  const sessions = new Map([
    ["frr", session],
    ["bird", undefined],
  ]);
  const falls = new Map([["frr", 2]]);
  metrics.show({ gobgpdUp: true, routes: 5, sessions, falls });
  metrics.show({ gobgpdUp: true, routes: 5, sessions, falls });
  const lines = await shown(registry);
  for (const line of [
    "herald_bgp_gobgpd_up 1",
    "herald_bgp_routes 5",
    'herald_bgp_session_up{peer="frr"} 1',
    'herald_bgp_session_up{peer="bird"} 0',
    'herald_bgp_session_established_timestamp_seconds{peer="frr"} 1767225600',
    'herald_bgp_routes_advertised{peer="frr"} 5',
    'herald_bgp_bfd_up{peer="frr"} 1',
    'herald_bgp_updates_total{peer="frr",direction="sent"} 7',
    'herald_bgp_session_flaps_total{peer="frr"} 2',
  ])
    expect(lines).toContain(line);
});

test("a node without BGP shows none", async () => {
  const registry = new Registry();
  const metrics = createBGPMetrics(registry);
  metrics.show({ gobgpdUp: false, routes: 1, sessions: new Map(), falls: new Map() });
  metrics.show({ gobgpdUp: undefined, routes: undefined, sessions: new Map(), falls: new Map() });
  const ofGobgpd = (await shown(registry)).filter((line) =>
    /herald_bgp_(gobgpd|routes|session|bfd|updates)/.test(line),
  );
  expect(ofGobgpd).toEqual([]);
});
