import { setTimeout as sleep } from "node:timers/promises";
import { apply, bgpService, reachableBehind, routedTo, startBGP } from "../../e2e/bgp-product.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES } from "../../lab/plan.ts";
import type { Bars, Row } from "../failover/row.ts";

const DRAIN_DELAY_S = 5;
/** From a second before the delay is over to when the routes are gone, and what that breaks shows. */
const GONE_MS = 3_000;
const DRAINED = "n1";
const CONNECTIONS = 30;
const POLICIES = { Cluster: "172.22.0.2", Local: "172.22.0.3" } as const;

/**
 * A node is drained: what clients behind the routers lose, and which of their connections to pods on other nodes break
 * before the routes go. A router that takes one of several equal routes away spreads all connections anew, whoever asked
 * it: one that heeds GRACEFUL_SHUTDOWN at once, one that does not when the routes go.
 */
export const DRAINS: readonly Row[] = [
  { name: "drain", ...drains(true) },
  { name: "drain-unheeded", ...drains(false) },
];

function drains(heedsShutdown: boolean): Omit<Row, "name"> {
  const speakerFlags = ["--drain-delay", `${DRAIN_DELAY_S}s`];
  return {
    size: 3,
    start: () => startBGP({ nodeGraceMs: 40_000, speakerFlags, routers: { heedsShutdown } }),
    measure: async ({ lab, size, bars }) => {
      const services = Object.entries(POLICIES).map(([policy, ips]) =>
        bgpService(policy.toLowerCase(), { ips }, { externalTrafficPolicy: policy }),
      );
      await apply(lab, ...services);
      for (const ip of Object.values(POLICIES)) await reachableBehind(lab, ip, ["demo-n1", "demo-n2"]);
      for (let run = 0; run < size; run++)
        for (const [policy, ip] of Object.entries(POLICIES)) await drain(lab, bars, policy, ip);
    },
  };
}

async function drain(lab: Lab, bars: Bars, policy: string, ip: string): Promise<void> {
  const nodes = policy === "Local" ? (["n1", "n2"] as const) : NODE_NAMES;
  await routedTo(lab, ip, nodes, 60_000);
  const probes = await Promise.all(
    lab.routers.map(async ({ software, plan }) => ({
      software,
      udp: await lab.udpProbe({ ip, port: 80 }, plan.client),
      tcp: await lab.tcpProbe({ ip, port: 80, connections: CONNECTIONS }, plan.client),
    })),
  );
  await sleep(500);
  await lab.faults.evacuate(DRAINED, true);
  await sleep((DRAIN_DELAY_S - 1) * 1000);
  const reports = await Promise.all(
    probes.map(async ({ software, udp, tcp }) => {
      const connections = await tcp.stop();
      await sleep(GONE_MS);
      return { software, udp: await udp.stop(), tcp: connections };
    }),
  );
  for (const { software, udp, tcp } of reports) {
    bars.show(`${policy}, lost behind ${software}`, udp.lost, "datagrams", 0, { sent: udp.sent });
    const elsewhere = tcp.each.filter(({ node }) => node !== DRAINED);
    const broken = elsewhere.filter((one) => one.broken !== null).length;
    const what = `${policy}, connections to pods elsewhere that broke behind ${software}`;
    bars.show(what, broken, "connections", 0, { of: elsewhere.length, ofAll: tcp.broken });
  }
  await lab.faults.evacuate(DRAINED, false);
}
