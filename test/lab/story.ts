import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiObject } from "./api.ts";
import { type BGPFigures, tellBGPStory } from "./bgp-story.ts";
import type { Lab } from "./lab.ts";
import { holderOfMac, NODE_NAMES, type NodeName, nodePlan } from "./plan.ts";
import type { Teller } from "./teller.ts";
import { ms, shortUdpReport } from "./text.ts";
import { podReady } from "./until.ts";

const SAMPLES = new URL("../../config/samples/", import.meta.url);
const SERVICE = "/api/v1/namespaces/default/services/demo";
const PORT = 80;
/** Long enough for several gratuitous ARPs, and for a wrong owner to show. */
const AFTERWARDS_MS = 3000;

/** What the story measured; times are milliseconds. */
export interface Figures extends BGPFigures {
  upMs?: number;
  /** From `kubectl apply` being called, and from the Service being there, to its address. */
  applyToAddressMs?: number;
  createdToAddressMs?: number;
  /** From the address to the first answer to ARP for it, and to the first answer by UDP. */
  addressToArpMs?: number;
  addressToReachableMs?: number;
  address?: string;
  owner?: string;
  failoverOutageMs?: number;
  failoverLost?: number;
  failoverTcpBroken?: number;
  failoverTcpStallMs?: number;
  /** How long two MACs answered for the address; one round of asking is 10 ms. */
  failoverTwoMacsMs?: number;
  successor?: string;
  worstSendDelayMs?: number;
  returnLost?: number;
  returnMoved?: boolean;
}

/** Tells the story on a lab that is up; throws at the first step that goes wrong, with what did. */
export async function tellStory(lab: Lab, tell: Teller, figures: Figures): Promise<void> {
  tell.step("Herald is installed: CRDs, roles, one controller, a speaker on each node");
  await lab.install();
  await lab.startController();
  await lab.startSpeakers();
  await lab.speakersReady();
  tell.done("speakers are ready, each with CAP_NET_RAW and nothing else, the controller with no capability at all");

  tell.step("three pods serve the demo: one on each node");
  await Promise.all(NODE_NAMES.map((node) => lab.createPod({ name: `demo-${node}`, node })));
  await Promise.all(NODE_NAMES.map((node) => podReady(lab.api, "default", `demo-${node}`)));
  tell.done("demo-n1, demo-n2 and demo-n3 are ready");

  const ip = await getAddress(lab, tell, figures);
  const owner = await findOwner(lab, tell, ip);
  figures.owner = owner;
  await takePodAway(lab, tell, owner);
  const successor = await failOver(lab, tell, figures, ip, owner);
  await comeBack(lab, tell, figures, ip, owner, successor);
  const podNodes = NODE_NAMES.filter((node) => node !== owner);
  await tellBGPStory(lab, tell, figures, owner, podNodes);
}

async function getAddress(lab: Lab, tell: Teller, figures: Figures): Promise<string> {
  tell.step("kubectl apply -f config/samples: an IPPool, and a Service of type LoadBalancer with a TCP and a UDP port");
  // Nobody knows yet which address it will be.
  const capture = await lab.capture({ asks: Array.from({ length: 21 }, (_, index) => `192.0.2.${200 + index}`) });
  const samples = await Promise.all(
    ["ippool.yaml", "service.yaml"].map((name) => readFile(new URL(name, SAMPLES), "utf8")),
  );
  let created = 0;
  const called = performance.now();
  const addressed = lab.until(SERVICE, "the Service demo has an address", (service) => {
    if (service !== undefined) created ||= performance.now();
    return addressOf(service) !== undefined;
  });
  addressed.catch(() => {});
  await lab.kubectl(["apply", "-f", "-"], samples.join("---\n"));
  const service = await addressed;
  const now = performance.now();
  const wallNow = performance.timeOrigin + now;
  figures.applyToAddressMs = now - called;
  figures.createdToAddressMs = now - created;
  const ip = addressOf(service) as string;
  figures.address = ip;
  tell.done(
    `the Service has ${ip}: ${ms(now - created)} after it was created, ${ms(now - called)} after kubectl was called`,
  );
  await reach(lab, tell, figures, ip);
  await capture.stop();
  const first = capture.answers(ip)[0];
  if (first === undefined) throw new Error(`nobody answers ARP for ${ip}`);
  figures.addressToArpMs = Math.max(0, first.at - wallNow);
  tell.say(
    `ARP was answered ${ms(figures.addressToArpMs)} after the address: the speakers open a segment with the first`,
  );
  tell.say(
    "     pool, and listen for one detection time (330 ms) before they claim; kube-proxy writes rules once a second",
  );
  tell.done("reachable by TCP and UDP");
  return ip;
}

async function reach(lab: Lab, tell: Teller, figures: Figures, ip: string): Promise<void> {
  tell.step(`the client, 192.0.2.100 on the same segment, asks ${ip}`);
  const begun = performance.now();
  for (;;) {
    const [answer] = await lab.ask("udp", { ip, port: PORT, timeoutMs: 50 });
    if (answer !== undefined && "pod" in answer) break;
    if (performance.now() - begun > 10_000) throw new Error(`nobody answers at ${ip} port ${PORT} after 10 s`);
  }
  figures.addressToReachableMs = performance.now() - begun;
  tell.say(`first answer ${ms(figures.addressToReachableMs)} after the address`);
  for (const protocol of ["tcp", "udp"] as const) {
    const answers = await lab.ask(protocol, { ip, port: PORT, count: 12 });
    const bad = answers.filter((answer) => "error" in answer);
    if (bad.length > 0)
      throw new Error(`${bad.length} of ${answers.length} requests by ${protocol} failed: ${JSON.stringify(bad[0])}`);
    const by = Map.groupBy(answers, (answer) => ("pod" in answer ? `${answer.pod} saw ${answer.source}` : ""));
    tell.say(
      `${protocol.toUpperCase()}: ${[...by]
        .map(([who, those]) => `${who} (${those.length})`)
        .sort()
        .join(", ")}`,
    );
  }
}

async function findOwner(lab: Lab, tell: Teller, ip: string): Promise<NodeName> {
  tell.step(`who answers ARP for ${ip}?`);
  const macs = (await lab.whoAnswers([ip], 300)).get(ip) ?? [];
  const [mac] = macs;
  if (mac === undefined || macs.length > 1)
    throw new Error(`${macs.length} MACs answer for ${ip}: ${macs.join(", ")}; it should be one`);
  const believed = await lab.neighbour(ip);
  if (believed !== mac) throw new Error(`${mac} answers for ${ip}, but the client's neighbour table says ${believed}`);
  const owner = holderOfMac(mac) ?? "";
  tell.done(`${owner} (${mac}), and nobody else; the client's neighbour table says the same`);
  return nodePlan(owner).name;
}

/** Otherwise some of the outage would be Kubernetes': it needs its time to see that the pods of a dead node are dead. */
async function takePodAway(lab: Lab, tell: Teller, owner: NodeName): Promise<void> {
  tell.step(`demo-${owner} is deleted, so that what the client sees next is Herald's part alone`);
  await lab.api.delete(`/api/v1/namespaces/default/pods/demo-${owner}`);
  await lab.until(`/api/v1/namespaces/default/pods/demo-${owner}`, `demo-${owner} is gone`, (pod) => pod === undefined);
  await untilAvoided(lab, `demo-${owner}`);
  tell.done("it is gone, and no kube-proxy sends anything there");
}

/** Waits until no node's proxy sends to a pod any more, asked through the NodePort of each. */
async function untilAvoided(lab: Lab, pod: string): Promise<void> {
  const service = await lab.api.get(SERVICE);
  const port = service.spec.ports.find((one: ApiObject) => one.protocol === "UDP").nodePort;
  for (const deadline = performance.now() + 15_000; performance.now() < deadline; ) {
    const asked = await Promise.all(
      NODE_NAMES.map((node) =>
        lab.ask("udp", { ip: nodePlan(node).data.addresses.ipv4, port, count: 20, timeoutMs: 100 }),
      ),
    );
    if (asked.flat().every((answer) => "pod" in answer && answer.pod !== pod)) return;
  }
  throw new Error(`the kube-proxies still send to ${pod} after 15 s`);
}

async function failOver(lab: Lab, tell: Teller, figures: Figures, ip: string, owner: NodeName): Promise<NodeName> {
  tell.step(`${owner} loses its power, while the client sends UDP each millisecond and holds 10 TCP connections`);
  const capture = await lab.capture({ asks: [ip] });
  const tcp = await lab.tcpProbe({ ip, port: PORT });
  const udp = await lab.udpProbe({ ip, port: PORT });
  await sleep(1000);
  await lab.faults.powerOff(owner);
  await sleep(AFTERWARDS_MS);
  const report = await udp.stop();
  const connections = await tcp.stop();
  await capture.stop();
  figures.failoverOutageMs = report.longestOutageMs;
  figures.failoverLost = report.lost;
  figures.worstSendDelayMs = report.worstSendDelayMs;
  figures.failoverTcpBroken = connections.broken;
  figures.failoverTcpStallMs = connections.longestStallMs;
  figures.failoverTwoMacsMs = capture.doubles(ip)[0]?.ms ?? 0;
  tell.say(`UDP: ${shortUdpReport(report)}`);
  const alive = connections.connections - connections.broken;
  tell.say(
    `TCP: ${alive} of ${connections.connections} connections live on; longest wait ${ms(connections.longestStallMs)}`,
  );
  if (alive === 0)
    tell.say("     (the new node's kube-proxy does not know connections of the dead one: clients connect anew)");
  const successor = holderOfMac(capture.answers(ip).at(-1)?.mac ?? "");
  const believed = holderOfMac((await lab.neighbour(ip)) ?? "");
  const last = report.outages.find((outage) => outage.atMs + outage.ms >= report.durationMs - 1);
  if (last !== undefined)
    throw new Error(`${ip} was not reachable again ${ms(AFTERWARDS_MS)} after ${owner} was powered off`);
  if (successor === undefined || successor === owner) throw new Error(`no other node answers for ${ip}`);
  if (believed !== successor)
    throw new Error(`${successor} answers for ${ip}, but the client's neighbour table says ${believed}`);
  figures.successor = successor;
  tell.done(
    `${successor} has taken over: an outage of ${ms(report.longestOutageMs)} for the client; two MACs answered for ${ms(figures.failoverTwoMacsMs)}`,
  );
  return nodePlan(successor).name;
}

async function comeBack(
  lab: Lab,
  tell: Teller,
  figures: Figures,
  ip: string,
  owner: NodeName,
  successor: NodeName,
): Promise<void> {
  tell.step(`${owner} gets its power back`);
  const capture = await lab.capture({ asks: [ip] });
  const udp = await lab.udpProbe({ ip, port: PORT });
  await lab.faults.powerOn(owner);
  await lab.faults.nodeReady(owner);
  await lab.speakerReady(owner);
  tell.say(`${owner} is Ready, its speaker too`);
  await sleep(AFTERWARDS_MS);
  const report = await udp.stop();
  await capture.stop();
  const answered = new Set(capture.answers(ip).map((answer) => holderOfMac(answer.mac)));
  figures.returnLost = report.lost;
  figures.returnMoved = [...answered].some((who) => who !== successor);
  tell.say(`UDP: ${shortUdpReport(report)}`);
  if (figures.returnMoved)
    throw new Error(`${[...answered].join(", ")} answered for ${ip}; ${successor} should have kept it`);
  if (report.lost > 0) throw new Error(`${report.lost} datagrams were lost when ${owner} came back`);
  tell.done(`nothing moves: ${successor} keeps ${ip}, and no datagram was lost`);
}

function addressOf(service: ApiObject | undefined): string | undefined {
  return service?.status?.loadBalancer?.ingress?.[0]?.ip;
}
