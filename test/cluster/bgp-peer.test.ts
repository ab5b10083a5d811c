import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { durationMs } from "../../src/api/durations.ts";
import { MOST_PEERS } from "../../src/api/speaker-words.ts";
import { validateBGPPeer } from "../../src/bgp/validate-bgp-peer.ts";
import { bgpPeers, speakers } from "../../src/kube/herald-resources.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { installCrds } from "./crds.ts";

/** What the API server and validateBGPPeer say of a BGPPeer: each case goes through both. */

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
  await installCrds(plane);
});

afterAll(async () => plane?.stop());

type Spec = Readonly<Record<string, unknown>>;

const manifest = (spec: unknown, name = "tried") =>
  JSON.stringify({ apiVersion: "heraldlb.io/v1alpha1", kind: "BGPPeer", metadata: { name }, spec });

/** Sends a peer as a dry run; gives what the API server complained of, or "". */
async function complaint(spec: unknown): Promise<string> {
  try {
    await plane.kubectl(["create", "--dry-run=server", "-f", "-"], manifest(spec));
    return "";
  } catch (error) {
    return String(error);
  }
}

const peer = (more: Spec = {}): Spec => ({ myASN: 64512, peerASN: 64513, peerAddress: "192.0.2.1", ...more });
const unnumbered = (more: Spec = {}): Spec => ({ myASN: 64512, peerASN: 64513, peerInterface: "eth1", ...more });
const ibgp = (more: Spec = {}): Spec => peer({ peerASN: 64512, ...more });

test.each<{ name: string; spec: Spec }>([
  { name: "three fields", spec: peer() },
  { name: "an IPv6 router", spec: peer({ peerAddress: "2001:db8::1" }) },
  { name: "an IPv6 router in capitals", spec: peer({ peerAddress: "2001:DB8:0::1" }) },
  { name: "a router of a cloud's link-local network", spec: peer({ peerAddress: "169.254.0.1" }) },
  { name: "a router by interface", spec: unnumbered() },
  { name: "a router by interface with all that goes with it", spec: unnumbered({ bfd: {}, gracefulRestart: {} }) },
  { name: "AS numbers of 32 bits", spec: peer({ myASN: 4294967295, peerASN: 1 }) },
  { name: "iBGP", spec: ibgp({ bfd: {} }) },
  { name: "the shortest timers", spec: peer({ holdTime: "3s", keepaliveTime: "1s", connectRetryTime: "1s" }) },
  {
    name: "the longest timers",
    spec: peer({ holdTime: "65535s", keepaliveTime: "21845s", connectRetryTime: "65535s" }),
  },
  { name: "minutes", spec: peer({ holdTime: "1m30s", keepaliveTime: "30s", connectRetryTime: "1h" }) },
  { name: "whole seconds of milliseconds", spec: peer({ holdTime: "9000ms" }) },
  { name: "a keepalive of a third, rounded down", spec: peer({ holdTime: "10s", keepaliveTime: "3s" }) },
  { name: "BFD as it comes", spec: peer({ bfd: {} }) },
  {
    name: "the fastest BFD",
    spec: peer({ bfd: { transmitInterval: "50ms", receiveInterval: "50ms", detectMultiplier: 2 } }),
  },
  {
    name: "the slowest BFD",
    spec: peer({ bfd: { transmitInterval: "1m", receiveInterval: "60s", detectMultiplier: 255 } }),
  },
  { name: "eBGP over routers", spec: peer({ ebgpMultihop: { ttl: 2 } }) },
  { name: "eBGP over many routers", spec: peer({ ebgpMultihop: { ttl: 255 } }) },
  { name: "a password", spec: peer({ passwordSecretRef: { name: "tor-a.bgp" } }) },
  { name: "a password under a key", spec: peer({ passwordSecretRef: { name: "1", key: "tor_a.MD5-key" } }) },
  { name: "graceful restart", spec: peer({ gracefulRestart: { restartTime: "4095s" } }) },
  { name: "one family", spec: peer({ addressFamilies: ["ipv6"] }) },
  { name: "waiting for the router", spec: peer({ passive: true }) },
  { name: "another port", spec: peer({ peerPort: 1790 }) },
  { name: "a source and an interface", spec: peer({ sourceAddress: "192.0.2.11", bindInterface: "bond0.100" }) },
  { name: "an IPv6 source", spec: peer({ peerAddress: "2001:db8::1", sourceAddress: "2001:db8::11" }) },
  { name: "a router ID", spec: peer({ routerID: "0.0.0.1" }) },
  { name: "a node selector", spec: peer({ nodeSelector: { matchLabels: { rack: "a" } } }) },
  { name: "a selector of everything", spec: peer({ nodeSelector: {} }) },
])("the API server and validateBGPPeer take $name", async ({ spec }) => {
  expect(await complaint(spec)).toBe("");
  expect(validateBGPPeer(spec)).toEqual([]);
});

const NO_ADDRESS = 'is not an address; write the router\'s own address like "192.0.2.1"';
const NO_MACHINE = "is no address of one machine; write the router's own address";

/** Text that a field does not take, by field; every complaint starts with the text in quotes. */
const BAD_TEXTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  peerAddress: {
    "192.0.2.1/24": NO_ADDRESS,
    "192.0.02.1": NO_ADDRESS,
    "192.0.2": NO_ADDRESS,
    "192.0.2.256": NO_ADDRESS,
    "fe80::1%eth0": NO_ADDRESS,
    "::ffff:192.0.2.1": NO_ADDRESS,
    "[2001:db8::1]": NO_ADDRESS,
    "192.0.2.1:179": NO_ADDRESS,
    "tor-a.example.com": NO_ADDRESS,
    " 192.0.2.1": NO_ADDRESS,
    "": NO_ADDRESS,
    "0.0.0.0": NO_MACHINE,
    "127.0.0.1": NO_MACHINE,
    "127.255.0.1": NO_MACHINE,
    "224.0.0.5": NO_MACHINE,
    "239.1.2.3": NO_MACHINE,
    "255.255.255.255": NO_MACHINE,
    "::": NO_MACHINE,
    "::1": NO_MACHINE,
    "ff02::1": NO_MACHINE,
    "ff0e::1": NO_MACHINE,
    "fe80::1":
      "is a link-local address, which means something on one interface only; write the interface as peerInterface",
    "febf::1": "is a link-local address",
  },
  sourceAddress: {
    "192.0.2.11/24": "is not an address; write an address of the node",
    "127.0.0.1": "is no address of one machine; write an address of the node",
    "2001:db8::11": 'is IPv6 and peerAddress "192.0.2.1" is IPv4; write an address of the node of the same family',
    "192.0.2.1": "is the address of the router too; write one of the node",
  },
  bindInterface: {
    "": "is not an interface; write its name (up to 15 characters, no blanks, slashes or colons)",
    "sixteen-letters-": "is not an interface",
    "eth 0": "is not an interface",
    "eth0:1": "is not an interface",
    "a/b": "is not an interface",
    "..": "is not an interface",
  },
  routerID: {
    "0.0.0.0": "is not a router ID; write one like",
    "2001:db8::1": "is not a router ID; write one like",
    "12": "is not a router ID; write one like",
    "": "is not a router ID; write one like",
  },
  holdTime: {
    "9": 'is not a duration; write one like "9s", "1m30s" or "300ms"',
    "": "is not a duration",
    s: "is not a duration",
    "-9s": "is not a duration",
    "9.5s": "is not a duration",
    "9 s": "is not a duration",
    "9S": "is not a duration",
    "1d": "is not a duration",
    "30s1m": "is not a duration",
    "9999999s": "is not a duration",
    "0s": "is out of bounds; write 3s to 65535s",
    "0": "is out of bounds; write 3s to 65535s",
    "1s": "is out of bounds; write 3s to 65535s",
    "2999ms": "is out of bounds; write 3s to 65535s",
    "65536s": "is out of bounds; write 3s to 65535s",
    "999999h999999m999999s999999ms": "is out of bounds; write 3s to 65535s",
    "3500ms": "has a fraction of a second, and BGP counts whole ones; round it",
  },
  keepaliveTime: {
    "3": "is not a duration",
    "0s": "is out of bounds; write 1s to 65535s",
    "500ms": "is out of bounds; write 1s to 65535s",
    "1500ms": "has a fraction of a second",
    "4s": 'is more than a third of holdTime "9s"; write at most "3s", or remove it',
    "1h": 'is more than a third of holdTime "9s"; write at most "3s", or remove it',
  },
  connectRetryTime: {
    "0s": "is out of bounds; write 1s to 65535s",
    "1m5": "is not a duration",
    "1001ms": "has a fraction of a second",
  },
};

const badTexts = Object.entries(BAD_TEXTS).flatMap(([field, texts]) =>
  Object.entries(texts).map(([text, says]) => ({
    name: `${field} ${JSON.stringify(text)}`,
    spec: peer({ [field]: text }),
    path: `spec.${field}`,
    says: `"${text}" ${says}`,
  })),
);

test.each<{ name: string; spec: Spec; path: string; says: string }>([
  ...badTexts,
  {
    name: "a link-local source",
    spec: peer({ peerAddress: "2001:db8::1", sourceAddress: "fe80::1" }),
    path: "spec.sourceAddress",
    says: '"fe80::1" is a link-local address',
  },
  {
    name: "neither address nor interface",
    spec: { myASN: 1, peerASN: 2 },
    path: "spec",
    says: "must have exactly one of peerAddress and peerInterface; add the router's address as peerAddress",
  },
  {
    name: "both address and interface",
    spec: peer({ peerInterface: "eth1" }),
    path: "spec",
    says: "must have exactly one of peerAddress and peerInterface; remove one of the two",
  },
  {
    name: "an interface that is none",
    spec: unnumbered({ peerInterface: "fe80::1%eth1" }),
    path: "spec.peerInterface",
    says: '"fe80::1%eth1" is not an interface; write its name',
  },
  ...Object.entries({
    sourceAddress: "192.0.2.11",
    bindInterface: "eth1",
    passive: true,
    ebgpMultihop: { ttl: 3 },
  }).map(([field, value]) => ({
    name: `an interface and ${field}`,
    spec: unnumbered({ [field]: value }),
    path: `spec.${field}`,
    says: `${field} does not go with peerInterface "eth1"; remove it`,
  })),
  {
    name: "a port of a router that connects",
    spec: peer({ passive: true, peerPort: 1790 }),
    path: "spec.peerPort",
    says: "peerPort 1790 is of no use with passive: the router connects; remove one of the two",
  },
  {
    name: "keepalives of half the hold time",
    spec: peer({ holdTime: "1m30s", keepaliveTime: "45s" }),
    path: "spec.keepaliveTime",
    says: '"45s" is more than a third of holdTime "1m30s"; write at most "30s", or remove it',
  },
  {
    name: "keepalives of a third, rounded up",
    spec: peer({ holdTime: "11s", keepaliveTime: "4s" }),
    path: "spec.keepaliveTime",
    says: '"4s" is more than a third of holdTime "11s"; write at most "3s", or remove it',
  },
  {
    name: "iBGP over routers, in so many words",
    spec: ibgp({ ebgpMultihop: { ttl: 5 } }),
    path: "spec.ebgpMultihop",
    says: "is for eBGP, and myASN and peerASN are both 64512; remove it",
  },
  {
    name: "BFD over routers",
    spec: peer({ ebgpMultihop: { ttl: 5 }, bfd: {} }),
    path: "spec.bfd",
    says: "is single-hop, and ebgpMultihop is for a router further away; remove one of the two",
  },
  ...Object.entries({
    "100": "is not a duration",
    "100us": "is not a duration",
    "0.1s": "is not a duration",
    "49ms": "is out of bounds; write 50ms to 60s",
    "300000ms": "is out of bounds; write 50ms to 60s",
    "0": "is out of bounds; write 50ms to 60s",
  }).flatMap(([text, says]) =>
    ["transmitInterval", "receiveInterval"].map((field) => ({
      name: `BFD's ${field} ${text}`,
      spec: peer({ bfd: { [field]: text } }),
      path: `spec.bfd.${field}`,
      says: `"${text}" ${says}`,
    })),
  ),
  ...["0s", "4096s", "90", "1500ms"].map((text) => ({
    name: `the restart time ${text}`,
    spec: peer({ gracefulRestart: { restartTime: text } }),
    path: "spec.gracefulRestart.restartTime",
    says: `"${text}" `,
  })),
  ...["", "Tor-A", "tor_a", "-a", "a-", "a..b", "herald-system/tor-a"].map((text) => ({
    name: `the Secret ${JSON.stringify(text)}`,
    spec: peer({ passwordSecretRef: { name: text } }),
    path: "spec.passwordSecretRef.name",
    says: `"${text}" is not the name of a Secret; write small letters`,
  })),
  ...["", "a/b", "a b", "."].map((text) => ({
    name: `the key ${JSON.stringify(text)}`,
    spec: peer({ passwordSecretRef: { name: "tor-a", key: text } }),
    path: "spec.passwordSecretRef.key",
    says: `"${text}" is not a key of a Secret; write letters`,
  })),
  {
    name: "a selector without values",
    spec: peer({ nodeSelector: { matchExpressions: [{ key: "rack", operator: "In" }] } }),
    path: "spec.nodeSelector.matchExpressions[0]",
    says: "operator In needs values; add at least one",
  },
])("the API server refuses $name, and validateBGPPeer says the same", async ({ spec, path, says }) => {
  const told = await complaint(spec);
  expect(told).toContain(`${path}: Invalid value`);
  expect(told).toContain(says);
  expect(told, "of one mistake no more than one complaint").not.toContain("\n*");
  const problems = validateBGPPeer(spec);
  expect(problems).toEqual([{ path, message: expect.stringContaining(says) }]);
  expect(told).toContain(problems[0]?.message);
});

/** What the types alone refuse, each side in its own words. */
test.each<{ name: string; spec: Spec; says: string; path?: string }>([
  ...[0, -1, 4294967296, 1.5, "64512", null].flatMap((asn) => [
    { name: `myASN ${JSON.stringify(asn)}`, spec: peer({ myASN: asn }), says: "spec.myASN" },
    { name: `peerASN ${JSON.stringify(asn)}`, spec: peer({ peerASN: asn }), says: "spec.peerASN" },
  ]),
  { name: "no AS number", spec: { peerASN: 1, peerAddress: "192.0.2.1" }, says: "spec.myASN", path: "spec" },
  {
    name: "no AS number of the router",
    spec: { myASN: 1, peerAddress: "192.0.2.1" },
    says: "spec.peerASN",
    path: "spec",
  },
  ...[0, 65536].map((port) => ({ name: `port ${port}`, spec: peer({ peerPort: port }), says: "spec.peerPort" })),
  ...[0, 1, 256].map((ttl) => ({
    name: `TTL ${ttl}`,
    spec: peer({ ebgpMultihop: { ttl } }),
    says: "spec.ebgpMultihop.ttl",
  })),
  { name: "no TTL", spec: peer({ ebgpMultihop: {} }), says: "spec.ebgpMultihop.ttl", path: "spec.ebgpMultihop" },
  ...[0, 1, 256].map((detectMultiplier) => ({
    name: `detectMultiplier ${detectMultiplier}`,
    spec: peer({ bfd: { detectMultiplier } }),
    says: "spec.bfd.detectMultiplier",
  })),
  {
    name: "BFD in milliseconds without a unit",
    spec: peer({ bfd: { transmitInterval: 100 } }),
    says: "spec.bfd.transmitInterval",
  },
  { name: "BFD as a word", spec: peer({ bfd: true }), says: "spec.bfd" },
  {
    name: "a password reference without a name",
    spec: peer({ passwordSecretRef: { key: "a" } }),
    says: "spec.passwordSecretRef.name",
    path: "spec.passwordSecretRef",
  },
  { name: "no family", spec: peer({ addressFamilies: [] }), says: "spec.addressFamilies" },
  { name: "another family", spec: peer({ addressFamilies: ["IPv4"] }), says: "spec.addressFamilies[0]" },
  { name: "a family twice", spec: peer({ addressFamilies: ["ipv4", "ipv4"] }), says: "spec.addressFamilies[1]" },
  { name: "too long an address", spec: peer({ peerAddress: "1".repeat(46) }), says: "spec.peerAddress" },
])("the API server and validateBGPPeer refuse $name", async ({ spec, says, path }) => {
  expect(await complaint(spec)).toContain(says);
  const problems = validateBGPPeer(spec);
  expect(problems.map((problem) => problem.path)).toContain(path ?? says);
});

test("a field that there is not is named by validateBGPPeer", async () => {
  expect(await complaint(peer({ password: "x" }))).toContain('unknown field "spec.password"');
  expect(validateBGPPeer(peer({ password: "x" }))).toEqual([
    { path: "spec.password", message: "is no field of a BGPPeer; correct its name, or remove it" },
  ]);
});

test("of several mistakes each is told", async () => {
  const spec = { myASN: 1, peerASN: 1, holdTime: "1s", ebgpMultihop: { ttl: 5 }, bfd: { transmitInterval: "1" } };
  const told = await complaint(spec);
  const problems = validateBGPPeer(spec);
  expect(problems.map(({ path }) => path).toSorted()).toEqual(
    ["spec", "spec.bfd", "spec.bfd.transmitInterval", "spec.ebgpMultihop", "spec.holdTime"].toSorted(),
  );
  for (const { path, message } of problems) {
    expect(told).toContain(`${path}: Invalid value: `);
    expect(told).toContain(message);
  }
});

test("the API server fills in the defaults, and what is kept is the same with and without them", async () => {
  await plane.kubectl(
    ["create", "-f", "-"],
    manifest(peer({ bfd: {}, gracefulRestart: {}, passwordSecretRef: { name: "a" } }), "defaults"),
  );
  const stored = JSON.parse(await plane.kubectl(["get", "hpeer", "defaults", "-o=json"]));
  const wanted = {
    ...peer(),
    peerPort: 179,
    passive: false,
    holdTime: "9s",
    connectRetryTime: "5s",
    passwordSecretRef: { name: "a", key: "password" },
    bfd: { transmitInterval: "300ms", receiveInterval: "300ms", detectMultiplier: 3 },
    gracefulRestart: { restartTime: "120s" },
    addressFamilies: ["ipv4", "ipv6"],
  };
  expect(stored.spec).toEqual(wanted);
  expect(bgpPeers.keep(stored).spec).toEqual(wanted);
  expect(
    bgpPeers.keep({ spec: peer({ bfd: {}, gracefulRestart: {}, passwordSecretRef: { name: "a" } }) }).spec,
  ).toEqual(wanted);
});

test("kubectl get shows both AS numbers, where the router is, and whether there is BFD", async () => {
  await plane.kubectl(["create", "-f", "-"], manifest(peer({ bfd: { transmitInterval: "100ms" } }), "tor-a"));
  await plane.kubectl(["create", "-f", "-"], manifest(unnumbered(), "tor-b"));
  const lines = (await plane.kubectl(["get", "bgppeers"])).split("\n").map((line) => line.split(/ {2,}/));
  expect(lines[0]).toEqual(["NAME", "MY ASN", "PEER ASN", "PEER ADDRESS", "INTERFACE", "BFD", "AGE"]);
  expect(lines.find(([name]) => name === "tor-a")?.slice(0, 5)).toEqual([
    "tor-a",
    "64512",
    "64513",
    "192.0.2.1",
    "100ms",
  ]);
  expect(lines.find(([name]) => name === "tor-b")?.slice(0, 4)).toEqual(["tor-b", "64512", "64513", "eth1"]);
});

test("the API server takes as many sessions of a node as are shown, with the longest words, and kubectl tells how many are up", async () => {
  const session = {
    name: "a".repeat(253),
    address: "2001:0db8:0000:0000:0000:0000:0000:0001",
    asn: 4294967295,
    state: "Established",
    since: "2026-01-01T00:00:00Z",
    lastError: "x".repeat(512),
    holdTime: "65535s",
    keepaliveTime: "21845s",
    advertised: 10_000,
    accepted: 0,
    flaps: 3,
    bfd: "Up",
  };
  const peers = Array.from({ length: MOST_PEERS }, () => session);
  const bgp = { gobgpd: "Running", asn: 4294967295, routerID: "255.255.255.255", sessions: "63/64", routes: 1, peers };
  const speaker = { apiVersion: "heraldlb.io/v1alpha1", kind: "Speaker", metadata: { name: "n1" } };
  await plane.kubectl(["create", "-f", "-"], JSON.stringify(speaker));
  const write = (bgp: object) =>
    plane.kubectl([
      "patch",
      "speaker",
      "n1",
      "--subresource=status",
      "--type=merge",
      "-p",
      JSON.stringify({ status: { bgp } }),
    ]);
  await write(bgp);
  const stored = JSON.parse(await plane.kubectl(["get", "speaker", "n1", "-o=json"]));
  expect(speakers.keep(stored).status.bgp).toEqual(bgp);
  const [head = "", line = ""] = (await plane.kubectl(["get", "speakers"])).split("\n");
  expect(line.slice(head.indexOf("SESSIONS")).split(" ")[0]).toBe("63/64");
  await expect(write({ ...bgp, peers: [...peers, session] })).rejects.toThrow("status.bgp.peers: Too many");
});

test.each(["bgppeer.yaml", "bgppeer-all-fields.yaml"])("both take the sample %s", async (file) => {
  const sample = parse(readFileSync(new URL(`../../config/samples/${file}`, import.meta.url), "utf8"));
  expect(await complaint(sample.spec)).toBe("");
  expect(validateBGPPeer(sample.spec)).toEqual([]);
});

test("the API server and durationMs take the same texts", { timeout: 60_000 }, async () => {
  const number = fc.constantFrom(
    "",
    "0",
    "1",
    "3",
    "9",
    "01",
    "30",
    "1000",
    "65535",
    "999999",
    "1000000",
    "1.5",
    "-1",
    "٣",
  );
  const part = fc.tuple(number, fc.constantFrom("h", "m", "s", "ms", "us", "", " ")).map((both) => both.join(""));
  const text = fc.array(part, { maxLength: 4 }).map((parts) => parts.join(""));
  for (const tried of fc.sample(text, { numRuns: 60, seed: 6 })) {
    const told = await complaint(peer({ connectRetryTime: tried.slice(0, 32) }));
    expect(told.includes("is not a duration"), tried).toBe(durationMs(tried.slice(0, 32)) === undefined);
    expect(told === "", tried).toBe(validateBGPPeer(peer({ connectRetryTime: tried.slice(0, 32) })).length === 0);
  }
});
