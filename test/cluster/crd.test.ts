import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeClaims, encodeClaims } from "../../src/api/claims.ts";
import { parseRange } from "../../src/ipam/ranges.ts";
import { validateIPPool } from "../../src/ipam/validate-ippool.ts";
import { ipPools, speakers } from "../../src/kube/herald-resources.ts";
import { OwnClaims } from "../../src/speaker/own-claims.ts";
import { ownStatus } from "../../src/speaker/own-status.ts";
import type { SegmentState } from "../../src/speaker/segment-messages.ts";
import { claimMap } from "../unit/segment-state.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { installCrds } from "./crds.ts";

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
  await installCrds(plane);
});

afterAll(async () => plane?.stop());

interface PoolSpec {
  readonly addresses: unknown;
  readonly [field: string]: unknown;
}

/** Sends a pool as a dry run; gives what the API server complained of, or "". */
async function complaint(spec: PoolSpec): Promise<string> {
  const pool = { apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name: "tried" }, spec };
  try {
    await plane.kubectl(["create", "--dry-run=server", "-f", "-"], JSON.stringify(pool));
    return "";
  } catch (error) {
    return String(error);
  }
}

test.each<{ name: string; entry: string }>([
  { name: "an IPv4 CIDR", entry: "192.0.2.0/28" },
  { name: "the widest IPv4 CIDR", entry: "0.0.0.0/0" },
  { name: "an IPv6 CIDR", entry: "2001:db8:0:1::/112" },
  { name: "a range", entry: "192.0.2.9-192.0.2.10" },
  { name: "a range of one", entry: "192.0.2.9-192.0.2.9" },
  { name: "a range with blanks", entry: " 192.0.2.10 - 192.0.2.100 " },
  { name: "an IPv6 range", entry: "2001:db8::1 - 2001:db8::ff" },
  { name: "an address", entry: "198.51.100.7" },
  { name: "an IPv6 address in capitals", entry: "2001:DB8::A" },
])("the API server and validateIPPool take $name", async ({ entry }) => {
  expect(validateIPPool({ addresses: [entry] })).toEqual([]);
  expect(await complaint({ addresses: [entry] })).toBe("");
});

/** `says` is what the API server has to say; `offline` what validateIPPool says where that is not the same. */
test.each<{ name: string; entry: string; says: string; offline?: string }>([
  {
    name: "host bits",
    entry: "192.0.2.9/28",
    says: '"192.0.2.9/28" has host bits set; write 192.0.2.0/28, or 192.0.2.9 for that address alone',
  },
  {
    name: "IPv6 host bits",
    entry: "2001:db8::1/64",
    says: '"2001:db8::1/64" has host bits set; write 2001:db8::/64, or 2001:db8::1 for that address alone',
  },
  { name: "a prefix that is too long", entry: "192.0.2.0/33", says: "is not a CIDR", offline: "bad prefix length" },
  { name: "no prefix", entry: "192.0.2.0/", says: "is not a CIDR", offline: "bad prefix length" },
  { name: "leading zeros", entry: "192.0.02.10", says: "without leading zeros", offline: "write 192.0.2.10 instead" },
  { name: "a zone id", entry: "fe80::1%eth0", says: "zone id", offline: "write fe80::1 without it" },
  {
    name: "an IPv4-mapped address",
    entry: "::ffff:192.0.2.1",
    says: "IPv4-mapped IPv6",
    offline: "write 192.0.2.1 instead",
  },
  {
    name: "an IPv4-mapped CIDR",
    entry: "::ffff:192.0.2.0/124",
    says: "IPv4-mapped IPv6",
    offline: "write 192.0.2.0 instead",
  },
  {
    name: "a range that starts after its end",
    entry: "192.0.2.20-192.0.2.9",
    says: "starts after its end; swap the two addresses",
  },
  {
    name: "a range of both families",
    entry: "192.0.2.1-2001:db8::1",
    says: "mixes IPv4 and IPv6; make it two ranges of one family each",
  },
  {
    name: "a range without an end",
    entry: "192.0.2.1-",
    says: "is not a range of two addresses",
    offline: "has no end",
  },
  {
    name: "a range of three",
    entry: "192.0.2.1-192.0.2.2-192.0.2.3",
    says: "is not a range of two addresses",
    offline: "has an end",
  },
  {
    name: "a range of CIDRs",
    entry: "192.0.2.0/28-192.0.2.64/28",
    says: "is not a CIDR",
    offline: "bad prefix length",
  },
  { name: "a word", entry: "everything", says: 'write one like "192.0.2.10", "192.0.2.0/28"' },
  { name: "an empty entry", entry: "", says: 'write one like "192.0.2.10", "192.0.2.0/28"' },
  {
    name: "quotes and a newline",
    entry: "'\"\n",
    says: "must be an address, a CIDR or a range",
    offline: "is not an address",
  },
])("the API server refuses $name with a remedy, and so does validateIPPool", async ({ entry, says, offline }) => {
  expect(await complaint({ addresses: ["203.0.113.1", entry] })).toContain("spec.addresses[1]");
  expect(await complaint({ addresses: [entry] })).toContain(says);
  const problems = validateIPPool({ addresses: ["203.0.113.1", entry] });
  expect(problems).toEqual([{ path: "spec.addresses[1]", message: expect.stringContaining(offline ?? says) }]);
});

test.each<{ name: string; spec: PoolSpec; says: string }>([
  { name: "no addresses", spec: { addresses: [] }, says: "spec.addresses" },
  { name: "the same entry twice", spec: { addresses: ["192.0.2.1", "192.0.2.1"] }, says: "Duplicate value" },
  {
    name: "more than 256 entries",
    spec: { addresses: Array.from({ length: 257 }, (_, at) => `10.0.${at >> 8}.${at & 255}`) },
    says: "256",
  },
  {
    name: "an operator without values",
    spec: {
      addresses: ["192.0.2.1"],
      announce: [{ layer2: { nodeSelector: { matchExpressions: [{ key: "rack", operator: "In" }] } } }],
    },
    says: "operator In needs values; add at least one",
  },
])("the API server refuses $name", async ({ spec, says }) => {
  expect(await complaint(spec)).toContain(says);
});

const hex = (n: number) => n.toString(16).padStart(4, "0");
const blocks = (count: number) =>
  Array.from({ length: count }, (_, at) => `2001:0db8:0000:0000:0000:0000:${hex(at)}:0000/112`);
const spans = (count: number) => Array.from({ length: count }, (_, at) => `100.100.${at}.100 - 100.100.${at}.200`);
const pool = (addresses: readonly string[], more: object = {}): PoolSpec => ({ addresses, ...more });
const layer2 = (fields: object) => pool(["192.0.2.0/24"], { announce: [{ layer2: fields }] });
const bgp = (fields: object, addresses = ["192.0.2.0/24"]) =>
  pool(addresses, { announce: [{ layer2: {} }, { bgp: fields }] });

test.each<{ name: string; spec: PoolSpec }>([
  { name: "neighbours", spec: pool(["192.0.2.0/28", "192.0.2.16-192.0.2.20", "192.0.2.21", "::1", "::2/127"]) },
  {
    name: "excludes inside",
    spec: pool(["192.0.2.0/28", "::/64"], { exclude: ["192.0.2.1-192.0.2.2", "::1", "::/127"] }),
  },
  { name: "an exclude that reaches beyond", spec: pool(["192.0.2.0/28"], { exclude: ["192.0.0.0/16"] }) },
  {
    name: "routes as wide as the entry",
    spec: bgp({ aggregationLength: 24, aggregationLengthV6: 64 }, ["192.0.2.0/24", "::/64"]),
  },
  { name: "routes that a range is made of", spec: bgp({ aggregationLength: 26 }, ["192.0.2.64-192.0.2.191"]) },
  {
    name: "one route for everything",
    spec: bgp({ aggregationLength: 0, aggregationLengthV6: 0 }, ["0.0.0.0/0", "::/0"]),
  },
  { name: "interfaces", spec: layer2({ interfaces: ["eth0", "/eth[1-9]/", "bond0.100"] }) },
  {
    name: "communities",
    spec: bgp({ communities: ["0:0", "65535:65535", "large:1:0:4294967295", "no-export", "blackhole"] }),
  },
  { name: "both ways to announce", spec: bgp({ peers: ["tor-a"], localPref: 4294967295, med: 0, nodeSelector: {} }) },
  {
    name: "preferred nodes",
    spec: layer2({ preferredNodes: [{ weight: 100, selector: { matchLabels: { rack: "a" } } }] }),
  },
  {
    name: "selectors",
    spec: pool(["::1"], {
      namespaceSelector: {},
      serviceSelector: { matchExpressions: [{ key: "a", operator: "Exists" }] },
    }),
  },
  { name: "the extremes of a priority", spec: pool(["::1"], { priority: -2147483648 }) },
])("the API server and validateIPPool take $name", async ({ spec }) => {
  expect(await complaint(spec)).toBe("");
  expect(validateIPPool(spec)).toEqual([]);
});

test.each<{ name: string; spec: PoolSpec; says: string }>([
  {
    name: "an address of a block",
    spec: pool(["10.0.0.1", "192.0.2.0/28", "192.0.2.15"]),
    says: '"192.0.2.15" overlaps spec.addresses[1] "192.0.2.0/28"; keep each address in one entry only',
  },
  {
    name: "a block around an earlier range",
    spec: pool(["192.0.2.1 - 192.0.2.3", "192.0.2.0/24"]),
    says: '"192.0.2.0/24" overlaps spec.addresses[0] "192.0.2.1 - 192.0.2.3"; keep',
  },
  {
    name: "two ranges that share one address",
    spec: pool(["192.0.2.20-192.0.2.30", "192.0.2.9-192.0.2.20"]),
    says: '"192.0.2.9-192.0.2.20" overlaps spec.addresses[0] "192.0.2.20-192.0.2.30"; keep',
  },
  {
    name: "the same IPv6 address in two spellings",
    spec: pool(["2001:db8::a", "2001:DB8:0::A"]),
    says: '"2001:DB8:0::A" overlaps spec.addresses[0] "2001:db8::a"; keep',
  },
  {
    name: "an IPv6 block inside an earlier one",
    spec: pool(["192.0.2.1", "2001:db8::/64", "2001:db8::/112"]),
    says: '"2001:db8::/112" overlaps spec.addresses[1] "2001:db8::/64"; keep',
  },
  {
    name: "an IPv4 exclude outside",
    spec: pool(["192.0.2.0/28", "::1-::2"], { exclude: ["192.0.2.1", "192.0.2.16"] }),
    says: 'spec.exclude: Invalid value: "192.0.2.16" has no address of the pool; correct it, or remove it',
  },
  {
    name: "an IPv6 exclude outside",
    spec: pool(["192.0.2.0/28", "2001:db8::/64"], { exclude: ["2001:db8::1", "2001:db9::/64"] }),
    says: 'spec.exclude: Invalid value: "2001:db9::/64" has no address of the pool; correct it, or remove it',
  },
  {
    name: "an exclude that is none",
    spec: pool(["192.0.2.0/28"], { exclude: ["192.0.2.1/31"] }),
    says: 'spec.exclude[0]: Invalid value: "192.0.2.1/31": "192.0.2.1/31" has host bits set; write 192.0.2.0/31, or',
  },
  {
    name: "routes wider than a block",
    spec: bgp({ aggregationLength: 20 }, ["10.0.0.0/8", "192.0.2.0/24"]),
    says: 'aggregationLength 20 is wider than "192.0.2.0/24": its routes would reach beyond; write at least 24',
  },
  {
    name: "routes wider than a range",
    spec: bgp({ aggregationLength: 25 }, ["192.0.2.0/24", "198.51.100.64-198.51.100.191"]),
    says: 'aggregationLength 25 is wider than "198.51.100.64-198.51.100.191": its routes would reach beyond; write at least 26',
  },
  {
    name: "routes wider than an address",
    spec: bgp({ aggregationLength: 31 }, ["192.0.2.1"]),
    says: 'aggregationLength 31 is wider than "192.0.2.1": its routes would reach beyond; write at least 32',
  },
  {
    name: "IPv6 routes wider than a block",
    spec: bgp({ aggregationLengthV6: 63 }, ["192.0.2.1", "2001:db8::/64"]),
    says: 'aggregationLengthV6 63 is wider than "2001:db8::/64": its routes would reach beyond; write at least 64',
  },
  {
    name: "an announcement of no kind",
    spec: pool(["::1"], { announce: [{ layer2: {} }, {}] }),
    says: "must have exactly one of layer2 and bgp; make it two entries for both",
  },
  {
    name: "an announcement of both kinds",
    spec: pool(["::1"], { announce: [{ layer2: {}, bgp: {} }] }),
    says: "must have exactly one of layer2 and bgp; make it two entries for both",
  },
  ...[
    "65536:1",
    "1:65536",
    "01:1",
    "1",
    "large:1:2",
    "large:1:2:4294967296",
    "large:0:1:2",
    "NO-EXPORT",
    "toString",
    "",
  ].map((text) => ({
    name: `the community ${JSON.stringify(text)}`,
    spec: bgp({ communities: ["65000:100", text] }),
    says: `"${text}" is not a community; write one like "65000:100"`,
  })),
  ...["sixteen-letters-", "eth 0", "a/b", "/", "//", "/eth", ""].map((text) => ({
    name: `the interface ${JSON.stringify(text)}`,
    spec: layer2({ interfaces: ["eth0", text] }),
    says: `"${text}" is not an interface; write its name`,
  })),
])("the API server refuses $name, and validateIPPool says the same", async ({ spec, says }) => {
  const told = await complaint(spec);
  expect(told).toContain(says);
  expect(told, "of one mistake no more than one complaint").not.toContain("\n*");
  const problems = validateIPPool(spec);
  expect(problems).toHaveLength(1);
  expect(told).toContain(problems[0]?.message);
});

test.each<{ name: string; spec: PoolSpec; says: string }>([
  { name: "an IPv6 range that starts after its end", spec: pool(["::2-::1"]), says: "starts after its end" },
  { name: "an IPv6 range that overlaps", spec: pool(["::1-::9", "::2"]), says: '"::2" overlaps spec.addresses[0]' },
  {
    name: "an exclude beside an IPv6 range",
    spec: pool(["::1-::9"], { exclude: ["::a"] }),
    says: "no address of the pool",
  },
  {
    name: "routes wider than an IPv6 range",
    spec: bgp({ aggregationLengthV6: 64 }, ["::1-::9"]),
    says: "write at least 128",
  },
  { name: "a regular expression that is none", spec: layer2({ interfaces: ["/(/"] }), says: "Unterminated group" },
  {
    name: "overlaps in more than 128 IPv6 blocks",
    spec: pool([...blocks(128), "2001:db8::7"]),
    says: '"2001:db8::7" overlaps',
  },
])("the API server can't tell $name, but validateIPPool can", async ({ spec, says }) => {
  expect(await complaint(spec)).toBe("");
  expect(validateIPPool(spec)).toEqual([expect.objectContaining({ message: expect.stringContaining(says) })]);
});

test.each<{ name: string; addresses: string[] }>([
  { name: "256 IPv4 ranges", addresses: spans(256) },
  { name: "256 IPv6 blocks", addresses: blocks(256) },
  {
    name: "256 IPv6 ranges",
    addresses: blocks(256).map((block) => block.replace(/(.*):0000\/112/, "$1:0000 - $1:ffff")),
  },
  { name: "as many of both as are compared", addresses: [...spans(128), ...blocks(128)] },
])("$name, all excluded and announced in sixteen ways, fit the API server's budget", async ({ addresses }) => {
  const announce = Array.from({ length: 16 }, () => ({ bgp: { communities: ["65000:1"] } }));
  expect(await complaint({ addresses, exclude: addresses.toReversed(), announce })).toBe("");
});

test("the last of 256 entries is told apart", async () => {
  const told = await complaint({ addresses: [...spans(255), "100.100.254.150"] });
  expect(told).toContain('"100.100.254.150" overlaps spec.addresses[254] "100.100.254.100 - 100.100.254.200"; keep');
});

test("the API server and parseRange take the same entries", { timeout: 60_000 }, async () => {
  const blank = fc.constantFrom("", "", "", " ", "\t", "\u00a0", "\u0085", "\ufeff", "\u2003");
  const odd = fc.constantFrom(
    ...[
      "1.2.3",
      "1.2.3.4.5",
      "01.2.3.4",
      "1.2.3.256",
      "0x1.2.3.4",
      "1.2.3.4.",
      "::",
      ":::",
      "1::2::3",
      "::ffff:1.2.3.4",
    ],
    ...[
      "::FFFF:102:304",
      "::1.2.3.4",
      "::1.2.3",
      "1:2:3:4:5:6:7::",
      "1:2:3:4:5:6:7:8::",
      "::1%eth0",
      "12345::",
      "1:2:3:4:5:6:1.2.3.4",
    ],
    ...["１.2.3.4", "[::1]", "", "-", "/", "a", "::1/64", "1.2.3.4/32", "0.0.0.0", "::00001", "1.2.3.٤"],
  );
  const ip = fc.oneof(fc.ipV4(), fc.ipV6(), odd);
  const length = fc.oneof(fc.nat(140).map(String), fc.constantFrom("", "024", "+8", " 8", "8 ", "-1", "1e1", "8/8"));
  const entry = fc.oneof(
    fc.tuple(blank, ip, blank).map((parts) => parts.join("")),
    fc.tuple(blank, ip, fc.constant("/"), length, blank).map((parts) => parts.join("")),
    fc.tuple(fc.ipV4(), fc.nat(32)).map(([text, bits]) => `${masked(text, bits)}/${bits}`),
    fc.tuple(blank, ip, blank, fc.constant("-"), blank, ip, blank).map((parts) => parts.join("")),
    fc.string({ maxLength: 40 }),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.string({ unit: fc.constantFrom(..."012.:/-% f"), maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(entry, { minLength: 256, maxLength: 256 }), async (texts) => {
      const addresses = texts.map((text) => text.toWellFormed()).filter((text, at, all) => all.indexOf(text) === at);
      const told = await complaint({ addresses });
      const refused = new Set([...told.matchAll(/spec\.addresses\[(\d+)\]: /g)].map(([, at]) => Number(at)));
      for (const [at, text] of addresses.entries()) {
        const range = parseRange(text);
        const why = `${JSON.stringify(text)}: ${JSON.stringify(typeof range === "string" ? range : "good")}`;
        if (refused.has(at)) expect(typeof range, why).toBe("string");
        // The order of IPv6 addresses is beyond CEL.
        else if (range !== "starts after its end; swap the two addresses" || !text.includes(":"))
          expect(typeof range, why).toBe("object");
      }
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

test("the API server and validateIPPool take the same pools, where these have no IPv6 ranges", {
  timeout: 60_000,
}, async () => {
  const block = (bits: number, write: (host: number) => string) =>
    fc.tuple(fc.nat(63), fc.integer({ min: bits - 4, max: bits })).map(([host, length]) => {
      const size = 2 ** (bits - length);
      return `${write(host - (host % size))}${length === bits ? "" : `/${length}`}`;
    });
  const v4 = (host: number) => `192.0.2.${host}`;
  const span = fc.tuple(fc.nat(63), fc.nat(5)).map(([start, size]) => `${v4(start)} - ${v4(start + size)}`);
  const entry = fc.oneof(
    block(32, v4),
    span,
    block(128, (host) => `2001:db8::${host.toString(16)}`),
  );
  const texts = (minLength: number, maxLength: number) => fc.uniqueArray(entry, { minLength, maxLength });
  const lengths = fc.record({
    aggregationLength: fc.integer({ min: 28, max: 32 }),
    aggregationLengthV6: fc.integer({ min: 124, max: 128 }),
  });
  const announce = fc.array(lengths, { maxLength: 2 }).map((all) => all.map((one) => ({ bgp: one })));
  const seen = { good: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(texts(1, 4), texts(0, 2), announce, async (addresses, exclude, announce) => {
      const spec = { addresses, exclude, announce };
      const told = await complaint(spec);
      expect(told !== "", told).toBe(validateIPPool(spec).length > 0);
      if (told === "") seen.good++;
      else seen.refused++;
      expect(told).not.toMatch(/evaluation|budget|cost|no such/);
    }),
    { numRuns: 60, endOnFailure: true },
  );
  expect(Math.min(seen.good, seen.refused)).toBeGreaterThan(3);
});

function masked(text: string, bits: number): string {
  const value = text.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const first = value - (value % 2 ** (32 - bits));
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".");
}

test("what a pool leaves out gets its default", async () => {
  const sent = {
    apiVersion: "heraldlb.io/v1alpha1",
    kind: "IPPool",
    metadata: { name: "short" },
    spec: { addresses: ["192.0.2.1"] },
  };
  await plane.kubectl(["create", "-f", "-"], JSON.stringify(sent));
  const stored = JSON.parse(await plane.kubectl(["get", "hpool", "short", "-o", "json"]));
  expect(stored.spec).toEqual(ipPools.keep(sent).spec);
});

test("a pool whose addresses stay as they are can be written, whatever is wrong with them", async () => {
  const addresses = spans(256);
  const sent = { apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name: "large" }, spec: { addresses } };
  await plane.kubectl(["create", "-f", "-"], JSON.stringify(sent));
  const status = JSON.stringify({ status: { ipv4: { total: 25_856, assigned: 1, available: 25_855 }, stranded: 0 } });
  await plane.kubectl(["patch", "hpool", "large", "--subresource=status", "--type=merge", "-p", status]);
  const overlap = JSON.stringify({ spec: { addresses: [...addresses.slice(1), "100.100.7.0/24"] } });
  await expect(plane.kubectl(["patch", "hpool", "large", "--type=merge", "-p", overlap])).rejects.toThrow("overlaps");
});

test("a Speaker with 10 000 claims is stored", async () => {
  const claims = Array.from({ length: 10_000 }, (_, at) => ({
    ip: `2001:db8:aaaa:bbbb:cccc:dddd:${(0x1000 + (at >> 8)).toString(16)}:${(0x1000 + (at & 255)).toString(16)}`,
    interface: "eth0",
    epoch: 0xffff_ffff_ffff_ffffn,
  }));
  const speaker = { apiVersion: "heraldlb.io/v1alpha1", kind: "Speaker", metadata: { name: "n1" } };
  await plane.kubectl(["create", "-f", "-"], JSON.stringify(speaker));
  const status = { version: "0.1.0", incarnation: "1", layer2: { claims: encodeClaims(claims) } };
  await plane.kubectl(
    ["apply", "--server-side", "--subresource=status", "-f", "-"],
    JSON.stringify({ ...speaker, status }),
  );
  const stored = JSON.parse(await plane.kubectl(["get", "hspeaker", "n1", "-o", "json"]));
  expect(decodeClaims(stored.status.layer2.claims)).toEqual(claims);
});

test("all that a Speaker shows is stored and read as it was written, and kubectl shows the main things", async () => {
  const speaker = { apiVersion: "heraldlb.io/v1alpha1", kind: "Speaker", metadata: { name: "n2" } };
  const state = { isolated: true, hearsNoBroadcast: false, helloBlocked: ["n3"], otherTimers: [], dropped: {} };
  const neighbours = (["Heard", "Dead"] as const).map((state, n) => ({
    node: `n${n + 3}`,
    state,
    lastHeardMs: 1_000,
    incarnation: 1n,
  }));
  const status = ownStatus({
    version: "0.1.0",
    interfaces: [
      {
        name: "eth0",
        mac: "02:00:00:00:00:02",
        addresses: ["192.0.2.12/24"],
        defaultRoute: true,
        linkLocal: "",
        gateways: [],
      },
    ],
    bgp: {
      status: {
        gobgpd: "Running",
        asn: 4_200_000_000,
        routerID: "192.0.2.12",
        sessions: "1/2",
        routes: 3,
        withdrawn: "Evacuated",
        peers: [
          {
            name: "a",
            address: "192.0.2.1",
            asn: 65001,
            state: "Established",
            since: "2026-01-01T00:00:00Z",
            holdTime: "9s",
            keepaliveTime: "3s",
            advertised: 3,
            accepted: 0,
            flaps: 1,
            bfd: "Up",
          },
          { name: "b", address: "eth1", asn: 65002, state: "Refused", lastError: "there is no Secret" },
        ],
      },
      conditions: [{ type: "SessionDown", status: "False", reason: "AllEstablished", message: "well" }],
    },
    segments: [
      {
        interface: "eth0",
        view: {
          ...state,
          starting: false,
          incarnation: 7n,
          neighbours,
          deputyFor: [{ node: "n3", addresses: 1 }],
          conflicts: [
            { ip: "192.0.2.7", mac: "02:00:00:00:00:ee", node: undefined, announced: false, sinceMs: 0 },
            { ip: "192.0.2.8", mac: "02:00:00:00:00:03", node: "n3", announced: true, sinceMs: 0 },
          ],
        },
        claims: claimMap([{ ip: "192.0.2.8", epoch: 3n, yielding: false }]),
      },
    ] as unknown as SegmentState[],
    claims: new OwnClaims(),
    recorded: undefined,
    before: undefined,
    wall: (ms) => ms,
    nowMs: Date.parse("2026-01-01T00:00:00Z"),
  });
  await plane.kubectl(["create", "-f", "-"], JSON.stringify(speaker));
  await plane.kubectl([
    "patch",
    "hspeaker",
    "n2",
    "--subresource=status",
    "--type=merge",
    "--patch",
    JSON.stringify({ status }),
  ]);
  const stored = speakers.keep(JSON.parse(await plane.kubectl(["get", "hspeaker", "n2", "-o", "json"])));
  expect(stored.status).toEqual(status);
  const [head = "", row = ""] = (await plane.kubectl(["get", "hspeaker", "n2"])).split("\n");
  expect(head.split(/ {2,}/).slice(0, 7)).toEqual([
    ...["NAME", "OWNED", "NEIGHBOURS", "SESSIONS", "HELLO BLOCKED", "ISOLATED", "CONFLICT"],
  ]);
  expect(row.split(/ +/).slice(0, 7)).toEqual(["n2", "1", "1", "1/2", "True", "True", "True"]);
});

test("kubectl says how full a pool is, and explains each field", async () => {
  const pool = { apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name: "columns" } };
  await plane.kubectl(["create", "-f", "-"], JSON.stringify({ ...pool, spec: { addresses: ["192.0.2.0/28"] } }));
  const condition = {
    type: "Ready",
    status: "True",
    reason: "Valid",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  const status = { ipv4: { total: 16, assigned: 3, available: 13 }, conditions: [condition] };
  await plane.kubectl(
    ["apply", "--server-side", "--subresource=status", "-f", "-"],
    JSON.stringify({ ...pool, status }),
  );
  const [head = "", row = ""] = (await plane.kubectl(["get", "hpool", "columns"])).split("\n");
  expect(head.split(/ {2,}/).slice(0, 4)).toEqual(["NAME", "READY", "IPV4 USED", "IPV4 TOTAL"]);
  expect(row.split(/ +/).slice(0, 4)).toEqual(["columns", "True", "3", "16"]);
  expect(await plane.kubectl(["explain", "hpool.spec.announce.layer2.interfaces"])).toContain(
    "Network interfaces to announce on",
  );
});
