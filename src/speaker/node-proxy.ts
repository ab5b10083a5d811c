import type { Clock } from "../clock.ts";
import { pause } from "../kube/back-off.ts";
import type { Log } from "../log.ts";

/** What the health endpoint of a node proxy said when it was asked; Nothing: nobody is there, or it took too long. */
export type ProxyAnswer = "Forwarding" | "NotForwarding" | "Nothing";

/** What is thought of the node proxy. */
export interface ProxyView {
  readonly forwarding: boolean;
  /** It has answered since this speaker started: from then on its silence means something. */
  readonly known: boolean;
  /** What it answers instead of "Forwarding", and since when. */
  readonly doubt?: { readonly answer: ProxyAnswer; readonly sinceMs: number };
}

/** Nobody knows: there may be no such endpoint on this node, so it counts as forwarding. */
export const UNKNOWN_PROXY: ProxyView = { forwarding: true, known: false };

const ASK_EVERY_MS = 1_000;
const TIMEOUT_MS = 1_000;
/** For how long a proxy that forwarded must say no: one that restarts does, and its rules stand meanwhile. */
const NO_MS = 5_000;
/** For how long it must say nothing: by then its rules are stale, and it is not only being upgraded. */
const SILENT_MS = 60_000;

/** Takes an answer. */
export function judgeProxy(before: ProxyView, answer: ProxyAnswer, nowMs: number): ProxyView {
  if (answer === "Forwarding") return { forwarding: true, known: true };
  if (answer === "NotForwarding" && !before.known) return { forwarding: false, known: true };
  if (!before.known || !before.forwarding) return before;
  const doubt = before.doubt?.answer === answer ? before.doubt : { answer, sinceMs: nowMs };
  const doubtMs = answer === "NotForwarding" ? NO_MS : SILENT_MS;
  return { forwarding: nowMs - doubt.sinceMs < doubtMs, known: true, doubt };
}

/** Asks a URL and gives the HTTP status of the answer; rejects where there is none, or when aborted. */
export type StatusOf = (url: string, signal: AbortSignal) => Promise<number>;

export interface NodeProxyDeps {
  readonly url: string;
  readonly statusOf: StatusOf;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly changed: (forwarding: boolean) => void;
}

/** Asks the node proxy each second whether it forwards, until aborted. */
export async function watchNodeProxy(deps: NodeProxyDeps): Promise<void> {
  const { clock, log, signal, url } = deps;
  let view = UNKNOWN_PROXY;
  while (!signal.aborted) {
    const asked = clock.now();
    const { forwarding } = view;
    view = judgeProxy(view, await ask(deps), clock.now());
    if (signal.aborted) return;
    if (view.forwarding !== forwarding) {
      if (view.forwarding) log.info("the node proxy forwards again", { url });
      else log.warn("the node proxy does not forward; other nodes are preferred", { url });
      deps.changed(view.forwarding);
    }
    await pause(clock, Math.max(0, asked + ASK_EVERY_MS - clock.now()), signal);
  }
}

async function ask({ url, statusOf, clock, signal }: NodeProxyDeps): Promise<ProxyAnswer> {
  const late = new AbortController();
  const cancel = clock.after(TIMEOUT_MS, () => late.abort());
  try {
    const status = await statusOf(url, AbortSignal.any([late.signal, signal]));
    // What is neither is no node proxy: it tells nothing.
    return status === 200 ? "Forwarding" : status === 503 ? "NotForwarding" : "Nothing";
  } catch {
    return "Nothing";
  } finally {
    cancel();
  }
}
