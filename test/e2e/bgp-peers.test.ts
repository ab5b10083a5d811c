import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApiObject } from "../lab/api.ts";
import { sessionsUp, untilSpeaker } from "../lab/bgp-sessions.ts";
import { HERALD_NAMESPACE } from "../lab/herald.ts";
import type { Lab } from "../lab/lab.ts";
import { NODE_NAMES, nodePlan } from "../lab/plan.ts";
import { FRR_AS } from "../lab/router-config.ts";
import {
  apply,
  bgpPool,
  bgpService,
  bothRouters,
  hops,
  NO_NEWS,
  newsOf,
  PEERS,
  pathFrom,
  peer,
  prefixOf,
  routedTo,
  startBGP,
} from "./bgp-product.ts";
import { IPV6_ONLY } from "./product.ts";

/** Sessions of every kind, and what the Speaker says of those that can't be: within 15 s, while the others go on. */

const IP = "172.22.0.2";
const IP6 = "2001:db8:ffff::2";
const SAID_WITHIN_MS = 15_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startBGP({ speakerFlags: ["--log-level", "debug"] });
  await apply(lab, bgpService("web", { ips: IP }), bgpService("web6", { ips: IP6 }, IPV6_ONLY));
  await Promise.all([routedTo(lab, IP, NODE_NAMES), routedTo(lab, IP6, NODE_NAMES)]);
});
afterAll(() => lab?.stop());

const peerOf = (bgp: ApiObject | undefined, name: string) => bgp?.peers.find((one: ApiObject) => one.name === name);
const frr = () => bothRouters(lab)[0];
const bird = () => bothRouters(lab)[1];
const secret = (password: string) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "bgp", namespace: HERALD_NAMESPACE },
    stringData: { password },
  });
/** What is found nowhere else by chance. */
const PASSWORDS = { wrong: "wrong-Kz8vQ1", first: "first-T5mXp2", second: "second-9LwRb", frr: "frr-Hn4cJ7" } as const;
const PASSWORD_REF = { passwordSecretRef: { name: "bgp", key: "password" } };

/** Waits until the Speaker of n1 says of a peer what is wrong; gives what it says of BGP. */
async function said(name: string, text: RegExp): Promise<ApiObject> {
  const { bgp } = await untilSpeaker(
    lab,
    "n1",
    `the Speaker says of ${name}: ${text}`,
    (seen) => text.test(peerOf(seen, name)?.lastError ?? ""),
    SAID_WITHIN_MS,
  );
  console.info(`${name}: ${peerOf(bgp, name).lastError}`);
  return bgp;
}

/** The same of a peer without a session, while the sessions with all but `bad` stand. */
async function says(name: string, text: RegExp, bad: readonly string[] = [name]): Promise<void> {
  const bgp = await said(name, text);
  expect(peerOf(bgp, name).state).not.toBe("Established");
  for (const other of bgp.peers)
    if (!bad.includes(other.name)) expect(other, other.name).toMatchObject({ state: "Established" });
}

interface Problem {
  readonly spec: object;
  readonly said: RegExp;
}
/** By the name of the BGPPeer; each with an address of its own, so that all can be tried at once. */
const PROBLEMS: Readonly<Record<string, Problem>> = {
  "other-as-than-the-router": { spec: { ...PEERS.bird, peerASN: 64999 }, said: /wrong AS suspected: .*64999/ },
  "as-that-the-router-does-not-expect": {
    spec: { ...PEERS.bird, peerAddress: "2001:db8:1::2", myASN: 64998 },
    said: /wrong AS suspected: .*64998/,
  },
  "nobody-is-there": { spec: { ...PEERS.bird, peerAddress: "192.0.2.77" }, said: /no 192\.0\.2\.77/ },
  "nobody-speaks-bgp": {
    spec: { ...PEERS.bird, peerAddress: "192.0.2.100" },
    said: /nothing listens on 192\.0\.2\.100/,
  },
  "no-secret": { spec: { ...PEERS.frr, peerAddress: "2001:db8:1::1", ...PASSWORD_REF }, said: /Secret.*bgp/ },
};

test("BGPPeers that can't be: each says why, and the session that can be goes on", async () => {
  const bad = Object.keys(PROBLEMS);
  const [news] = await newsOf(lab, async () => {
    await lab.kubectl(["delete", "bgppeer", "bird"]);
    await apply(lab, ...Object.entries(PROBLEMS).map(([name, { spec }]) => peer(name, spec)));
    await Promise.all(Object.entries(PROBLEMS).map(([name, { said: text }]) => says(name, text, bad)));
    await frr().routed(prefixOf(IP), hops(NODE_NAMES));
    await lab.kubectl(["delete", "bgppeer", ...bad]);
  });
  expect(news).toEqual(NO_NEWS[0]);
  await apply(lab, peer("bird", PEERS.bird));
  await sessionsUp(lab, 2);
  await routedTo(lab, IP, NODE_NAMES);
});

test("a password: a wrong one is suspected, the right one opens the session, a new one opens it anew, and without the Secret it is closed", async () => {
  await bird().configure({ password: PASSWORDS.first });
  await apply(lab, secret(PASSWORDS.wrong), peer("bird", { ...PEERS.bird, ...PASSWORD_REF }));
  await says("bird", /password/i);
  await apply(lab, secret(PASSWORDS.first));
  await sessionsUp(lab, 2);
  await bird().routed(prefixOf(IP), hops(NODE_NAMES));

  await bird().configure({ password: PASSWORDS.second });
  await apply(lab, secret(PASSWORDS.second));
  await sessionsUp(lab, 2);
  await bird().routed(prefixOf(IP), hops(NODE_NAMES));

  await lab.kubectl(["delete", "secret", "bgp", "--namespace", HERALD_NAMESPACE]);
  await says("bird", /Secret.*bgp/);
  await bird().routed(prefixOf(IP), []);
  await bird().configure({ password: undefined });
  await lab.kubectl(["delete", "bgppeer", "bird"]);
  await apply(lab, peer("bird", PEERS.bird));
  await sessionsUp(lab, 2);
  await routedTo(lab, IP, NODE_NAMES);
});

test("FRR takes the password too, over IPv4 and IPv6", async () => {
  await frr().configure({ password: PASSWORDS.frr });
  await apply(
    lab,
    secret(PASSWORDS.frr),
    peer("frr", { ...PEERS.frr, ...PASSWORD_REF }),
    peer("frr6", { ...PEERS.frr, ...PASSWORD_REF, peerAddress: "2001:db8:1::1" }),
  );
  await sessionsUp(lab, 3);
  await lab.kubectl(["delete", "bgppeer", "frr6", "frr"]);
  await frr().configure({ password: undefined });
  await apply(lab, peer("frr", PEERS.frr));
  await sessionsUp(lab, 2);
  await routedTo(lab, IP, NODE_NAMES);
});

test("Secrets that can't be read: an open session keeps its password, also past the speaker's restart; another says what it waits for", async () => {
  await frr().configure({ password: PASSWORDS.frr });
  await apply(lab, secret(PASSWORDS.frr), peer("frr", { ...PEERS.frr, ...PASSWORD_REF }));
  await sessionsUp(lab, 2);
  const letRead = (...resources: readonly string[]) => {
    const patch = JSON.stringify([{ op: "replace", path: "/rules/0/resources", value: resources }]);
    const role = ["role", "herald-speaker", "--namespace", HERALD_NAMESPACE];
    return lab.kubectl(["patch", ...role, "--type=json", `--patch=${patch}`]);
  };
  const [news] = await newsOf(lab, async () => {
    await letRead("pods");
    await lab.herald.speaker("n1").restart("SIGTERM");
    await apply(lab, peer("frr6", { ...PEERS.frr, ...PASSWORD_REF, peerAddress: "2001:db8:1::1" }));
    await says("frr6", /Secrets of namespace herald-system can't be read: .*403/);
    await letRead("pods", "secrets");
    await sessionsUp(lab, 3);
  });
  expect(news?.down).toEqual([]);
  await lab.kubectl(["delete", "bgppeer", "frr6", "frr"]);
  await frr().configure({ password: undefined });
  await apply(lab, peer("frr", PEERS.frr));
  await sessionsUp(lab, 2);
});

test("BFD that the router does not have: the session is up, the Speaker says that nobody watches it, until the router has it", async () => {
  await bird().configure({ bfd: false });
  await lab.kubectl(["delete", "bgppeer", "bird"]);
  await apply(lab, peer("bird", PEERS.bird));
  const bgp = await said("bird", /BFD does not come up.*hold time/);
  expect(peerOf(bgp, "bird")).toMatchObject({ state: "Established", bfd: "Down" });
  await bird().configure({ bfd: true });
  await untilSpeaker(lab, "n1", "BFD is up", (seen) => peerOf(seen, "bird")?.bfd === "Up");
  await sessionsUp(lab, 2);
});

test("no password is in any log, status, event or metric of Herald's, nor in gobgpd's log", async () => {
  const logs = join(lab.directory, "logs");
  const said = new Map<string, string>();
  for (const file of await readdir(logs))
    if (/^(controller|speaker|gobgpd)/.test(file)) said.set(file, await readFile(join(logs, file), "utf8"));
  for (const space of [...NODE_NAMES, "mgmt"] as const)
    said.set(`metrics of ${space}`, await lab.statusPage(space, "/metrics"));
  for (const path of ["api/v1/events", "apis/events.k8s.io/v1/events", "api/v1/services", "api/v1/nodes"])
    said.set(path, JSON.stringify(await lab.api.get(`/${path}`)));
  for (const kind of ["speakers", "bgppeers", "ippools"])
    said.set(kind, JSON.stringify(await lab.api.get(`/apis/heraldlb.io/v1alpha1/${kind}`)));
  // What was looked at is what says something of sessions.
  for (const where of ["speaker-n1.log", "gobgpd-n1.log", "metrics of n1", "speakers", "apis/events.k8s.io/v1/events"])
    expect(said.get(where), where).toMatch(/192\.0\.2\.2|BGPSession|peer="bird"/);
  const found = [...said].flatMap(([where, text]) =>
    Object.values(PASSWORDS)
      .flatMap((password) => [password, Buffer.from(password).toString("base64")])
      .filter((password) => text.includes(password))
      .map((password) => `${where}: ${password}`),
  );
  expect(found).toEqual([]);
});

test("a node without an IPv6 address sends no IPv6 route over its IPv4 sessions, and says so; IPv4 goes on", async () => {
  const address = nodePlan("n3").data.addresses.ipv6;
  await lab.exec("n3", ["ip", "addr", "del", `${address}/64`, "dev", "eth0"]);
  await routedTo(lab, IP6, ["n1", "n2"], SAID_WITHIN_MS);
  const { conditions } = await untilSpeaker(
    lab,
    "n3",
    "n3 has no next hop for IPv6",
    (_, all) => all.some((one) => one.type === "NextHopMissing" && one.status === "True"),
    SAID_WITHIN_MS,
  );
  console.info(conditions.find((one: ApiObject) => one.type === "NextHopMissing").message);
  await routedTo(lab, IP, NODE_NAMES);
  await lab.exec("n3", ["ip", "addr", "add", `${address}/64`, "dev", "eth0", "nodad"]);
  await routedTo(lab, IP6, NODE_NAMES, 30_000);
});

test("IPv6 sessions carry both families", async () => {
  await lab.kubectl(["delete", "bgppeer", "frr", "bird"]);
  await routedTo(lab, IP, []);
  await apply(
    lab,
    peer("frr6", { ...PEERS.frr, peerAddress: "2001:db8:1::1" }),
    peer("bird6", { ...PEERS.bird, peerAddress: "2001:db8:1::2" }),
  );
  await sessionsUp(lab, 2);
  await Promise.all([routedTo(lab, IP, NODE_NAMES), routedTo(lab, IP6, NODE_NAMES)]);
  await lab.kubectl(["delete", "bgppeer", "frr6", "bird6"]);
  await routedTo(lab, IP6, []);
});

test("iBGP with one router and eBGP with the other: the local preference reaches the first alone", async () => {
  await lab.kubectl(["delete", "bgppeer", "frr", "--ignore-not-found"]);
  await frr().configure({ nodeAS: FRR_AS });
  await apply(
    lab,
    peer("bird", PEERS.bird),
    bgpPool("preferred", ["172.22.1.0/24"], { localPref: 250, med: 7, communities: ["65000:1"] }),
    bgpService("preferred", { pool: "preferred", ips: "172.22.1.1" }),
  );
  await sessionsUp(lab, 1);
  // It comes first by name now, and its AS is another: gobgpd keeps the one that it runs with, and BIRD its sessions.
  const news = await newsOf(lab, async () => {
    await apply(lab, peer("a-frr", { ...PEERS.frr, myASN: FRR_AS }));
    await sessionsUp(lab, 2);
    await routedTo(lab, "172.22.1.1", NODE_NAMES);
  });
  expect(news[1]).toEqual({ software: "BIRD", up: [], down: [], withdrawn: [] });
  expect(await pathFrom(frr(), "n1", "172.22.1.1")).toMatchObject({
    asPath: [],
    localPref: 250,
    communities: ["65000:1"],
  });
  expect(await pathFrom(bird(), "n1", "172.22.1.1")).toMatchObject({
    asPath: [PEERS.bird.myASN],
    localPref: 100,
    med: 7,
  });
  await lab.kubectl(["delete", "bgppeer", "a-frr"]);
  await frr().configure({ nodeAS: PEERS.frr.myASN });
});

test("unnumbered: FRR and a node find each other by a cable's link-local addresses, and IPv4 goes by IPv6", async () => {
  const { myASN, peerASN, connectRetryTime, bfd } = PEERS.frr;
  const [node, port, ip] = ["n3", "up0", "172.22.3.1"] as const;
  await lab.cableToFRR(node, port);
  await frr().configure({ unnumbered: [port] });
  const nodeSelector = { matchLabels: { "kubernetes.io/hostname": node } };
  await apply(
    lab,
    peer("up", { myASN, peerASN, connectRetryTime, bfd, peerInterface: port, nodeSelector }),
    bgpPool("up", ["172.22.3.0/24"], { peers: ["up"] }),
    bgpService("up", { pool: "up", ips: ip }),
  );
  await sessionsUp(lab, 2, [node]);
  const said = await lab.exec(node, ["ip", "-6", "-o", "address", "show", "dev", port, "scope", "link"]);
  await frr().routed(prefixOf(ip), [/fe80:[0-9a-f:]+/.exec(said)?.[0] ?? "no link-local address"]);
  expect(await lab.ask("tcp", { ip, port: 80 }, frr().plan.client)).toEqual([
    expect.objectContaining({ pod: expect.stringMatching(/^demo-/) }),
  ]);
  await untilSpeaker(lab, node, "BFD is up", (bgp) => peerOf(bgp, "up")?.bfd === "Up");
  await lab.kubectl(["delete", "bgppeer", "up"]);
  await frr().routed(prefixOf(ip), []);
});

/** Last: a gobgpd that listened has to be started anew to listen no more, which nobody does here. */
test("passive: the node waits, and FRR opens the session; where another has port 179, that session waits for it alone", async () => {
  await frr().configure({ connects: true });
  const other = "timeout 120 socat TCP-LISTEN:179,fork,reuseaddr PIPE >/dev/null 2>&1 & echo $!";
  const pid = Number(await lab.exec("n1", ["sh", "-c", other]));
  try {
    await expect.poll(() => lab.exec("n1", ["ss", "-Htln", "sport", "= :179"])).toContain(":179");
    await apply(lab, peer("frr", { ...PEERS.frr, passive: true }));
    await says("frr", /another BGP speaker of this node listens on TCP port 179/);
    await sessionsUp(lab, 2, ["n2", "n3"]);
  } finally {
    process.kill(pid);
  }
  await sessionsUp(lab, 2, NODE_NAMES, 60_000); // the port is looked at each 30 s
  await routedTo(lab, IP, NODE_NAMES);
  for (const node of NODE_NAMES) {
    const sockets = await lab.exec(node, ["ss", "-Htn", "state", "established", "src", ":179"]);
    expect(sockets, `connections to ${node}'s port 179`).toContain("192.0.2.1:");
  }
});
