import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../log.ts";
import { SegmentHost } from "./segment-host.ts";
import type {
  FromSegmentThread,
  OwnershipChange,
  SegmentInput,
  SegmentThreadConfig,
  ToSegmentThread,
} from "./segment-messages.ts";

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
let reportTimer: NodeJS.Timeout | undefined;
let soon = false;
let leaving = false;

const tell = (message: FromSegmentThread) => port.postMessage(message);

function report(): void {
  soon = false;
  clearTimeout(reportTimer);
  reportTimer = setTimeout(report, REPORT_MS);
  const all = [...hosts.values()];
  tell({
    what: "state",
    segments: all.map((host) => host.state()),
    longestSleepMs: Math.max(0, ...all.map((host) => host.takeLongestSleep())),
  });
  if (leaving && all.every((host) => host.left)) left();
}

function touched(): void {
  if (soon) return; // else a busy time would put it off for ever
  soon = true;
  clearTimeout(reportTimer);
  reportTimer = setTimeout(report, REPORT_SOON_MS);
}

function update(segments: readonly SegmentInput[]): void {
  const wanted = new Map(segments.map((segment) => [segment.interface, segment]));
  for (const [name, host] of hosts) {
    if (wanted.get(name)?.address === host.address) continue;
    host.close();
    hosts.delete(name);
  }
  for (const { interface: name, address, snapshot } of segments) {
    try {
      let host = hosts.get(name);
      if (host === undefined) {
        const changed = (changes: readonly OwnershipChange[]) => tell({ what: "changes", changes });
        host = new SegmentHost({ ...config, interface: name, address, changed, touched });
        hosts.set(name, host);
      }
      host.update(snapshot);
    } catch (error) {
      tell({ what: "problem", interface: name, message: errorText(error) });
    }
  }
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
  if (message.what === "update") return leaving ? undefined : update(message.segments);
  leaving = true;
  for (const host of hosts.values()) host.leave();
  setTimeout(() => leaving && left(), LEAVE_MS);
  touched();
});
report();
