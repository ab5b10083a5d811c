import type { Reaper } from "../reaper/reaper.ts";
import { inNetnsOnly, tryRun } from "./netns.ts";
import { Observer } from "./observe.ts";

/** Times in milliseconds; `atMs` counts from the start of the probe, `startedAt` since 1970. */
export interface UdpReport {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly duplicates: number;
  /** Datagrams that were no answer to this probe. */
  readonly foreign: number;
  /** How late the latest datagram was sent: what the probe itself may have missed. */
  readonly worstSendDelayMs: number;
  readonly rttP50Ms: number;
  readonly rttP99Ms: number;
  /** From the last answered datagram before it to the first answered one after it, by their sending. */
  readonly longestOutageMs: number;
  readonly outageCount: number;
  /** The longest first, at most 200. */
  readonly outages: readonly { readonly atMs: number; readonly ms: number; readonly lost: number }[];
  /** Who answered, and which source it saw. */
  readonly pods: readonly (Answerer & {
    readonly answers: number;
    readonly firstMs: number;
    readonly lastMs: number;
  })[];
}

export interface Answerer {
  readonly pod: string;
  readonly node: string;
  readonly source: string;
}

export interface TcpReport {
  readonly startedAt: number;
  readonly connections: number;
  readonly established: number;
  readonly messages: number;
  readonly broken: number;
  readonly resets: number;
  /** The longest wait for an answer on any connection. */
  readonly longestStallMs: number;
  readonly each: readonly (Answerer & {
    readonly messages: number;
    readonly longestStallMs: number;
    readonly stalledAtMs: number;
    readonly broken: {
      readonly how: "reset" | "closed" | "refused" | "timeout" | "unreachable";
      readonly atMs: number;
    } | null;
  })[];
}

/** One request from a new socket. */
export type Answer = (Answerer & { readonly ms: number }) | { readonly error: string; readonly ms: number };

/** A probe that runs. */
export interface Probe<Report> {
  /** Ends it; it still waits 500 ms for late answers. */
  stop(): Promise<Report>;
}

/** Where a probe runs, and what it needs. */
export interface ProbeDeps {
  readonly netns: string;
  readonly labTool: string;
  readonly reaper: Reaper;
}

/** Sends numbered datagrams, one each `intervalUs`, from one socket. Resolves when the first is on its way. */
export function startUdpProbe(
  deps: ProbeDeps,
  to: { ip: string; port: number; intervalUs?: number },
): Promise<Probe<UdpReport>> {
  return startProbe(deps, ["udp-probe", to.ip, String(to.port), String(to.intervalUs ?? 1000)]);
}

/** Keeps connections open, with a message on each `intervalMs` after the last one was answered. */
export function startTcpProbe(
  deps: ProbeDeps,
  to: { ip: string; port: number; connections?: number; intervalMs?: number },
): Promise<Probe<TcpReport>> {
  return startProbe(deps, [
    "tcp-probe",
    to.ip,
    String(to.port),
    String(to.connections ?? 10),
    String(to.intervalMs ?? 10),
  ]);
}

/** Asks echo servers, each time from a new socket; a request without an answer after `timeoutMs` is an error. */
export async function ask(
  deps: ProbeDeps,
  protocol: "udp" | "tcp",
  to: { ip: string; port: number; count?: number; timeoutMs?: number },
): Promise<Answer[]> {
  const args = ["ask", protocol, to.ip, String(to.port), String(to.count ?? 1), String(to.timeoutMs ?? 1000)];
  const { code, stdout, stderr } = await tryRun(inNetnsOnly(deps.netns, [deps.labTool, ...args]));
  if (code !== 0) throw new Error(`ask ${to.ip}: ${stderr.trim()}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

async function startProbe<Report>(deps: ProbeDeps, args: readonly string[]): Promise<Probe<Report>> {
  let last = "";
  const observer = new Observer(inNetnsOnly(deps.netns, [deps.labTool, ...args]), deps.reaper, (line) => {
    last = line;
  });
  await observer.started;
  return {
    stop: async () => {
      await observer.stop();
      return JSON.parse(last) as Report;
    },
  };
}
