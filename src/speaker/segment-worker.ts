import { parentPort, workerData } from "node:worker_threads";
import type { NodeConditions } from "../l2/segment.ts";
import { errorText } from "../log.ts";
import { SegmentHost } from "./segment-host.ts";
import type {
  FromSegmentThread,
  Leave,
  SegmentInput,
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
/** Those of interfaces that nothing is to be announced on any more: they hand over what they have, and are closed. */
const retiring = new Map<string, SegmentHost>();
/** The MAC that others may have heard of last, by interface. */
const formerMacs = new Map<string, string>();
/** What the API says, by interface; also where the interface can't be used. */
const inputs = new Map<string, SegmentInput>();
let reportTimer: NodeJS.Timeout | undefined;
let soon = false;
let leaving = false;
let conditions: NodeConditions = { evacuating: false, notForwarding: false };

const tell = (message: FromSegmentThread) => port.postMessage(message);

function report(): void {
  soon = false;
  clearTimeout(reportTimer);
  reportTimer = setTimeout(report, REPORT_MS);
  for (const [name, host] of retiring) if (host.left || host.gone) close(retiring, name);
  const all = [...hosts.values(), ...retiring.values()];
  tell({
    what: "state",
    segments: all.map((host) => host.report()),
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

function update(interfaces: readonly string[], updates: readonly SegmentUpdate[]): void {
  for (const update of updates) {
    const { interface: name, recordedMac } = update;
    inputs.set(name, applyUpdate(inputs.get(name), update));
    if (recordedMac !== undefined && !formerMacs.has(name)) formerMacs.set(name, recordedMac);
  }
  for (const name of inputs.keys()) if (!interfaces.includes(name)) inputs.delete(name);
  for (const name of hosts.keys()) if (!inputs.has(name)) retire(name);
  const news = new Set(updates.map((update) => update.interface));
  for (const input of inputs.values()) {
    const host = hosts.get(input.interface);
    try {
      if (host === undefined) open(input);
      else if (news.has(input.interface)) host.update(input);
    } catch (error) {
      tell({ what: "problem", interface: input.interface, message: errorText(error) });
    }
  }
  touched();
}

function open(input: SegmentInput): void {
  const { interface: name } = input;
  close(retiring, name);
  const host = new SegmentHost({
    ...config,
    input,
    conditions,
    formerMac: formerMacs.get(name),
    random: Math.random,
    touched,
    changed: (changes) => tell({ what: "changes", changes }),
    linkChanged: () => tell({ what: "link", interface: name }),
    failed: (error) => {
      close(hosts.get(name) === host ? hosts : retiring, name);
      tell({ what: "problem", interface: name, message: errorText(error) });
    },
  });
  hosts.set(name, host);
}

function close(from: Map<string, SegmentHost>, name: string): void {
  const host = from.get(name);
  if (host === undefined) return;
  formerMacs.set(name, host.mac);
  host.close();
  from.delete(name);
  touched();
}

function retire(name: string): void {
  const host = hosts.get(name);
  if (host === undefined) return;
  if (host.gone) close(hosts, name);
  else {
    hosts.delete(name);
    retiring.set(name, host);
    host.leave("HandOver");
  }
}

function left(): void {
  leaving = false;
  clearTimeout(reportTimer);
  for (const host of [...hosts.values(), ...retiring.values()]) host.close();
  tell({ what: "left" });
  port.close();
}

function leave(how: Leave): void {
  leaving = true;
  for (const host of hosts.values()) host.leave(how);
  setTimeout(() => leaving && left(), LEAVE_MS);
  touched();
}

port.on("message", (message: ToSegmentThread) => {
  if (leaving) return;
  switch (message.what) {
    case "update":
      return update(message.interfaces, message.updates);
    case "conditions":
      conditions = message.conditions;
      for (const host of hosts.values()) host.setConditions(conditions);
      return;
    case "leave":
      return leave(message.how);
  }
});
report();
