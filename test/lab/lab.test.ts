import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApiObject } from "./api.ts";
import { type Lab, startLab } from "./lab.ts";
import { tryRun } from "./netns.ts";
import { NODE_NAMES, NODES } from "./plan.ts";
import { BIRD_AS, FRR_AS, NODE_AS } from "./router-config.ts";

const NODE_PORT = 30080;
const POD = "/api/v1/namespaces/default/pods";
const FAMILIES = ["ipv4", "ipv6"] as const;
let lab: Lab;

beforeAll(async () => {
  lab = await startLab();
  await Promise.all(NODE_NAMES.map((node) => lab.createPod({ name: `demo-${node}`, node })));
  await lab.api.create("/api/v1/namespaces/default/services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "demo" },
    spec: {
      type: "NodePort",
      selector: { app: "demo" },
      ipFamilyPolicy: "RequireDualStack",
      ports: ["TCP", "UDP"].map((protocol) => ({
        name: protocol.toLowerCase(),
        protocol,
        port: 80,
        targetPort: 8080,
        nodePort: NODE_PORT,
      })),
    },
  });
  await Promise.all(NODE_NAMES.map((node) => lab.until(`${POD}/demo-${node}`, `demo-${node} is ready`, ready(true))));
});

afterAll(() => lab?.stop());

const ready = (wanted: boolean) => (object: ApiObject) =>
  object?.status?.conditions?.some((one: ApiObject) => one.type === "Ready" && (one.status === "True") === wanted) ===
  true;

async function endpoints(family: "IPv4" | "IPv6"): Promise<string[]> {
  const { items } = await lab.api.get(
    `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=${encodeURIComponent("kubernetes.io/service-name=demo")}`,
  );
  return items
    .filter((slice: ApiObject) => slice.addressType === family)
    .flatMap((slice: ApiObject) => slice.endpoints ?? [])
    .filter((endpoint: ApiObject) => endpoint.conditions.ready)
    .map((endpoint: ApiObject) => `${endpoint.nodeName} ${endpoint.addresses[0]}`)
    .sort();
}

/** Asks until the pods that answer are exactly these. */
async function answeredBy(ip: string, port: number, pods: readonly string[], from?: "n1" | "c2" | "c3"): Promise<void> {
  const answering = async () => {
    const answers = await lab.ask("udp", { ip, port, count: 30, timeoutMs: 200 }, from);
    return [...new Set(answers.map((answer) => ("pod" in answer ? answer.pod : answer.error)))].sort();
  };
  await expect.poll(answering, { timeout: 20_000, interval: 100 }).toEqual(pods);
}

const ALL = NODE_NAMES.map((node) => `demo-${node}`);

test("kube-controller-manager makes the EndpointSlices of ready pods", async () => {
  await expect
    .poll(() => endpoints("IPv4"), { timeout: 10_000 })
    .toEqual(["n1 10.244.1.2", "n2 10.244.2.2", "n3 10.244.3.2"]);
  const ipv6 = NODES.map((node) => `${node.name} fd00:244:0:${node.number}::2`);
  await expect.poll(() => endpoints("IPv6"), { timeout: 10_000 }).toEqual(ipv6);
});

test("the client reaches the pods through each node's kube-proxy, by TCP and UDP, in both families", async () => {
  for (const node of NODES) {
    for (const family of FAMILIES) {
      const ip = node.data.addresses[family];
      await answeredBy(ip, NODE_PORT, ALL);
      const answers = await lab.ask("tcp", { ip, port: NODE_PORT, count: 6 });
      expect(answers.filter((answer) => "error" in answer)).toEqual([]);
    }
  }
});

test("a client behind each router does as well", async () => {
  for (const from of ["c2", "c3"] as const) {
    for (const family of FAMILIES) {
      await answeredBy(NODES[0]?.data.addresses[family] ?? "", NODE_PORT, ALL, from);
    }
  }
});

test("a node reaches the ClusterIPs", async () => {
  const service = await lab.api.get("/api/v1/namespaces/default/services/demo");
  expect(service.spec.clusterIPs).toHaveLength(2);
  for (const ip of service.spec.clusterIPs) await answeredBy(ip, 80, ALL, "n1");
});

test("an unready pod leaves its EndpointSlice, and comes back", async () => {
  await lab.faults.setReady("demo-n2", false);
  await lab.until(`${POD}/demo-n2`, "demo-n2 is unready", ready(false));
  await answeredBy("192.0.2.11", NODE_PORT, ["demo-n1", "demo-n3"]);
  await lab.faults.setReady("demo-n2", true);
  await answeredBy("192.0.2.11", NODE_PORT, ALL);
});

test("the probes measure an outage as long as it was", async () => {
  const udp = await lab.udpProbe({ ip: "192.0.2.11", port: NODE_PORT });
  const tcp = await lab.tcpProbe({ ip: "192.0.2.11", port: NODE_PORT, connections: 5 });
  await sleep(300);
  const asked = performance.now();
  await lab.faults.block("n1", true);
  const blocked = performance.now();
  await sleep(500);
  const unblocking = performance.now();
  await lab.faults.block("n1", false);
  const over = performance.now();
  await sleep(1500);
  const report = await udp.stop();
  const connections = await tcp.stop();

  const [shortest, longest] = [unblocking - blocked, over - asked];
  expect(report.longestOutageMs).toBeGreaterThan(shortest - report.worstSendDelayMs);
  expect(report.longestOutageMs).toBeLessThan(longest + 30 + report.worstSendDelayMs);
  // What was on its way through the node's own pod, or was sent too late, may differ by a few.
  expect(report.lost).toBeGreaterThan(shortest * 0.9);
  expect(report.lost).toBeLessThan(longest * 1.1);
  expect(report.pods).toHaveLength(1);
  expect(connections).toMatchObject({ connections: 5, established: 5, broken: 0 });
  expect(connections.longestStallMs).toBeGreaterThan(shortest);
});

test("the TCP probe reports resets", async () => {
  const tcp = await lab.tcpProbe({ ip: "10.244.1.2", port: 8080, connections: 3 }, "n1");
  await sleep(100);
  await lab.exec("n1", [
    "nft",
    "add table inet cut; add chain inet cut out { type filter hook output priority 0; }; add rule inet cut out ip daddr 10.244.1.2 tcp dport 8080 reject with tcp reset",
  ]);
  await sleep(300);
  await lab.exec("n1", ["nft", "delete table inet cut"]);
  const report = await tcp.stop();
  expect(report).toMatchObject({ connections: 3, established: 3, broken: 3, resets: 3 });
});

test("the capture sees two MACs answer for one address, and gratuitous ARP", async () => {
  const capture = await lab.capture({ asks: ["192.0.2.150"], intervalMs: 10 });
  await lab.exec("n1", ["ip", "address", "add", "192.0.2.150/32", "dev", "eth0"]);
  await lab.exec("n1", ["arping", "-U", "-c", "1", "-w", "1", "-I", "eth0", "192.0.2.150"]).catch(() => {});
  expect([...(await lab.whoAnswers(["192.0.2.150"]))]).toEqual([["192.0.2.150", ["02:48:00:00:00:11"]]]);
  await lab.exec("n2", ["ip", "address", "add", "192.0.2.150/32", "dev", "eth0"]);
  await sleep(200);
  await lab.exec("n1", ["ip", "address", "delete", "192.0.2.150/32", "dev", "eth0"]);
  expect([...(await lab.whoAnswers(["192.0.2.150"]))]).toEqual([["192.0.2.150", ["02:48:00:00:00:12"]]]);
  await lab.exec("n2", ["ip", "address", "delete", "192.0.2.150/32", "dev", "eth0"]);
  await capture.stop();
  const [double] = capture.doubles("192.0.2.150");
  expect(double?.macs).toEqual(["02:48:00:00:00:11", "02:48:00:00:00:12"]);
  expect(double?.ms).toBeGreaterThan(100);
  expect(capture.gratuitous("192.0.2.150").map((frame) => frame.mac)).toContain("02:48:00:00:00:11");
});

test("a node that is powered off becomes NotReady, its pod unready; powered on, both come back", async () => {
  await lab.faults.powerOff("n3");
  await lab.until("/api/v1/nodes/n3", "n3 is NotReady", ready(false));
  await lab.until(`${POD}/demo-n3`, "demo-n3 is unready", ready(false));
  await answeredBy("192.0.2.11", NODE_PORT, ["demo-n1", "demo-n2"]);
  await expect(lab.faults.join("n3", "data")).rejects.toThrow("n3 is off; power-on n3 first");
  await lab.faults.powerOn("n3");
  await lab.faults.nodeReady("n3");
  await answeredBy("192.0.2.13", NODE_PORT, ALL);
});

test("a node without its management NIC becomes NotReady, but forwards on", async () => {
  await lab.faults.cut("n2", "management");
  await lab.until("/api/v1/nodes/n2", "n2 is NotReady", ready(false));
  const [answer] = await lab.ask("tcp", { ip: "192.0.2.12", port: NODE_PORT });
  expect(answer).toHaveProperty("pod");
  await lab.faults.join("n2", "management");
  await lab.faults.nodeReady("n2");
});

test("the API server stops and starts; nodes stay Ready", async () => {
  await lab.controlPlane.stopApiServer();
  await expect(lab.api.get("/api/v1/nodes")).rejects.toThrow();
  await lab.controlPlane.startApiServer();
  await Promise.all(NODE_NAMES.map((node) => lab.faults.nodeReady(node)));
});

test("draining a node takes its pods away", async () => {
  await lab.faults.drain("n1");
  await lab.until(`${POD}/demo-n1`, "demo-n1 is gone", (pod) => pod === undefined);
  await answeredBy("192.0.2.11", NODE_PORT, ["demo-n2", "demo-n3"]);
  await lab.faults.undrain("n1");
});

test("routers take routes of the nodes' gobgpds, with what they say, until these are gone", async () => {
  const prefix = "203.0.113.1/32";
  const nodes = NODES.slice(0, 2);
  for (const { name, data } of nodes) {
    const gobgp = (command: string) => lab.herald.gobgp(name, ...command.split(" "));
    await lab.herald.gobgpd(name).start();
    await expect.poll(() => gobgp("global").catch(() => "not there yet"), { timeout: 5000 }).toContain("AS:");
    await gobgp(`global as ${NODE_AS} router-id ${data.addresses.ipv4}`);
    await gobgp(`global rib add ${prefix} community 65000:100,no-export large-community 65000:1:2 med 7`);
    await gobgp(`neighbor add 192.0.2.1 as ${FRR_AS}`);
    await gobgp(`neighbor add 192.0.2.2 as ${BIRD_AS}`);
  }
  const marks: number[] = [];
  for (const router of lab.routers) {
    await router.routed(prefix, ["192.0.2.11", "192.0.2.12"]);
    const established = (await router.sessions()).filter((session) => session.established);
    expect(established.sort((a, b) => (a.address < b.address ? -1 : 1))).toEqual(
      nodes.map(({ data }) => ({ address: data.addresses.ipv4, established: true, holdTime: 90 })),
    );
    const paths = await router.paths(prefix);
    expect(paths.map(({ nextHop }) => nextHop).sort()).toEqual(["192.0.2.11", "192.0.2.12"]);
    const said = { communities: ["65000:100", "65535:65281"], largeCommunities: ["65000:1:2"], med: 7 };
    for (const path of paths) expect(path).toMatchObject({ asPath: [NODE_AS], ...said });
    marks.push(await router.mark());
  }
  await lab.herald.gobgp("n1", "global", "rib", "del", prefix);
  for (const router of lab.routers) await router.routed(prefix, ["192.0.2.12"]);
  await lab.herald.gobgpd("n2").stop("SIGKILL");
  for (const [index, router] of lab.routers.entries()) {
    await router.routed(prefix, []);
    const { up, down, withdrawn } = await router.newsSince(marks[index] as number);
    expect([up.length, down.length]).toEqual([0, 1]);
    expect(withdrawn.filter((line) => line.includes(prefix)).length).toBeGreaterThan(0);
  }
  await lab.herald.gobgpd("n1").stop("SIGTERM");
});

test("commands reach the lab from outside", async () => {
  const name = lab.topology.prefix.slice(0, -1);
  const ctl = (...words: string[]) =>
    tryRun([process.execPath, new URL("ctl.ts", import.meta.url).pathname, "--lab", name, ...words]);
  const status = await ctl("status");
  expect(status.stderr).toBe("");
  expect(status.stdout).toMatch(/^n2 +on +ok +Ready +not running +not running +running +02:48:00:00:00:12$/m);
  expect((await ctl("shell", "c3", "ip", "-brief", "address")).stdout).toContain("198.51.101.100/24");
  expect((await ctl("kubectl", "get", "nodes", "-o", "name")).stdout).toBe("node/n1\nnode/n2\nnode/n3\n");
  expect(await ctl("power-off", "n9")).toMatchObject({
    code: 1,
    stderr: 'lab:ctl: there is no node "n9"; the nodes are n1, n2, n3\n',
  });
  expect((await ctl("kill-speaker", "n1")).stderr).toBe(
    "lab:ctl: the speaker of n1 is not running; start-speaker n1 starts it\n",
  );
  await ctl("block", "n2");
  expect((await ctl("status")).stdout).toMatch(/^n2 +on +eth0 blocked /m);
  await ctl("unblock", "n2");
});

test("its end leaves nothing", async () => {
  const { directory, controlPlane, topology } = lab;
  await lab.stop();
  const mine = [directory, controlPlane.directory, topology.prefix];
  expect(readdirSync("/run/netns").filter((name) => name.startsWith(topology.prefix))).toEqual([]);
  expect(processesNaming(mine)).toEqual([]);
  expect(() => readdirSync(directory)).toThrow("ENOENT");
  expect(() => readdirSync(controlPlane.directory)).toThrow("ENOENT");
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(topology.prefix);
});

/** The command lines of processes that name one of these. */
function processesNaming(names: readonly string[]): string[] {
  const found: string[] = [];
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      if (names.some((name) => command.includes(name))) found.push(command);
    } catch {}
  }
  return found;
}
