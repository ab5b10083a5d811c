import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeClaims, encodeClaims } from "../../src/api/claims.ts";
import { validateIPPool } from "../../src/ipam/validate-ippool.ts";
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
    says: "has host bits set; write the first",
    offline: "write 192.0.2.0/28, or 192.0.2.9 for that address alone",
  },
  {
    name: "IPv6 host bits",
    entry: "2001:db8::1/64",
    says: "has host bits set; write the first",
    offline: "write 2001:db8::/64, or 2001:db8::1 for that address alone",
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
    name: "an announcement of no kind",
    spec: { addresses: ["192.0.2.1"], announce: [{}] },
    says: "spec.announce[0].layer2",
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

test("256 entries of the longest kind fit the API server's budget", async () => {
  const hex = (n: number) => n.toString(16).padStart(4, "0");
  const addresses = Array.from({ length: 256 }, (_, at) => {
    const start = `2001:0db8:0000:0000:0000:0000:${hex(at)}`;
    return `${start}:0000 - ${start}:ffff`;
  });
  expect(await complaint({ addresses })).toBe("");
});

test("what a pool leaves out gets its default", async () => {
  const pool = {
    apiVersion: "heraldlb.io/v1alpha1",
    kind: "IPPool",
    metadata: { name: "short" },
    spec: { addresses: ["192.0.2.1"] },
  };
  await plane.kubectl(["create", "-f", "-"], JSON.stringify(pool));
  const stored = JSON.parse(await plane.kubectl(["get", "hpool", "short", "-o", "json"]));
  expect(stored.spec).toEqual({ addresses: ["192.0.2.1"], autoAssign: true, announce: [{ layer2: {} }] });
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
    "Names of the network interfaces",
  );
});
