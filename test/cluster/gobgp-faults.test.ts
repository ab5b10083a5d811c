import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type handleUnaryCall, Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Call } from "../../src/bgp/calls.ts";
import { CannotListen } from "../../src/bgp/daemon.ts";
import { diff } from "../../src/bgp/diff.ts";
import { Gobgp } from "../../src/bgp/gobgp.ts";
import type { BGPState } from "../../src/bgp/model.ts";
import { expectNode, NIC, NODE, type Pair, peerTo, ROUTER, seenBy, startPair } from "./gobgp-pair.ts";
import { run } from "./run.ts";

const PLAIN = { communities: [], largeCommunities: [], localPref: undefined, med: undefined };

function wantedWith(more: Partial<BGPState> = {}): BGPState {
  return {
    global: { asn: NODE.as, routerID: NODE.ipv4, listens: false },
    peers: new Map([[ROUTER.ipv4, peerTo(ROUTER.ipv4)]]),
    routes: new Map([["10.0.0.1/32", { prefix: "10.0.0.1/32", ...PLAIN, profile: undefined }]]),
    exports: { profiles: new Map(), nextHops: new Map(), foreign: false },
    importsNothing: true,
    ...more,
  };
}

describe("with a gobgpd that", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair();
    await expectNode(pair.router, NODE.ipv4);
  });
  afterAll(() => pair?.stop());

  const bring = async (wanted: BGPState) => {
    await pair.gobgp.apply(diff(wanted, await pair.gobgp.read()));
    expect(await pair.gobgp.read()).toEqual(wanted);
  };
  const established = (neighbor = ROUTER.ipv4) =>
    expect
      .poll(() => pair.gobgp.sessions(), { timeout: 20_000 })
      .toEqual([expect.objectContaining({ neighbor, state: "Established" })]);

  test("restarts: the watcher is told of sessions before, and of the end once; all is put back", async () => {
    const told = { changed: 0, ended: 0 };
    await bring(wantedWith());
    const watched = Promise.withResolvers<void>();
    pair.gobgp.watch({
      changed: () => told.changed++,
      ended: () => {
        told.ended++;
        watched.resolve();
      },
    });
    await established();
    await expect.poll(() => told.changed).toBeGreaterThan(0);
    await pair.restart();
    await watched.promise;
    expect((await pair.gobgp.read()).global).toBeUndefined();
    await bring(wantedWith());
    await established();
    expect(told.ended).toBe(1);
  });

  test("is not there: each call fails at once, and the first after its return does not", async () => {
    await pair.kill();
    await expect(pair.gobgp.read()).rejects.toMatchObject({
      kind: "Away",
      message: expect.stringContaining(pair.socket),
    });
    const ended = Promise.withResolvers<void>();
    pair.gobgp.watch({ changed: () => {}, ended: ended.resolve });
    await ended.promise;
    await pair.restart();
    await sleep(150); // the connection is tried again after 100 ms
    await bring(wantedWith());
  });

  test("finds its port taken: it says so, and starts without the listener; with it when it may", async () => {
    await pair.restart();
    const code = 'require("net").createServer().listen(179, "0.0.0.0", () => console.log("listens"))';
    const other = spawn("ip", ["netns", "exec", pair.nodeNetns, process.execPath, "--eval", code]);
    onTestFinished(() => void other.kill("SIGKILL"));
    await once(other.stdout, "data");
    const global = { asn: NODE.as, routerID: NODE.ipv4, listens: true };
    const start = () => pair.gobgp.apply([{ do: "StartGlobal", global }]);
    await expect(start()).rejects.toBeInstanceOf(CannotListen);
    await expect(start()).rejects.toThrow(/TCP port 179 .*address already in use/);
    expect((await pair.gobgp.read()).global).toBeUndefined();
    await bring(wantedWith());
    await established();
    other.kill("SIGKILL");
    await once(other, "exit");
    await bring(wantedWith({ global }));
    await established();
    await pair.restart(); // one that listens can't start anew
    await bring(wantedWith());
  });

  test("is frozen: a call ends with its deadline", async () => {
    pair.signal("SIGSTOP");
    try {
      // Its threads stop one after the other, and the last may still answer.
      const sessions = () => pair.gobgp.sessions().catch((error: unknown) => error);
      await expect.poll(sessions, { timeout: 20_000 }).toMatchObject({ kind: "Frozen" });
    } finally {
      pair.signal("SIGCONT");
    }
    await bring(wantedWith());
  });

  test("is left: it holds nothing more, and can be used again with another AS", async () => {
    await bring(wantedWith());
    await bring(NOTHING);
    await expect.poll(() => seenBy(pair.router)).toEqual({});
    await bring(wantedWith({ global: { asn: 65_001, routerID: "192.0.2.250", listens: false } }));
    await bring(wantedWith());
    await established();
  });

  test("meets its peer over an interface alone: routes of both families, by the policies for that peer", async () => {
    const { router } = pair;
    await router.call("DeletePeer", { address: NODE.ipv4 });
    await meet(pair.nodeNetns);
    await meet(pair.routerNetns);
    await expectNode(router, NIC);
    const seen = new Map([["eth0", { ...PLAIN, med: 9 }]]);
    const prefixes = ["10.0.0.1/32", "2001:db8:1::1/128"];
    const wanted = wantedWith({
      peers: new Map([["eth0", peerTo("eth0", { unnumbered: true, families: ["IPv4", "IPv6"] })]]),
      routes: new Map(prefixes.map((prefix) => [prefix, { prefix, ...PLAIN, profile: 5 }])),
      exports: { profiles: new Map([[5, seen]]), nextHops: new Map(), foreign: false },
    });
    await bring(wanted);
    await established("eth0");
    const byLinkLocal = [expect.objectContaining({ med: 9, nextHop: expect.stringMatching(/^fe80::/) })];
    const all = Object.fromEntries(prefixes.map((prefix) => [prefix, byLinkLocal]));
    await expect.poll(() => seenBy(router), { timeout: 10_000 }).toEqual(all);
    await bring(NOTHING);
  });

  test("waits for its peer: with a password, with another, and with none", async () => {
    for (const password of ["first", "second", undefined]) {
      const peer = peerTo(ROUTER.ipv4, { passive: true, password });
      await bring(
        wantedWith({
          global: { asn: NODE.as, routerID: NODE.ipv4, listens: true },
          peers: new Map([[peer.neighbor, peer]]),
        }),
      );
      await expectNode(pair.router, NODE.ipv4, { passive: false, password });
      await established();
      await pair.router.call("DeletePeer", { address: NODE.ipv4 });
    }
  });

  test("listens has to be started anew to change its AS: it says so until then", async () => {
    const listening = wantedWith({ global: { asn: NODE.as, routerID: NODE.ipv4, listens: true } });
    await bring(listening);
    const other: BGPState = { ...listening, global: { asn: 65_001, routerID: NODE.ipv4, listens: true } };
    const calls: readonly Call[] = diff(other, await pair.gobgp.read());
    await expect(pair.gobgp.apply(calls)).rejects.toMatchObject({ kind: "Away", message: STOPPED });
    await expect(pair.gobgp.read()).rejects.toMatchObject({ kind: "Away", message: STOPPED });
    await pair.restart();
    await bring(other);
  });
});

const STOPPED = expect.stringContaining("has stopped its BGP");

const NOTHING: BGPState = {
  global: undefined,
  peers: new Map(),
  routes: new Map(),
  exports: { profiles: new Map(), nextHops: new Map(), foreign: true },
  importsNothing: false,
};

/** Waits until who is on the wire has the other's link-local address among its neighbours. */
async function meet(netns: string): Promise<void> {
  const neighbours = async () => {
    await run(["ip", "netns", "exec", netns, "ping", "-c3", "-i0.1", "-w5", `ff02::1%${NIC}`]);
    return run(["ip", "-n", netns, "-6", "neighbour", "show", "dev", NIC]);
  };
  await expect.poll(neighbours, { timeout: 15_000 }).toMatch(/^fe80::\S+ lladdr /m);
}

describe("a version that Herald can't use is named, by a server that stands in for it:", () => {
  /** Serves on a socket what `implementation` has of gobgpd's service under this name. */
  async function stand(service: string, implementation: Readonly<Record<string, unknown>>): Promise<Gobgp> {
    const directory = await mkdtemp(join(tmpdir(), "herald-gobgp-"));
    const server = new Server();
    const proto = loadSync(join(import.meta.dirname, "../../proto/gobgp.proto"), { keepCase: true });
    const known = proto["api.GoBgpService"] as Parameters<Server["addService"]>[0];
    const renamed = Object.entries(known).map(([name, method]) => [
      name,
      { ...method, path: method.path.replace("api.GoBgpService", service) },
    ]);
    server.addService(Object.fromEntries(renamed), implementation as Parameters<Server["addService"]>[1]);
    const socket = join(directory, "gobgp.sock");
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    const gobgp = new Gobgp(socket);
    onTestFinished(async () => {
      gobgp.close();
      server.forceShutdown();
      await rm(directory, { recursive: true });
    });
    return gobgp;
  }
  const getBgp: handleUnaryCall<unknown, unknown> = (_, answer) =>
    answer(null, { global: { asn: NODE.as, router_id: NODE.ipv4, listen_port: -1 } });

  test("3.x has another service", async () => {
    const gobgp = await stand("apipb.GobgpApi", { GetBgp: getBgp });
    const message = expect.stringContaining("of version 3 or older");
    await expect(gobgp.read()).rejects.toMatchObject({ kind: "TooOld", message });
    await expect(gobgp.sessions()).rejects.toMatchObject({ kind: "TooOld", message });
  });

  test("before 4.5 a peer has no BFD", async () => {
    const listNothing = (call: ServerWritableStream<unknown, unknown>) => call.end();
    const gobgp = await stand("api.GoBgpService", {
      GetBgp: getBgp,
      ListPeer: (call: ServerWritableStream<unknown, unknown>) => {
        call.write({ peer: { conf: { neighbor_address: ROUTER.ipv4 } } });
        call.end();
      },
      ListPath: listNothing,
      ListPolicy: listNothing,
      ListDefinedSet: listNothing,
      ListPolicyAssignment: listNothing,
    });
    const message = expect.stringContaining("of version 4.4 or older");
    await expect(gobgp.read()).rejects.toMatchObject({ kind: "TooOld", message });
  });
});
