import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTime } from "../reaper/processes.ts";
import { startReaper } from "../reaper/reaper.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { run } from "./run.ts";

const SPEAKER = "system:serviceaccount:herald-system:herald-speaker";

function pids(plane: ControlPlane): number[] {
  const servers = ["etcd", "kube-apiserver", "kube-controller-manager"] as const;
  return servers.map((server) => plane.pid(server)).filter((pid) => pid !== undefined);
}

describe("on loopback", () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane({ controllerManager: true });
  });
  afterAll(() => plane?.stop());

  test("the admin may do everything, over IPv4 and IPv6", async () => {
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "echo" } };
    const spec = { type: "LoadBalancer", ipFamilyPolicy: "RequireDualStack", ports: [{ port: 80 }] };
    await plane.kubectl(["create", "--filename", "-"], JSON.stringify({ ...service, spec }));
    const made = JSON.parse(await plane.kubectl(["get", "service", "echo", "--output", "json"]));
    expect(made.spec.clusterIPs).toEqual([expect.stringMatching(/^10\.96\./), expect.stringMatching(/^fd00:96::/)]);
  });

  test("a service account has the rights that RBAC gives it, and no others", async () => {
    const asSpeaker = ["--kubeconfig", await plane.kubeconfig(SPEAKER)];
    await expect(plane.kubectl([...asSpeaker, "get", "services"])).rejects.toThrow(
      `User "${SPEAKER}" cannot list resource "services"`,
    );
    await plane.kubectl(["create", "clusterrole", "read", "--verb=list", "--resource=services"]);
    const group = "--group=system:serviceaccounts:herald-system";
    await plane.kubectl(["create", "clusterrolebinding", "read", "--clusterrole=read", group]);
    const listed = () => plane.kubectl([...asSpeaker, "get", "services", "--output", "name"]);
    await expect.poll(() => listed().catch(() => ""), { timeout: 10_000 }).toContain("service/kubernetes");
  });

  test("the controller manager makes EndpointSlices", async () => {
    await plane.kubectl(["create", "service", "clusterip", "slices", "--tcp=80"]);
    const slices = () =>
      plane.kubectl(["get", "endpointslices", "-l", "kubernetes.io/service-name=slices", "-o", "name"]);
    await expect.poll(slices, { timeout: 10_000 }).toContain("endpointslice");
  });

  test("the API server comes back where it was, with what it knew", async () => {
    const before = plane.pid("kube-apiserver");
    await plane.kubectl(["create", "namespace", "kept"]);
    await plane.stopApiServer();
    expect(plane.pid("kube-apiserver")).toBeUndefined();
    await expect(plane.kubectl(["get", "namespace", "kept"])).rejects.toThrow("refused");
    await plane.startApiServer();
    expect(plane.pid("kube-apiserver")).not.toBe(before);
    expect(await plane.kubectl(["get", "namespace", "kept", "--output", "name"])).toBe("namespace/kept\n");
  });

  test("a user that nobody named is refused with the remedy", async () => {
    await expect(plane.kubeconfig("nobody")).rejects.toThrow(
      'kubeconfig of nobody: no such user; name it in the option "users"',
    );
  });
});

test("in a network namespace, stop leaves no process and no file", async () => {
  const reaper = await startReaper();
  const netns = `hr-plane-${process.pid}`;
  reaper.netns(netns);
  await run(["ip", "netns", "add", netns]);
  await run(["ip", "-n", netns, "link", "add", "mgmt0", "type", "bridge"]);
  await run(["ip", "-n", netns, "address", "add", "172.30.0.1/24", "dev", "mgmt0"]);
  await run(["ip", "-n", netns, "link", "set", "mgmt0", "up"]);
  const plane = await startControlPlane({ netns, address: "172.30.0.1", reaper });
  expect(plane.server).toBe("https://172.30.0.1:6443");
  expect(await plane.kubectl(["get", "--raw", "/readyz"])).toBe("ok");
  const started = pids(plane);
  expect(started).toHaveLength(2);
  await plane.stop();
  expect(started.map(startTime)).toEqual([undefined, undefined]);
  expect(existsSync(plane.directory)).toBe(false);
  await reaper.reap();
});

test("a control plane that cannot start says why in one line, and leaves nothing", async () => {
  const [a, b] = await Promise.allSettled([1, 2].map(() => startControlPlane({ address: "127.77.77.77" })));
  const started = [a, b].filter((result) => result?.status === "fulfilled").map((result) => result.value);
  await Promise.all(started.map((plane) => plane.stop()));
  const refused = [a, b].find((result) => result?.status === "rejected");
  expect(refused?.reason.message).toMatch(
    /^start (etcd|kube-apiserver): it ended with exit code \d+: .*address already in use/,
  );
  expect(refused?.reason.message).not.toContain("\n");
});

test("kill -9 of the process that started one leaves no process and no file", async () => {
  const crash: ChildProcess = spawn(process.execPath, [new URL("crash.ts", import.meta.url).pathname], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: crash.stdout as NodeJS.ReadableStream }), "line");
  const made = JSON.parse(line) as { pids: number[]; directory: string };
  expect(made.pids.map((pid) => startTime(pid) !== undefined)).toEqual([true, true]);
  crash.kill("SIGKILL");
  await expect.poll(() => existsSync(made.directory), { timeout: 20_000, interval: 10 }).toBe(false);
  expect(made.pids.map(startTime)).toEqual([undefined, undefined]);
});
