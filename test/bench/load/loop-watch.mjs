// Loaded into the measured process by --import: on "watch" begins to look how long the event loop is blocked, on
// "report" tells its parent, and how large the heap is, and stops. It looks at the clock each few milliseconds. A gap can be the machine's fault (no
// CPU was free), so the CPU time that the thread has used in it is measured too: that much is the process's own. Plain
// JavaScript, so that the process does not load what strips types.

/** More often, and the looking itself is a good part of what the process costs. */
const EVERY_MS = 20;

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

let timer;
let report;
let before;

function look() {
  const now = { at: performance.now(), cpu: cpuMs() };
  report.longestMs = Math.max(report.longestMs, now.at - before.at - EVERY_MS);
  report.longestCpuMs = Math.max(report.longestCpuMs, now.cpu - before.cpu);
  before = now;
}

process.on("message", (what) => {
  if (what === "watch") {
    report = { longestMs: 0, longestCpuMs: 0 };
    before = { at: performance.now(), cpu: cpuMs() };
    clearInterval(timer);
    timer = setInterval(look, EVERY_MS).unref();
  } else {
    look();
    clearInterval(timer);
    process.send({ ...report, heapMB: process.memoryUsage().heapUsed / 1e6 });
  }
});
process.channel.unref();
