import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApiObject } from "../lab/api.ts";
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
  PEERS,
  pathFrom,
  peer,
  prefixOf,
  routedTo,
  sessionsUp,
  startBGP,
  untilSpeaker,
} from "./bgp-product.ts";
import { IPV6_ONLY } from "./product.ts";

/** Sessions of every kind, and what the Speaker says of those that can't be: within 15 s, while the others go on. */

const IP = "172.22.0.2";
const IP6 = "2001:db8:ffff::2";
const SAID_WITHIN_MS = 15_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startBGP();
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
const PASSWORD_REF = { passwordSecretRef: { name: "bgp", key: "password" } };

/** Waits until the Speaker of n1 says of a peer what is wrong, and that the sessions with the others stand. */
async function says(name: string, text: RegExp): Promise<void> {
  const { bgp } = await untilSpeaker(
    lab,
    "n1",
    `the Speaker says of ${name}: ${text}`,
    (seen) => text.test(peerOf(seen, name)?.lastError ?? ""),
    SAID_WITHIN_MS,
  );
  console.info(`${name}: ${peerOf(bgp, name).lastError}`);
  expect(peerOf(bgp, name).state).not.toBe("Established");
  for (const other of bgp.peers)
    if (other.name !== name) expect(other, other.name).toMatchObject({ state: "Established" });
}

interface Problem {
  readonly what: string;
  readonly spec: object;
  readonly said: RegExp;
}
const PROBLEMS: readonly Problem[] = [
  { what: "another AS than the router has", spec: { ...PEERS.bird, peerASN: 64999 }, said: /AS/ },
  { what: "an AS that the router does not expect of the node", spec: { ...PEERS.bird, myASN: 64998 }, said: /AS/ },
  { what: "an address at which nobody is", spec: { ...PEERS.bird, peerAddress: "192.0.2.77" }, said: /192\.0\.2\.77/ },
  {
    what: "an address at which nobody speaks BGP",
    spec: { ...PEERS.bird, peerAddress: "192.0.2.100" },
    said: /192\.0\.2\.100/,
  },
  { what: "a Secret that is not there", spec: { ...PEERS.bird, ...PASSWORD_REF }, said: /Secret.*bgp/ },
];

test.each(PROBLEMS)("a BGPPeer with $what", async ({ spec, said }) => {
  await apply(lab, peer("bird", spec));
  await says("bird", said);
  await frr().routed(prefixOf(IP), hops(NODE_NAMES));
  await apply(lab, peer("bird", PEERS.bird));
  await lab
    .kubectl([
      "patch",
      "bgppeer",
      "bird",
      "--type=json",
      "--patch",
      '[{"op":"remove","path":"/spec/passwordSecretRef"}]',
    ])
    .catch(() => {});
  await sessionsUp(lab, 2);
  await routedTo(lab, IP, NODE_NAMES);
});

test("a password: a wrong one is suspected, the right one opens the session, a new one opens it anew, and without the Secret it is closed", async () => {
  await bird().configure({ password: "first" });
  await apply(lab, secret("wrong"), peer("bird", { ...PEERS.bird, ...PASSWORD_REF }));
  await says("bird", /password/i);
  await apply(lab, secret("first"));
  await sessionsUp(lab, 2);
  await bird().routed(prefixOf(IP), hops(NODE_NAMES));

  await bird().configure({ password: "second" });
  await apply(lab, secret("second"));
  await sessionsUp(lab, 2);
  await bird().routed(prefixOf(IP), hops(NODE_NAMES));

  await lab.kubectl(["delete", "secret", "bgp", "--namespace", HERALD_NAMESPACE]);
  await says("bird", /Secret.*bgp/);
  await bird().routed(prefixOf(IP), []);
  for (const node of NODE_NAMES) {
    const said = await lab.api.get(`/apis/heraldlb.io/v1alpha1/speakers/${node}`);
    expect(JSON.stringify(said)).not.toMatch(/first|second/);
  }
  await bird().configure({ password: undefined });
  await lab.kubectl(["delete", "bgppeer", "bird"]);
  await apply(lab, peer("bird", PEERS.bird));
  await sessionsUp(lab, 2);
  await routedTo(lab, IP, NODE_NAMES);
});

test("FRR takes the password too, over IPv4 and IPv6", async () => {
  await frr().configure({ password: "secret" });
  await apply(
    lab,
    secret("secret"),
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
  await frr().configure({ nodeAS: FRR_AS });
  await apply(
    lab,
    peer("frr", { ...PEERS.frr, myASN: FRR_AS }),
    peer("bird", PEERS.bird),
    bgpPool("preferred", ["172.22.1.0/24"], { localPref: 250, med: 7, communities: ["65000:1"] }),
    bgpService("preferred", { pool: "preferred", ips: "172.22.1.1" }),
  );
  await sessionsUp(lab, 2);
  await routedTo(lab, "172.22.1.1", NODE_NAMES);
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
  await lab.kubectl(["delete", "bgppeer", "frr"]);
  await frr().configure({ nodeAS: PEERS.frr.myASN });
  await apply(lab, peer("frr", PEERS.frr));
  await sessionsUp(lab, 2);
});
