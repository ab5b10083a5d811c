import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES } from "../lab/plan.ts";
import { addressOf, ownerOf, service, startProduct } from "./product.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await startProduct();
  await lab.createPod({ name: "demo-1", node: "n1" });
  await lab.kubectl(["apply", "--filename=-"], service("web"));
});
afterAll(() => lab?.stop());

/** CAP_NET_BIND_SERVICE is bit 10, CAP_NET_RAW bit 13 (capabilities(7)). */
const NET_BIND_SERVICE = 1n << 10n;
const NET_RAW = 1n << 13n;
const NOBODY = "65534";

function rights(pid: number | undefined) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
  const capabilities = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => BigInt(`0x${field(name)}`));
  return {
    uids: new Set(field("Uid").split(/\s+/)),
    capabilities: new Set(capabilities),
    noNewPrivs: field("NoNewPrivs"),
  };
}

test("the product works with a speaker that has CAP_NET_RAW alone, a gobgpd that has CAP_NET_BIND_SERVICE alone and a controller that has nothing, neither being root", async () => {
  await ownerOf(lab, await addressOf(lab, "web"));
  const nobody = new Set([NOBODY]);
  expect(rights(lab.herald.controller.pid)).toEqual({ uids: nobody, capabilities: new Set([0n]), noNewPrivs: "1" });
  for (const node of NODE_NAMES)
    expect(rights(lab.herald.speaker(node).pid)).toEqual({
      uids: nobody,
      capabilities: new Set([NET_RAW]),
      noNewPrivs: "1",
    });
  for (const node of NODE_NAMES)
    expect(rights(lab.herald.gobgpd(node).pid)).toEqual({
      uids: nobody,
      capabilities: new Set([NET_BIND_SERVICE]),
      noNewPrivs: "1",
    });
});

test("with the roles of config/rbac neither is refused anything, and they may do no more than they use", async () => {
  for (const name of ["controller", "speaker-n1", "speaker-n2", "speaker-n3"])
    expect(readFileSync(lab.herald.log(name), "utf8")).not.toContain("ApiRefused");
  const can = (user: string, verb: string, what: string) => {
    const [resource = "", subresource] = what.split("/");
    const as = `--as=system:serviceaccount:herald-system:herald-${user}`;
    const sub = subresource === undefined ? [] : [`--subresource=${subresource}`];
    return lab.kubectl(["auth", "can-i", verb, resource, ...sub, "--all-namespaces", as]).then(
      (answer) => answer.trim(),
      () => "no", // kubectl answers "no" with exit code 1
    );
  };
  for (const user of ["controller", "speaker"]) expect(await can(user, "patch", "services/status")).toBe("yes");
  for (const [user, verb, what] of [
    ["controller", "patch", "services"],
    ["controller", "get", "secrets"],
    ["controller", "patch", "speakers/status"],
    ["speaker", "patch", "services"],
    ["speaker", "get", "secrets"],
    ["speaker", "list", "secrets"],
    ["speaker", "patch", "bgppeers"],
    ["speaker", "patch", "nodes"],
    ["speaker", "delete", "speakers"],
  ] as const)
    expect(await can(user, verb, what), `${user} ${verb} ${what}`).toBe("no");
});
