import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../log.ts";
import { SegmentHost } from "./segment-host.ts";
import type {
  FromSegmentThread,
  SegmentInput,
  SegmentState,
  SegmentThreadConfig,
  ToSegmentThread,
} from "./segment-messages.ts";
import { applyUpdate, type SegmentUpdate } from "./segment-update.ts";

/** The segment thread: keeps a SegmentHost for each interface that the main thread names. */

/** How often the state is reported while nothing happens, and how fast after something did, in ms. */
const REPORT_MS = 1_000;
const REPORT_SOON_MS = 20;
/** The protocol ends a leave by itself, sooner than this; nothing may keep the process from ending. */
const LEAVE_MS = 3_000;

if (parentPort === null) throw new Error("segment-worker.ts is a worker thread, not a program");
const port = parentPort;
const config = workerData as SegmentThreadConfig;
const hosts = new Map<string, SegmentHost>();
/** What the API says, by interface; also where the interface can't be used. */
const inputs = new Map<string, SegmentInput>();
/** The claims that the main thread has been told of. */
let told = new Map<string, SegmentState["claims"]>();
let reportTimer: NodeJS.Timeout | undefined;
let soon = false;
let leaving = false;

const tell = (message: FromSegmentThread) => port.postMessage(message);

function report(): void {
  soon = false;
  clearTimeout(reportTimer);
  reportTimer = setTimeout(report, REPORT_MS);
  const all = [...hosts.values()];
  const states = all.map((host) => host.state());
  tell({
    what: "state",
    segments: states.map(({ claims, ...state }) =>
      told.get(state.interface) === claims ? state : { ...state, claims },
    ),
    longestSleepMs: Math.max(0, ...all.map((host) => host.takeLongestSleep())),
  });
  told = new Map(states.map((state) => [state.interface, state.claims]));
  if (leaving && all.every((host) => host.left)) left();
}

function touched(): void {
  if (soon) return; // else a busy time would put it off for ever
  soon = true;
  clearTimeout(reportTimer);
  reportTimer = setTimeout(report, REPORT_SOON_MS);
}

function update(interfaces: readonly string[], updates: readonly SegmentUpdate[]): void {
  for (const update of updates) inputs.set(update.interface, applyUpdate(inputs.get(update.interface), update));
  for (const name of inputs.keys()) if (!interfaces.includes(name)) inputs.delete(name);
  for (const name of hosts.keys()) if (!inputs.has(name)) close(name);
  const news = new Set(updates.map((update) => update.interface));
  for (const { interface: name, address, snapshot } of inputs.values()) {
    const host = hosts.get(name);
    try {
      if (host === undefined) open(name, address).update(address, snapshot);
      else if (news.has(name)) host.update(address, snapshot);
    } catch (error) {
      tell({ what: "problem", interface: name, message: errorText(error) });
    }
  }
  touched();
}

function open(name: string, address: string): SegmentHost {
  const host = new SegmentHost({
    ...config,
    interface: name,
    address,
    touched,
    changed: (changes) => tell({ what: "changes", changes }),
    failed: (error) => {
      close(name);
      tell({ what: "problem", interface: name, message: errorText(error) });
    },
  });
  hosts.set(name, host);
  return host;
}

function close(name: string): void {
  hosts.get(name)?.close();
  hosts.delete(name);
  touched();
}

function left(): void {
  leaving = false;
  clearTimeout(reportTimer);
  for (const host of hosts.values()) host.close();
  hosts.clear();
  tell({ what: "left" });
  port.close();
}

port.on("message", (message: ToSegmentThread) => {
  if (message.what === "update") return leaving ? undefined : update(message.interfaces, message.updates);
  leaving = true;
  for (const host of hosts.values()) host.leave();
  setTimeout(() => leaving && left(), LEAVE_MS);
  touched();
});
report();
