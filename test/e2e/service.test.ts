import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../lab/lab.ts";
import type { ProxyMode } from "../lab/proxy.ts";
import { addressOf, ownerOf, reachable, SERVICE, service, startProduct } from "./product.ts";

/** A Service from `kubectl apply` to the client's packets, with each kind of kube-proxy. */
describe.each<ProxyMode>(["nftables", "iptables"])("with kube-proxy in %s mode", (proxyMode) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startProduct({ proxyMode });
    await lab.createPod({ name: "demo-1", node: "n1" });
    await lab.createPod({ name: "demo-2", node: "n2" });
  });
  afterAll(() => lab?.stop());

  const apply = (manifest: string) => lab.kubectl(["apply", "--filename=-"], manifest);
  /** The pods that answered new connections; "" for a request without an answer. */
  const pods = async (protocol: "udp" | "tcp", ip: string, port: number, count: number) =>
    (await lab.ask(protocol, { ip, port, count })).map((answer) => ("pod" in answer ? answer.pod : ""));

  test("it gets an address within 1 s of kubectl apply, is reached by TCP and UDP, and one MAC answers for it", async () => {
    const before = Date.now();
    await apply(service("web"));
    const ip = await addressOf(lab, "web");
    expect(Date.now() - before).toBeLessThan(1000);
    expect(ip).toBe("192.0.2.200");
    expect(await reachable(lab, { protocol: "tcp", ip: ip, port: 80 }, ["demo-1", "demo-2"])).toHaveLength(2);
    expect(await reachable(lab, { protocol: "udp", ip: ip, port: 80 }, ["demo-1", "demo-2"])).toHaveLength(2);
    expect((await lab.whoAnswers([ip], 500)).get(ip)).toHaveLength(1);
    await ownerOf(lab, ip);
  });

  test("its ClusterIP and NodePort go on working", async () => {
    const { spec } = await lab.api.get(`${SERVICE}/web`);
    const [{ nodePort }] = spec.ports;
    for (const node of ["192.0.2.11", "192.0.2.12", "192.0.2.13"])
      await reachable(lab, { protocol: "tcp", ip: node, port: nodePort });
    for (const answer of await lab.ask("tcp", { ip: spec.clusterIP, port: 80, count: 10 }, "p3"))
      expect(answer).toHaveProperty("pod");
  });

  test("a pod that is not ready gets no new connection, and gets them again when it is", async () => {
    const ip = await addressOf(lab, "web");
    await lab.faults.setReady("demo-2", false);
    expect(await reachable(lab, { protocol: "tcp", ip: ip, port: 80 }, ["demo-1"])).toEqual(["demo-1"]);
    await lab.faults.setReady("demo-2", true);
    expect(await reachable(lab, { protocol: "tcp", ip: ip, port: 80 }, ["demo-1", "demo-2"])).toHaveLength(2);
  });

  test("ClientIP session affinity keeps a client on its pod", async () => {
    await apply(service("sticky", { sessionAffinity: "ClientIP" }));
    const ip = await addressOf(lab, "sticky");
    const [pod = ""] = await reachable(lab, { protocol: "tcp", ip: ip, port: 80 });
    expect(new Set(await pods("tcp", ip, 80, 50))).toEqual(new Set([pod]));
    await lab.kubectl(["delete", "service", "sticky"]);
  });

  test("without a serving endpoint nobody answers, and Herald says nothing for it", async () => {
    await apply(service("empty", { selector: { app: "none" } }));
    const ip = await addressOf(lab, "empty");
    expect((await lab.whoAnswers([ip], 700)).get(ip)).toEqual([]);
    await lab.kubectl(["delete", "service", "empty"]);
  });

  test("deleted, its address is free for the next, and no node answers any more", async () => {
    const ip = await addressOf(lab, "web");
    const capture = await lab.capture({ asks: [ip], intervalMs: 20 });
    await lab.kubectl(["delete", "service", "web"]);
    const deleted = Date.now();
    await lab.whoAnswers(["192.0.2.254"], 1500); // time for the last answers to come, if any
    await capture.stop();
    expect(capture.answers(ip).length).toBeGreaterThan(0);
    expect(capture.answers(ip).filter((answer) => answer.at > deleted + 500)).toEqual([]);
    await apply(service("next"));
    expect(await addressOf(lab, "next")).toBe(ip);
    await ownerOf(lab, ip);
    await lab.kubectl(["delete", "service", "next"]);
  });
});
