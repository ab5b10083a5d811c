import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Reaper, startReaper } from "../reaper/reaper.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type ControllerProcess, startControllerProcess } from "./controller-process.ts";

/** What is in config/, on a real API server, and the controller as a process with exactly the roles that it gives. */

const CONTROLLER = "system:serviceaccount:herald-system:herald-controller";
const config = (path: string) => new URL(`../../config/${path}`, import.meta.url).pathname;

let plane: ControlPlane;
let reaper: Reaper;
beforeAll(async () => {
  reaper = await startReaper();
  plane = await startControlPlane({ reaper });
});
afterAll(async () => {
  await plane?.stop();
  await reaper?.reap();
});

const running: ControllerProcess[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.end();
});

async function start(user: string, ...flags: string[]): Promise<ControllerProcess> {
  const kubeconfig = await plane.kubeconfig(user);
  const one = await startControllerProcess(reaper, ["--kubeconfig", kubeconfig, "--identity", "test", ...flags]);
  running.push(one);
  return one;
}

const isBad = ({ level }: { readonly level: string }) => level !== "info" && level !== "debug";

test("before config/ is applied the controller says what is missing, goes on, and ends cleanly", async () => {
  const one = await start("admin");
  const lease = await one.line(({ message }) => message.startsWith("the Lease can't be taken"));
  expect(lease.error).toContain('namespaces "herald-system" not found');
  await plane.kubectl(["create", "namespace", "herald-system"]);
  await one.line(({ message }) => message === "leading");
  const kind = await one.line(({ kind, level }) => kind === "IPPool" && isBad({ level }));
  expect(kind.message).toContain("apply config/crd");
  expect(await one.end()).toBe(0);
  const messages = one.lines.filter(isBad).map(({ message }) => message);
  expect([...new Set(messages)]).toEqual([lease.message, kind.message]);
});

test("config/default is applied as it stands, and a second time changes nothing", async () => {
  const first = await plane.kubectl(["apply", "-k", config("default")]);
  expect(first).toContain("deployment.apps/herald-controller created");
  expect(first).toContain("daemonset.apps/herald-speaker created");
  await plane.kubectl([
    "wait",
    "--for=condition=Established",
    "--timeout=30s",
    "-f",
    config("crd/heraldlb.io_ippools.yaml"),
  ]);
  const again = await plane.kubectl(["apply", "-k", config("default")]);
  expect(again.trim().split("\n")).toEqual(again.match(/^.* unchanged$/gm));
  const subjects = '-o=jsonpath={.items[?(@.roleRef.name=="herald-controller")].subjects[*].namespace}';
  expect(await plane.kubectl(["get", "clusterrolebindings", subjects])).toBe("herald-system");
  const mode = "-o=jsonpath={.spec.template.spec.volumes[0].secret.defaultMode}";
  expect(await plane.kubectl(["-n", "herald-system", "get", "daemonset", "herald-speaker", mode])).toBe("256");
});

test("gobgpd lives on where the speaker restarts, ends after it, and has the right to listen on port 179 alone", async () => {
  const read = ["-n", "herald-system", "get", "daemonset", "herald-speaker", "-o=json"];
  const { spec } = JSON.parse(await plane.kubectl(read)).spec.template;
  const [gobgpd, ...others] = spec.initContainers;
  expect(others).toEqual([]);
  expect(gobgpd).toMatchObject({
    name: "gobgpd",
    restartPolicy: "Always",
    image: spec.containers[0].image,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
    },
  });
  const socket = gobgpd.command.at(-1);
  expect(gobgpd.livenessProbe.exec.command).toEqual(["gobgp", "--target", `unix://${socket}`, "global"]);
  expect(spec.containers[0].args).toContain(`--gobgp-socket=${socket}`);
  const shared = { name: "gobgp", mountPath: dirname(socket) };
  expect(gobgpd.volumeMounts).toEqual([shared]);
  expect(spec.containers[0].volumeMounts).toContainEqual(shared);
});

test("the speaker reads BGPPeers, and Secrets in Herald's own namespace only", async () => {
  const can = (verb: string, what: string, ...where: string[]) =>
    plane
      .kubectl(["auth", "can-i", verb, what, ...where, "--as=system:serviceaccount:herald-system:herald-speaker"])
      .then(
        (answer) => answer.trim(),
        () => "no", // kubectl answers "no" with exit code 1
      );
  expect(await can("watch", "bgppeers.heraldlb.io")).toBe("yes");
  expect(await can("patch", "bgppeers.heraldlb.io")).toBe("no");
  expect(await can("watch", "secrets", "--namespace=herald-system")).toBe("yes");
  for (const verb of ["get", "create", "patch", "delete"])
    expect(await can(verb, "secrets", "--namespace=herald-system"), verb).toBe("no");
  for (const verb of ["get", "list", "watch"])
    expect(await can(verb, "secrets", "--namespace=default"), verb).toBe("no");
});

test("with exactly its roles the controller serves the samples, tells of it, and is refused nothing", async () => {
  const one = await start(CONTROLLER, "--log-level", "debug");
  for (const file of readdirSync(config("samples"))) await plane.kubectl(["apply", "-f", config(`samples/${file}`)]);
  const service = ["get", "service", "demo"];
  await plane.kubectl(["wait", "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=192.0.2.200", "service/demo"]);
  await plane.kubectl(["wait", "--for=jsonpath={.status.ipv4.assigned}=1", "ippool.heraldlb.io/sample"]);
  await expect.poll(() => plane.kubectl(["get", "events", "-o=jsonpath={.items[*].reason}"])).toContain("Assigned");
  const finalizers = ["get", "ippool.heraldlb.io", "sample", "-o=jsonpath={.metadata.finalizers}"];
  await expect.poll(() => plane.kubectl(finalizers), { timeout: 20_000 }).toBe('["heraldlb.io/in-use"]');
  await plane.kubectl(["patch", "service", "demo", "-p", '{"spec":{"type":"ClusterIP","loadBalancerClass":null}}']);
  await expect
    .poll(() => plane.kubectl([...service, "-o=jsonpath={.metadata.annotations}"]), { timeout: 20_000 })
    .not.toContain("assigned");
  await expect.poll(() => plane.kubectl(finalizers), { timeout: 20_000 }).toBe("");
  expect(await one.end()).toBe(0);
  expect(one.lines.filter(isBad)).toEqual([]);
  expect(JSON.stringify(one.lines)).not.toContain("Forbidden");
  const told = one.lines.filter(({ service: about }) => about === "default/demo").map(({ why }) => String(why));
  expect(told).toContainEqual(expect.stringContaining('192.0.2.200 from pool "sample"'));
  const lease = ["-n", "herald-system", "get", "lease", "herald-controller", "-o=jsonpath={.spec.holderIdentity}"];
  expect(await plane.kubectl(lease), "the Lease is released").toBe("");
});

test("the controller ends cleanly while the API server is away, whether it leads or has never reached it", async () => {
  const leader = await start(CONTROLLER);
  await leader.line(({ message }) => message === "leading");
  await plane.stopApiServer();
  const late = await start(CONTROLLER);
  await late.line(({ message }) => message.startsWith("the Lease can't be taken"));
  try {
    expect(await Promise.all([leader.end(), late.end()])).toEqual([0, 0]);
    expect([...leader.lines, ...late.lines].filter(({ level }) => level === "text" || level === "error")).toEqual([]);
  } finally {
    await plane.startApiServer();
  }
});

test("what is called wrongly exits 2, what can't be had 1, each with one line", async () => {
  const wrong = await start("admin", "--identity", "");
  expect(await wrong.ended).toBe(2);
  expect(wrong.lines.at(-1)?.message).toMatch(/^herald: controller: --identity is missing; .*\[BadFlag\]$/);
  const missing = await start("admin", "--kubeconfig", "/nonexistent");
  expect(await missing.ended).toBe(1);
  expect(missing.lines.at(-1)?.message).toMatch(/^herald: read kubeconfig \/nonexistent: .*\[BadKubeconfig\]$/);
});
