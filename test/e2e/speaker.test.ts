import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApiObject } from "../lab/api.ts";
import type { Lab } from "../lab/lab.ts";
import type { NodeName } from "../lab/plan.ts";
import { addressOf, ownerOf, reachable, service, startProduct } from "./product.ts";

let lab: Lab;
let ip: string;
let owner: NodeName;
beforeAll(async () => {
  lab = await startProduct({ nodeGraceMs: 40_000 });
  await lab.createPod({ name: "demo-1", node: "n1" });
  await lab.kubectl(["apply", "--filename=-"], service("web"));
  ip = await addressOf(lab, "web");
  await reachable(lab, { ip });
  owner = await ownerOf(lab, ip);
  await recorded();
});
afterAll(() => lab?.stop());

const speakerPath = () => `/apis/heraldlb.io/v1alpha1/speakers/${owner}`;

/** Waits until the owner's Speaker object has the claim; gives the object. */
function recorded(and: (object: ApiObject) => boolean = () => true): Promise<ApiObject> {
  return lab.until(
    speakerPath(),
    `the Speaker of ${owner} has a claim of ${ip}`,
    (object) =>
      object?.status?.layer2?.claims?.some((one: ApiObject) =>
        one.ips.some((text: string) => text.startsWith(`${ip}=`)),
      ) && and(object),
  );
}

test("a Speaker object that somebody deletes comes back with its record, and the IP stays", async () => {
  const before = await recorded();
  await lab.kubectl(["delete", "speakers.heraldlb.io", owner]);
  const after = await recorded((object) => object.metadata.uid !== before.metadata.uid);
  expect(after.status.layer2.claims).toEqual(before.status.layer2.claims);
  expect(after.status.interfaces).toEqual(before.status.interfaces);
  expect(await ownerOf(lab, ip)).toBe(owner);
});

test("another address on the interface, though first in order, begins no new start", async () => {
  const before = await recorded();
  await lab.exec(owner, ["ip", "address", "add", "10.99.0.1/24", "dev", "eth0"]);
  const has = (object: ApiObject) =>
    object.status.interfaces.some((one: ApiObject) => one.subnets.includes("10.99.0.1/24"));
  const after = await recorded(has);
  expect(after.status.incarnation).toBe(before.status.incarnation);
  await lab.exec(owner, ["ip", "address", "del", "10.99.0.1/24", "dev", "eth0"]);
  await recorded((object) => !has(object));
  expect(await ownerOf(lab, ip)).toBe(owner);
});

test("a killed speaker that is back at once takes up what its record says, and never writes another", async () => {
  const before = await recorded();
  const speaker = lab.herald.speaker(owner);
  await speaker.restart("SIGKILL");
  const after = await recorded((object) => object.status.incarnation !== before.status.incarnation);
  await lab.speakerReady(owner);
  expect(after.status.layer2.claims).toEqual(before.status.layer2.claims);
  expect(BigInt(after.status.incarnation)).toBeGreaterThan(BigInt(before.status.incarnation));
});
