import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { addressOf, macOf, pool, SERVICE } from "../../e2e/product.ts";
import { ApiFailure, type ApiObject } from "../../lab/api.ts";
import type { ArpFrame, Capture } from "../../lab/capture.ts";
import { type Lab, startLab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";
import { startReaper } from "../../reaper/reaper.ts";
import { readContainer } from "../load/container.ts";
import { cpuS, memoryMB } from "../load/measured-process.ts";
import { buildProduct } from "../load/product.ts";
import { byWriters, namesOf } from "../load/services.ts";
import { insist } from "./insist.ts";
import { sumOf } from "./metrics.ts";
import type { Row, Stage } from "./row.ts";

const OWNER: NodeName = "n1";
const OTHERS = NODE_NAMES.filter((node) => node !== OWNER);
const IDLE_MS = 30_000;
/** All is written when nothing was for so long: what changed for so many Services is looked at after some seconds. */
const QUIET_S = 15;
/** In the metrics: PATCH and POST. */
const WRITES = /^herald_api_requests_total\{method="P[^}]*\} (\d+)$/gm;
/** A takeover with all its rounds of announcements is over after this. */
const SETTLED_MS = 5_000;
/** Of a core. */
const IDLE_CPU_BAR = 1;
const MEMORY_BAR_MB = 120;
const NEW_SERVICE_BAR = 400;
const CLAIMED_BAR = 1500;
/** Frames a second, by default. */
const ANNOUNCE_RATE = 10_000;
/** So many of the IPs are asked for while the owner dies; they are claimed in one go. */
const SAMPLE = 100;
const NEW_SERVICES = 11;
const ALL_WITHIN_MS = 900_000;
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

/**
 * As many Services, each with an endpoint on every node; all IPs belong to one node, which dies in the end. The product
 * is built. No node proxy runs, since what it costs at this size is not Herald's.
 */
export const TEN_THOUSAND: Row = {
  name: "ten-thousand",
  size: 10_000,
  start: async () => {
    const lab = await startLab({ routers: false, nodeGraceMs: 600_000 });
    await Promise.all([...lab.kubeProxies.values()].map((proxy) => proxy.stop("SIGTERM")));
    return lab;
  },
  measure: async (stage) => {
    await stage.lab.install();
    await createAll(stage);
    await startBuilt(stage.lab);
    const ips = await assigned(stage);
    await giveAllToOwner(stage, ips.length);
    await measureIdle(stage);
    await measureNew(stage);
    await measureTakeover(stage, ips);
  },
};

/** Creates the Services, with endpoints, before Herald runs: that is faster. */
async function createAll({ lab, size, bars }: Stage): Promise<void> {
  for (const [name, range] of [
    ["default", "192.0.2.200-192.0.2.220"],
    ["many", "10.64.0.0-10.64.255.255"],
  ] as const)
    await lab.kubectl(["apply", "--filename=-"], pool(name, range));
  progress(`creating ${size} Services`);
  const tookMs = await byWriters(namesOf("many", size), (name) => insist(() => createServed(lab, name, "many")));
  bars.show("Services and endpoints made", tookMs, "ms");
}

/** Starts Herald as it is in an image. */
async function startBuilt(lab: Lab): Promise<void> {
  const reaper = await startReaper();
  try {
    const directory = dirname(await buildProduct(reaper));
    const built = async (role: "controller" | "speaker") => ({ directory, ...(await readContainer(role)) });
    await lab.startController({ built: await built("controller") });
    // There are no node proxies.
    await lab.startSpeakers({ built: await built("speaker"), flags: ["--node-proxy-health", "off"] });
    await lab.speakersReady(120_000);
  } finally {
    await reaper.reap(); // what runs has it mounted
  }
}

/** Gives the IPs once all are assigned. */
async function assigned({ lab, size, bars }: Stage): Promise<readonly string[]> {
  progress("waiting for their addresses");
  const begun = performance.now();
  for (;;) {
    const text = await lab.kubectl(["get", "services", "--selector=of=many", "--output=json"]);
    const { items } = JSON.parse(text) as { items: ApiObject[] };
    const ips = items.flatMap((one) => one.status?.loadBalancer?.ingress?.[0]?.ip ?? []);
    if (ips.length === size) {
      bars.show("all have an address", performance.now() - begun, "ms");
      return ips;
    }
    if (performance.now() - begun > ALL_WITHIN_MS) throw new Error(`only ${ips.length} of ${size} have an address`);
    await sleep(5000);
  }
}

/** Creates a Service and its slice, one ready endpoint a node. */
async function createServed(lab: Lab, name: string, poolName: string): Promise<void> {
  const labels = { "kubernetes.io/service-name": name };
  const endpoints = NODE_NAMES.map((nodeName, index) => ({
    addresses: [`10.244.${index + 1}.200`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName,
  }));
  const ports = [{ name: "http", port: 8080, protocol: "TCP" }];
  const slice = { metadata: { name, labels }, addressType: "IPv4", endpoints, ports };
  await lab.api.create(SLICES, slice).catch((error: unknown) => {
    if (!(error instanceof ApiFailure && error.status === 409)) throw error;
  });
  await lab.api.create(SERVICE, {
    metadata: { name, labels: { of: poolName }, annotations: { "heraldlb.io/pool": poolName } },
    spec: {
      type: "LoadBalancer",
      allocateLoadBalancerNodePorts: false,
      ports: [{ name: "http", port: 80, targetPort: 8080 }],
    },
  });
}

/** Empties the others, so that one node owns all; they take nothing back. Returns when all is written. */
async function giveAllToOwner({ lab }: Stage, count: number): Promise<void> {
  const owned = (node: NodeName) => metric(lab, node, 'herald_l2_claims{interface="eth0"}');
  // With so much to do at once it may miss its time, and others take what they gave back: then they give it again.
  for (const giveUp = performance.now() + ALL_WITHIN_MS; (await owned(OWNER)) < count; await sleep(3000)) {
    if (performance.now() > giveUp) throw new Error(`${OWNER} owns ${await owned(OWNER)} of ${count}`);
    progress(`giving all to ${OWNER}`);
    for (const node of OTHERS) await lab.faults.evacuate(node, true);
    for (; (await owned(OWNER)) < count && performance.now() < giveUp; ) await sleep(1000);
    await sleep(SETTLED_MS);
    for (const node of OTHERS) await lab.faults.evacuate(node, false);
  }
  progress("waiting until conditions and events are written");
  for (let [quiet, before] = [0, 0]; quiet < QUIET_S; ) {
    const now = await sumOf(lab, WRITES);
    quiet = now === before ? quiet + 1 : 0;
    before = now;
    await sleep(1000);
  }
}

async function measureIdle({ lab, size, bars }: Stage): Promise<void> {
  progress("idle");
  const pids = NODE_NAMES.map((node) => lab.herald.speaker(node).daemon.pid);
  // They ask each second whether it is ready, each time by a new connection; the DaemonSet has it asked once in 2 s.
  for (const kubelet of lab.kubelets.values()) kubelet.signal("SIGSTOP");
  const before = pids.map(cpuS);
  await sleep(IDLE_MS);
  const after = pids.map(cpuS);
  for (const kubelet of lab.kubelets.values()) kubelet.signal("SIGCONT");
  const details = { services: size, endpoints: 3 * size };
  for (const [index, node] of NODE_NAMES.entries()) {
    const pid = pids[index] as number;
    const percent = (((after[index] as number) - (before[index] as number)) / (IDLE_MS / 1000)) * 100;
    const memory = memoryMB(pid);
    const owns = node === OWNER ? "owner of all" : "owner of none";
    bars.show(`idle CPU, ${owns}`, percent, "% of a core", IDLE_CPU_BAR, details);
    bars.show(`idle RSS, ${owns}`, memory.now, "MB", MEMORY_BAR_MB, { most: memory.most });
  }
}

async function measureNew({ lab, bars }: Stage): Promise<void> {
  progress("new Services");
  const all: number[] = [];
  for (let run = 0; run < NEW_SERVICES; run++) {
    const name = `late-${run}`;
    const asks = Array.from({ length: 21 }, (_, index) => `192.0.2.${200 + index}`);
    const capture = await lab.capture({ asks, intervalMs: 10 });
    await createServed(lab, name, "default");
    const createdAt = performance.timeOrigin + performance.now();
    const ip = await addressOf(lab, name);
    for (const giveUp = performance.now() + 10_000; performance.now() < giveUp && capture.answers(ip).length === 0; )
      await sleep(20);
    await capture.stop();
    all.push((capture.answers(ip)[0]?.at ?? Number.NaN) - createdAt);
  }
  bars.spread("new Service's first ARP answer", all, "ms", { median: NEW_SERVICE_BAR, worst: NEW_SERVICE_BAR });
}

async function measureTakeover({ lab, bars }: Stage, ips: readonly string[]): Promise<void> {
  progress("the owner dies");
  const sample = ips.filter((_, index) => index % Math.ceil(ips.length / SAMPLE) === 0);
  const capture = await lab.capture({ asks: sample, intervalMs: 20 });
  await sleep(1000);
  const offAt = Date.now();
  await lab.faults.powerOff(OWNER);
  await sleep(15_000);
  await capture.stop();
  const first = sample.map((ip) => {
    const taken = capture.answers(ip).find(({ at, mac }) => at > offAt && mac !== macOf(OWNER));
    return (taken?.at ?? Number.NaN) - offAt;
  });
  const took = await Promise.all(OTHERS.map((node) => metric(lab, node, 'herald_l2_claims{interface="eth0"}')));
  const claimed = took.reduce((sum, count) => sum + count, 0);
  bars.show("all claimed", Math.max(...first), "ms", CLAIMED_BAR, {
    asked: sample.length,
    first: Math.min(...first),
    claimed,
  });
  showAnnouncements(bars, capture, ips, offAt);
  const stalls = await Promise.all(OTHERS.map((node) => metric(lab, node, 'herald_l2_stalls_total{interface="eth0"}')));
  bars.show("starts over after a sleep, since the start", Math.max(...stalls), "times");
  const everyone = await lab.capture({ asks: ips, intervalMs: 2000 });
  await sleep(3900);
  await everyone.stop();
  const silent = ips.filter((ip) => everyone.answers(ip).length === 0).length;
  bars.show("unanswered after that", silent, "IPs", 0, { asked: ips.length });
}

/** Each IP is announced by a request and a reply. */
function showAnnouncements(bars: Stage["bars"], capture: Capture, ips: readonly string[], offAt: number): void {
  const wanted = new Set(ips);
  const sent = capture.frames.filter(
    (frame): frame is ArpFrame =>
      frame.kind === "arp" && frame.at > offAt && frame.ip === frame.targetIp && wanted.has(frame.ip),
  );
  const firsts = new Map(sent.toReversed().map(({ ip, at }) => [ip, at]));
  const begun = Math.min(...firsts.values());
  const paced = (2 * ips.length * 1000) / ANNOUNCE_RATE; // were one node to announce them all
  const lasted = Math.max(...firsts.values()) - begun;
  bars.show("all announced for the first time", lasted, "ms", paced, {
    announced: firsts.size,
    afterMs: begun - offAt,
  });
  for (const node of OTHERS) {
    const times = sent.filter(({ mac }) => mac === macOf(node)).map(({ at }) => at);
    bars.show(
      `frames announced by ${node} in its busiest second`,
      busiest(times, 1000),
      "frames",
      ANNOUNCE_RATE * 1.02,
    );
  }
}

/** The most of these times, in order, that lie within `windowMs`. */
function busiest(times: readonly number[], windowMs: number): number {
  let [most, from] = [0, 0];
  for (const [index, at] of times.entries()) {
    while (at - (times[from] as number) >= windowMs) from++;
    most = Math.max(most, index - from + 1);
  }
  return most;
}

async function metric(lab: Lab, node: NodeName, name: string): Promise<number> {
  const page = await lab.statusPage(node, "/metrics");
  const line = page.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

function progress(what: string): void {
  console.error(`ten-thousand: ${what}`);
}
