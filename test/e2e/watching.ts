import { setTimeout as sleep } from "node:timers/promises";
import type { Capture } from "../lab/capture.ts";
import type { Lab } from "../lab/lab.ts";
import type { UdpReport } from "../lab/probe.ts";

/** What a client saw of an IP while something happened. */
export interface Seen {
  readonly ip: string;
  /** Those that answered. */
  readonly macs: readonly string[];
  readonly silenceMs: number;
  /** When the longest silence began, in ms since 1970. */
  readonly silentAt: number | undefined;
  readonly lost: number;
  readonly outageMs: number;
  /** Of the TCP connections. Where an IP moves to another node they break: its node proxy knows nothing of them. */
  readonly broken: number;
  readonly doubleMs: number;
  /** What the probe itself may have missed. */
  readonly sendDelayMs: number;
  readonly udp: UdpReport;
}

export interface Watched {
  readonly seen: readonly Seen[];
  readonly capture: Capture;
}

/** TCP connections to each IP. */
const CONNECTIONS = 10;

/** Runs `act` while the client sends to the IPs, and asks for them each 10 ms. `tcp`: connections too (default). */
export async function watching(
  lab: Lab,
  ips: readonly string[],
  act: (capture: Capture) => Promise<unknown>,
  { tcp = true, afterMs = 1000 } = {},
): Promise<Watched> {
  const capture = await lab.capture({ asks: ips, intervalMs: 10 });
  const probes = await Promise.all(
    ips.map(async (ip) => ({
      ip,
      udp: await lab.udpProbe({ ip, port: 80 }),
      tcp: tcp ? await lab.tcpProbe({ ip, port: 80, connections: CONNECTIONS, intervalMs: 20 }) : undefined,
    })),
  );
  await sleep(500 + Math.random() * 100); // at another moment between two hellos each time
  await act(capture);
  await sleep(afterMs);
  const reports = await Promise.all(
    probes.map(async (probe) => ({ ip: probe.ip, udp: await probe.udp.stop(), tcp: await probe.tcp?.stop() })),
  );
  await capture.stop();
  const seen = reports.map(
    ({ ip, udp, tcp }): Seen => ({
      ip,
      macs: [...new Set(capture.answers(ip).map(({ mac }) => mac))].sort(),
      silenceMs: capture.longestSilence(ip),
      silentAt: capture.silences(ip)[0]?.from,
      lost: udp.lost,
      outageMs: udp.longestOutageMs,
      broken: tcp?.broken ?? 0,
      doubleMs: capture.doubles(ip)[0]?.ms ?? 0,
      sendDelayMs: udp.worstSendDelayMs,
      udp,
    }),
  );
  return { seen, capture };
}
