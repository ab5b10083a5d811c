import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { diff } from "../../src/bgp/diff.ts";
import type { BGPState } from "../../src/bgp/model.ts";
import { startReaper } from "../reaper/reaper.ts";
import { binary } from "./binaries.ts";
import { startDaemon } from "./daemon.ts";
import { expectNode, NODE, peerTo, ROUTER, startPair } from "./gobgp-pair.ts";

/** The command of gobgpd's container, as config/ has it, with its socket elsewhere. */
async function commandWith(socket: string): Promise<[string, ...string[]]> {
  const text = await readFile(new URL("../../config/speaker/speaker.yaml", import.meta.url), "utf8");
  const objects = parseAllDocuments(text).map((document) => document.toJS());
  const { spec } = objects.find(({ kind }) => kind === "DaemonSet").spec.template;
  const [file, ...rest]: [string, ...string[]] = spec.initContainers[0].command;
  return [file, ...rest.slice(0, -1), socket];
}

test("gobgpd's container: it takes the place of one that was killed, and asked to end it goes without a word to its peers", async () => {
  const pair = await startPair();
  onTestFinished(() => pair.stop());
  const reaper = await startReaper();
  onTestFinished(() => reaper.reap());
  const directory = await mkdtemp(join(tmpdir(), "herald-container-"));
  reaper.directory(directory);
  await pair.kill(); // its socket is left behind
  const container = await startDaemon({
    command: await commandWith(pair.socket),
    netns: pair.nodeNetns,
    log: join(directory, "log"),
    directory,
    env: { PATH: `${dirname(binary("gobgpd"))}:${process.env.PATH}` },
    reaper,
  });
  await expectNode(pair.router, NODE.ipv4);
  const wanted: BGPState = {
    global: { asn: NODE.as, routerID: NODE.ipv4, listens: false },
    peers: new Map([[ROUTER.ipv4, peerTo(ROUTER.ipv4, { gracefulRestart: 120 })]]),
    routes: new Map(),
    exports: { profiles: new Map(), nextHops: new Map(), foreign: false },
    importsNothing: true,
  };
  const read = () => pair.gobgp.read().catch(() => undefined);
  await expect.poll(read, { timeout: 10_000 }).toBeDefined();
  await pair.gobgp.apply(diff(wanted, await pair.gobgp.read()));
  const seen = async () => (await pair.router.list<{ peer: { state: RouterState } }>("ListPeer"))[0]?.peer.state;
  const state = async () => (await seen())?.session_state;
  await expect.poll(state, { timeout: 20_000 }).toMatch(/ESTABLISHED/);

  await container.stop("SIGTERM");
  await expect.poll(state, { timeout: 5000 }).not.toMatch(/ESTABLISHED/);
  expect(Number((await seen())?.messages.received.notification ?? 0)).toBe(0);
  await expect(pair.gobgp.read()).rejects.toMatchObject({ kind: "Away" });
});

interface RouterState {
  readonly session_state: string;
  readonly messages: { readonly received: { readonly notification?: string } };
}
