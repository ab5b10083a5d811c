import type { NeighbourState } from "./effects.ts";
import type { Neighbour } from "./neighbour.ts";
import type { Timing } from "./timing.ts";

/**
 * Missed probes that, together with missing hellos, make a node dead: as many as go out between the first missed hello and
 * the detection time. One less doubles the false deaths where frames are lost, and gains nothing.
 */
const PROBES = 4;
/** The same where its speaker is away, as many as go out in that time: silence alone may be this process's own sleep. */
const AWAY_PROBES = 3;
/** Missed probes that make a node deaf which says that it hears nothing. */
const DEAF_PROBES = 3;

/** Gives the state of a neighbour now; `ready`: the API shows its speaker ready. Events other than hellos alone: those make it Heard. */
export function judge(neighbour: Neighbour, ready: boolean, timing: Timing, nowMs: number): NeighbourState {
  const { state, kernel, hello } = neighbour;
  if (state === "Deaf" && nowMs < neighbour.silentAtMs) return "Deaf"; // until a hello says otherwise
  if (neighbour.everHeard && nowMs < neighbour.silentAtMs) {
    const deaf = hello.flags.isolated && hello.heard.length === 0 && kernel.silentForMs(nowMs) > timing.deafMs;
    return deaf && kernel.missed(nowMs, 0) >= DEAF_PROBES ? "Deaf" : state;
  }
  if (neighbour.heardBy.size > 0) return "Indirect";
  if (state === "Unknown") return kernel.answeredAfter(neighbour.sinceMs) ? "Away" : state;
  if (state === "Away") return judgeAway(neighbour, ready, timing, nowMs);
  if (state === "Heard" || state === "Indirect") return judgeSilent(neighbour, timing, nowMs);
  const rested = nowMs - neighbour.sinceMs > timing.deadRestMs;
  return rested && ready && kernel.answeringForMs(nowMs) > timing.kernelBackMs ? "Away" : state;
}

/** No hello, and nobody hears it: its kernel decides whether it is gone. */
function judgeSilent(neighbour: Neighbour, timing: Timing, nowMs: number): NeighbourState {
  const { state, kernel } = neighbour;
  if (!isReachable(neighbour)) return "Dead";
  const sinceMs = Math.max(neighbour.lastHelloMs, nowMs - timing.kernelMs);
  if (kernel.answeredAfter(sinceMs)) return "Away";
  return kernel.missed(nowMs, probeMs(neighbour)) >= PROBES ? "Dead" : state;
}

function judgeAway(neighbour: Neighbour, ready: boolean, timing: Timing, nowMs: number): NeighbourState {
  const { kernel } = neighbour;
  const silent = nowMs - kernel.lastAnswerMs >= timing.kernelMs;
  if (silent && kernel.missed(nowMs, probeMs(neighbour)) >= AWAY_PROBES) return "Dead";
  return !ready && nowMs - neighbour.sinceMs > neighbour.hello.restartGraceMs ? "Gone" : "Away";
}

/** How long to wait for the answer to a probe before the next one, in ms. */
export function probeMs({ hello }: Neighbour): number {
  return hello.helloIntervalMs / 2;
}

/** Says whether its kernel can be asked at all. */
export function isReachable({ hello }: Neighbour): boolean {
  return hello.ipv4.some((byte) => byte !== 0) || hello.ipv6.some((byte) => byte !== 0);
}

/** Says whether it is open whether a node of which there is only a record is there. */
export function isUnasked(neighbour: Neighbour, nowMs: number): boolean {
  return (
    neighbour.state === "Unknown" &&
    isReachable(neighbour) &&
    neighbour.kernel.missed(nowMs, probeMs(neighbour)) < PROBES
  );
}

/** How often its kernel is asked, in ms, while that answers; undefined: not at all. */
export function probeEveryMs(neighbour: Neighbour, ready: boolean, nowMs: number): number | undefined {
  const { state, hello } = neighbour;
  if (!isReachable(neighbour)) return undefined;
  if (state === "Heard") return nowMs >= neighbour.lateAtMs || hello.flags.isolated ? probeMs(neighbour) : undefined;
  if (state === "Away" || state === "Indirect" || state === "Deaf") return hello.helloIntervalMs;
  if (state === "Unknown") return nowMs - neighbour.sinceMs < SOON_MS ? probeMs(neighbour) : SELDOM_MS;
  return ready ? SELDOM_MS : undefined;
}

/** When its kernel is to be asked next: sooner after a probe that was not answered yet. */
export function probeAtMs({ kernel, hello }: Neighbour, everyMs: number, nowMs: number): number {
  const atMs = kernel.nextProbeMs;
  if (everyMs > hello.helloIntervalMs || kernel.missed(nowMs, 0) === 0) return atMs;
  return atMs - everyMs + hello.helloIntervalMs / 2;
}

/** How long a node of which there is only a record is asked often, and how often a dead one is asked, in ms. */
const SOON_MS = 1000;
const SELDOM_MS = 1000;
