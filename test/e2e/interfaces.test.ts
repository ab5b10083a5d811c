import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import type { NodeName } from "../lab/plan.ts";
import { addressOf, macOf, ownerOf, reachable, service, startProduct } from "./product.ts";

/** What happens to a node's interface while it announces. */

let lab: Lab;
let ip: string;
beforeAll(async () => {
  lab = await startProduct({ nodeGraceMs: 40_000 });
  await lab.createPod({ name: "demo-1", node: "n1" });
  await lab.kubectl(["apply", "--filename=-"], service("web"));
  ip = await addressOf(lab, "web");
  await reachable(lab, { ip });
});
afterAll(() => lab?.stop());

const link = (node: NodeName, ...args: string[]) => lab.exec(node, ["ip", "link", ...args]);

/** Waits until exactly this MAC answers. */
async function answeredBy(mac: string): Promise<void> {
  let seen: readonly string[] = [];
  for (const giveUp = Date.now() + 5000; Date.now() < giveUp; ) {
    seen = (await lab.whoAnswers([ip], 200)).get(ip) ?? [];
    if (seen.join() === mac) return;
  }
  throw new Error(`${ip}: answered by ${seen.join(" and ") || "nobody"}, not by ${mac}`);
}

/** Waits until the client has this MAC; its kernel takes no second news of a neighbour within 1 s. */
async function believed(mac: string): Promise<void> {
  for (const giveUp = Date.now() + 5000; (await lab.neighbour(ip)) !== mac; await sleep(100))
    if (Date.now() > giveUp) throw new Error(`the client has ${await lab.neighbour(ip)} for ${ip}, not ${mac}`);
}

/** The interfaces that a node's Speaker object tells of. */
const interfacesAre = (node: NodeName, ...wanted: string[]) =>
  lab.until(
    `/apis/heraldlb.io/v1alpha1/speakers/${node}`,
    `${node} has ${wanted.join()}`,
    (object) => wanted.join() === (object?.status?.interfaces ?? []).map(({ name }: { name: string }) => name).join(),
  );

test("another MAC: the owner keeps its IP, and clients are told", async () => {
  const owner = await ownerOf(lab, ip);
  const other = "02:48:00:00:0a:01";
  await link(owner, "set", "eth0", "address", other);
  await answeredBy(other);
  await reachable(lab, { ip });
  await believed(other);
  await link(owner, "set", "eth0", "address", macOf(owner));
  await answeredBy(macOf(owner));
  await believed(macOf(owner));
});

test("another MTU, and the interface down and up: one node answers in the end", async () => {
  const owner = await ownerOf(lab, ip);
  await link(owner, "set", "eth0", "mtu", "1400");
  expect(await ownerOf(lab, ip)).toBe(owner);
  await link(owner, "set", "eth0", "down");
  expect(await ownerOf(lab, ip)).not.toBe(owner);
  await link(owner, "set", "eth0", "mtu", "1500", "up");
  await interfacesAre(owner, "eth0", "mgmt0", "pod0");
  await sleep(1500);
  await ownerOf(lab, ip);
});

test("put into a bridge, the node hands its IPs over, and takes part again when it is out of it", async () => {
  const owner = await ownerOf(lab, ip);
  await link(owner, "add", "br9", "type", "bridge");
  await link(owner, "set", "eth0", "master", "br9");
  await interfacesAre(owner, "mgmt0", "pod0");
  expect(await ownerOf(lab, ip)).not.toBe(owner);
  await link(owner, "set", "eth0", "nomaster");
  await link(owner, "del", "br9");
  await interfacesAre(owner, "eth0", "mgmt0", "pod0");
  await lab.speakerReady(owner);
  await ownerOf(lab, ip);
});

test("another name: the node goes on under it", async () => {
  const owner = await ownerOf(lab, ip);
  const rename = async (from: string, to: string) => {
    await link(owner, "set", from, "down");
    await link(owner, "set", from, "name", to, "up");
  };
  await rename("eth0", "wan0");
  await interfacesAre(owner, "mgmt0", "pod0", "wan0");
  await lab.speakerReady(owner);
  await ownerOf(lab, ip);
  await rename("wan0", "eth0");
  await interfacesAre(owner, "eth0", "mgmt0", "pod0");
  await lab.speakerReady(owner);
  await ownerOf(lab, ip);
});

test("two NICs on one segment: the first by name answers, the other is silent", async () => {
  const owner = await ownerOf(lab, ip);
  const { netns } = lab.topology;
  const second = "02:48:00:00:0a:02";
  await lab.exec("sw", [
    ...["ip", "link", "add", "p-second", "type", "veth"],
    ...["peer", "name", "eth1", "netns", netns(owner), "address", second],
  ]);
  await lab.exec("sw", ["ip", "link", "set", "p-second", "master", "br0", "up"]);
  await link(owner, "set", "eth1", "up");
  await lab.exec(owner, ["ip", "address", "add", "192.0.2.51/24", "dev", "eth1"]);
  await interfacesAre(owner, "eth0", "eth1", "mgmt0", "pod0");
  const capture = await lab.capture({ asks: [ip] });
  await sleep(1500);
  await capture.stop();
  expect([...new Set(capture.answers(ip).map(({ mac }) => mac))]).toEqual([macOf(owner)]);
  const hellosFrom = capture.frames.filter(({ kind, mac }) => kind === "hello" && mac === second);
  expect(hellosFrom).toEqual([]);
  await link(owner, "del", "eth1");
});
