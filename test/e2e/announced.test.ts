import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApiObject } from "../lab/api.ts";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../lab/plan.ts";
import { startPods } from "./power-off.ts";
import { addressOf, macOf, ownerOf, pool, reachable, SERVICE, service, startProduct } from "./product.ts";

/** What users see of layer 2: the condition Announced, its events, the Speaker objects and the metrics. */

let lab: Lab;
let ip: string;
beforeAll(async () => {
  lab = await startProduct();
  await startPods(lab);
  await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: "n1" } }));
  ip = await addressOf(lab, "web");
  await reachable(lab, { ip });
});
afterAll(() => lab?.stop());

const conditionOf = (object: ApiObject | undefined, type: string): ApiObject | undefined =>
  object?.status?.conditions?.find((one: ApiObject) => one.type === type);

function untilAnnounced(what: string, accept: (condition: ApiObject) => boolean): Promise<ApiObject> {
  return lab.until(`${SERVICE}/web`, `web is announced: ${what}`, (object) => {
    const condition = conditionOf(object, "heraldlb.io/Announced");
    return condition !== undefined && accept(condition);
  });
}

const by = (node: NodeName) => `${ip} by node ${node} on eth0 (${macOf(node)}) since `;

async function events(): Promise<readonly { reason: string; note: string }[]> {
  const text = await lab.kubectl(["get", "events.events.k8s.io", "--output=json"]);
  const { items } = JSON.parse(text) as {
    items: { regarding: { name: string }; reportingController: string; reason: string; note: string }[];
  };
  return items.filter((one) => one.regarding.name === "web" && one.reportingController === "herald-speaker");
}

test("the owner says so on the Service, and its Speaker shows whom it hears", async () => {
  const owner = await ownerOf(lab, ip);
  const object = await untilAnnounced("by its owner", ({ message }) => message.startsWith(by(owner)));
  expect(conditionOf(object, "heraldlb.io/Announced")).toMatchObject({ status: "True", reason: "Layer2" });
  expect(conditionOf(object, "heraldlb.io/Assigned")).toMatchObject({ status: "True" });
  await expect.poll(events).toContainEqual(expect.objectContaining({ reason: "Announced" }));
  const others = NODE_NAMES.filter((node) => node !== owner);
  const speaker = await lab.until(
    `/apis/heraldlb.io/v1alpha1/speakers/${owner}`,
    "the Speaker shows its neighbours",
    (seen) => seen?.status?.layer2?.heard === others.length && seen.status.layer2.owned === 1,
    15_000,
  );
  expect(speaker.status.layer2.neighbours).toEqual([
    { interface: "eth0", nodes: others.map((node) => ({ node, state: "Heard" })) },
  ]);
  for (const type of ["HelloBlocked", "Isolated", "BroadcastBlocked", "AddressConflict", "TimersDiffer"])
    expect(conditionOf(speaker, type), type).toMatchObject({ status: "False" });
});

test("somebody's edit of a Speaker's status is put right", async () => {
  const owner = await ownerOf(lab, ip);
  const patch = JSON.stringify({ status: { layer2: { claims: [], owned: 7 } } });
  await lab.kubectl([
    "patch",
    "speakers.heraldlb.io",
    owner,
    "--subresource=status",
    "--type=merge",
    `--patch=${patch}`,
  ]);
  await lab.until(
    `/apis/heraldlb.io/v1alpha1/speakers/${owner}`,
    "the Speaker is as before",
    (seen) => seen?.status?.layer2?.owned === 1 && seen.status.layer2.claims.length === 1,
  );
  expect(await ownerOf(lab, ip)).toBe(owner);
});

test("nothing is written while nothing happens", async () => {
  const versions = async () => {
    const text = await lab.kubectl(["get", "services,speakers.heraldlb.io", "--output=json"]);
    const { items } = JSON.parse(text) as { items: { metadata: { name: string; resourceVersion: string } }[] };
    return items.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
  };
  for (const node of NODE_NAMES)
    await lab.until(
      `/apis/heraldlb.io/v1alpha1/speakers/${node}`,
      `${node} shows its neighbours`,
      (seen) => seen?.status?.layer2?.heard === 2,
      15_000,
    );
  const before = await versions();
  await new Promise((resolve) => setTimeout(resolve, 8_000)); // longer than anything is put off
  expect(await versions()).toEqual(before);
});

test("after a power-off the new owner says so, and why", async () => {
  const owner = await ownerOf(lab, ip);
  const rest = NODE_NAMES.filter((node) => node !== owner);
  await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: rest[0] } }));
  await reachable(lab, { ip }, [`demo-${rest[0]}`]);
  await lab.faults.powerOff(owner);
  const object = await untilAnnounced("by another", ({ message }) => rest.some((node) => message.startsWith(by(node))));
  const successor = await ownerOf(lab, ip);
  expect(conditionOf(object, "heraldlb.io/Announced")?.message).toContain(by(successor));
  await expect.poll(events).toContainEqual(
    expect.objectContaining({
      reason: "TakenOver",
      note: expect.stringMatching(
        new RegExp(
          `announced by node ${successor} on eth0 .*taken over from node ${owner}: the node is dead, 0\\.\\d\\d s`,
        ),
      ),
    }),
  );
  const metrics = await lab.statusPage(successor, "/metrics");
  expect(metrics).toContain('herald_l2_takeovers_total{cause="NodeDead"} 1');
  expect(metrics).toContain('herald_l2_takeover_seconds_count{cause="NodeDead"} 1');
  expect(metrics).toMatch(/herald_l2_frames_sent_total\{interface="eth0",kind="gratuitousArp"\} [1-9]/);
  await lab.until(
    `/apis/heraldlb.io/v1alpha1/speakers/${successor}`,
    "the Speaker shows that its neighbour is dead, and since when",
    (seen) =>
      seen?.status?.layer2?.neighbours?.[0]?.nodes.some(
        (one: ApiObject) => one.node === owner && one.state === "Dead" && one.lastHeard !== undefined,
      ),
    15_000,
  );
  await lab.faults.powerOn(owner);
  await lab.faults.nodeReady(owner);
  await lab.speakerReady(owner);
});

test("without an endpoint the condition says so after a while, and is True again with one", async () => {
  await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: "nobody" } }));
  const object = await untilAnnounced("no more", ({ status }) => status === "False");
  expect(conditionOf(object, "heraldlb.io/Announced")).toMatchObject({
    reason: "NoEndpoints",
    message: `${ip} by nobody: no endpoint of the Service serves`,
  });
  await expect.poll(events).toContainEqual(expect.objectContaining({ reason: "NotAnnounced" }));
  await lab.kubectl(["apply", "--filename=-"], service("web", { selector: { app: "n1" } }));
  await untilAnnounced("again", ({ status }) => status === "True");
});

test("an address that a stranger has is not announced, and Service, Speaker and events name who has it", async () => {
  const taken = "192.0.2.210";
  await lab.exec("client", ["ip", "address", "add", `${taken}/24`, "dev", "eth0"]);
  const started = performance.now();
  const asking = JSON.parse(service("taken", { selector: { app: "n1" } })) as { metadata: object };
  const metadata = { ...asking.metadata, annotations: { "heraldlb.io/ips": taken } };
  await lab.kubectl(["apply", "--filename=-"], JSON.stringify({ ...asking, metadata }));
  const object = await lab.until(`${SERVICE}/taken`, "its condition says so", (seen) => {
    const condition = conditionOf(seen, "heraldlb.io/Announced");
    return condition?.status === "False" && condition.reason === "AddressConflict";
  });
  console.info(`a stranger's address: named after ${(performance.now() - started).toFixed(0)} ms`);
  const [, node = ""] = /as (n\d) sees on eth0$/.exec(conditionOf(object, "heraldlb.io/Announced")?.message) ?? [];
  const speaker = await lab.until(
    `/apis/heraldlb.io/v1alpha1/speakers/${node}`,
    "the Speaker names the address",
    (seen) =>
      seen?.status?.layer2?.conflicts?.[0]?.ip === taken && conditionOf(seen, "AddressConflict")?.status === "True",
  );
  expect(conditionOf(speaker, "AddressConflict")?.reason).toBe("StrangerAnswers");
  expect((await lab.whoAnswers([taken])).get(taken) ?? [], "nodes that answer").toEqual([]);
  await lab.exec("client", ["ip", "address", "del", `${taken}/24`, "dev", "eth0"]);
  await lab.until(
    `${SERVICE}/taken`,
    "it is announced once the stranger is gone",
    (seen) => conditionOf(seen, "heraldlb.io/Announced")?.status === "True",
    60_000,
  );
  await lab.kubectl(["delete", "service", "taken"]);
});

test("a drained node's address is said to be drained, and a pool that only assigns is named", async () => {
  const owner = await ownerOf(lab, ip);
  await lab.faults.evacuate(owner, true);
  await untilAnnounced("by another", ({ status, message }) => status === "True" && !message.includes(`node ${owner} `));
  await lab.faults.evacuate(owner, false);
  await expect.poll(events).toContainEqual(
    expect.objectContaining({
      note: expect.stringContaining(`taken over from node ${owner}: it gives its addresses away`),
    }),
  );
  const silent = JSON.parse(pool("default", "192.0.2.200-192.0.2.220")) as { spec: object };
  const text = JSON.stringify({ ...silent, spec: { ...silent.spec, announce: [] } });
  await lab.kubectl(["apply", "--filename=-"], text);
  const object = await untilAnnounced("no more", ({ status }) => status === "False");
  expect(conditionOf(object, "heraldlb.io/Announced")?.reason).toBe("NotAnnounced");
});
