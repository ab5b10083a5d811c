import { expect, test } from "vitest";
import {
  annotate,
  assigned,
  createNamespace,
  createPool,
  createService,
  editPool,
  ips,
  namespace,
  patchService,
  removeService,
  restartController,
  type ServiceFields,
  SIGHT,
  settled,
  trail,
  until,
  untilIPs,
  untilReason,
  useWorld,
} from "./contract-world.ts";

/** Services that have one address, in both directions of time: who may join, and who leaves when they can't any more. */

useWorld();

const KEYED = { "heraldlb.io/sharing-key": "k" };
const onPort = (port: number, more: ServiceFields = {}) => ({
  ...more,
  ports: [{ port }],
  annotations: { ...KEYED, ...more.annotations },
});
const LOCAL = { externalTrafficPolicy: "Local", selector: { app: "web" } };

test("Services with a key join its address wherever they can, and else take a free one", async () => {
  await createPool("p", ["192.0.2.10-192.0.2.19"]);
  await createPool("q", ["198.51.100.10-198.51.100.19"], { priority: -1 });
  await createService("a", onPort(80, { annotations: { "heraldlb.io/pool": "q" } }));
  await untilIPs("a", "198.51.100.10");
  await createService("joins", onPort(443));
  await untilIPs("joins", "198.51.100.10");
  await createService("same-number", { ports: [{ port: 80, protocol: "UDP" }], annotations: KEYED });
  await untilIPs("same-number", "198.51.100.10");
  await createService("clashes", onPort(80));
  await untilIPs("clashes", "192.0.2.10");
  await createService("keyless", { ports: [{ port: 8080 }] });
  await untilIPs("keyless", "192.0.2.11");
  await createService("other-key", onPort(8081, { annotations: { "heraldlb.io/sharing-key": "other" } }));
  await untilIPs("other-key", "192.0.2.12");
  // Not of the first's address now, but of the second's.
  await createService("another", onPort(443));
  await untilIPs("another", "192.0.2.10");
  await restartController();
  await settled();
  expect(
    ["a", "joins", "same-number", "clashes", "keyless", "other-key", "another"].map((name) => trail(name).length),
  ).toEqual(Array(7).fill(2));
});

test("a shared address is free when the last that shares it is gone", async () => {
  await createPool("p", ["192.0.2.10"]);
  for (const [at, name] of ["a", "b", "c"].entries()) {
    await createService(name, onPort(80 + at));
    await untilIPs(name, "192.0.2.10");
  }
  await createService("next");
  await untilReason("next", "PoolExhausted");
  await removeService("a");
  await removeService("b");
  await restartController();
  await settled();
  expect([ips("c"), ips("next")]).toEqual(["192.0.2.10", ""]);
  await removeService("c");
  await untilIPs("next", "192.0.2.10");
});

test.each([
  { clash: "no key", holder: { ports: [{ port: 80 }] }, seeker: onPort(81), says: ["sharing-key"] },
  {
    clash: "another key",
    holder: onPort(80),
    seeker: onPort(81, { annotations: { "heraldlb.io/sharing-key": "x" } }),
    says: ['"x"', "same heraldlb.io/sharing-key"],
  },
  { clash: "a port", holder: onPort(80), seeker: onPort(80), says: ["TCP/80", "change the port"] },
  { clash: "the policies", holder: onPort(80), seeker: onPort(81, LOCAL), says: ["externalTrafficPolicy", "Cluster"] },
  {
    clash: "other selectors",
    holder: onPort(80, LOCAL),
    seeker: onPort(81, { ...LOCAL, selector: { app: "x" } }),
    says: ["spec.selector"],
  },
  {
    clash: "no selector",
    holder: onPort(80, { ...LOCAL, selector: {} }),
    seeker: onPort(81, { ...LOCAL, selector: {} }),
    says: ["spec.selector"],
  },
])("$clash: who asks for the address is refused, and joins once mended", async ({ holder, seeker, says }) => {
  await createPool("p", ["192.0.2.10-192.0.2.19"]);
  await createService("holder", holder);
  await untilIPs("holder", "192.0.2.10");
  const annotations = { ...seeker.annotations, "heraldlb.io/ips": "192.0.2.10" };
  await createService("seeker", { ...seeker, annotations });
  const message = assigned(await untilReason("seeker", "SharingRefused"))?.message;
  for (const part of ["192.0.2.10", `${namespace}/holder`, ...says]) expect(message).toContain(part);
  await patchService("seeker", {
    spec: { ports: [{ port: 8080, protocol: "TCP" }], externalTrafficPolicy: "Cluster" },
    metadata: { annotations: KEYED },
  });
  await patchService("holder", { spec: { externalTrafficPolicy: "Cluster" }, metadata: { annotations: KEYED } });
  await untilIPs("seeker", "192.0.2.10");
  expect([trail("holder"), trail("seeker")]).toEqual([
    ["", "192.0.2.10"],
    ["", "192.0.2.10"],
  ]);
});

test("Services of two namespaces share where both say so", async () => {
  const other = `${namespace}-other`;
  await createNamespace(other);
  await createPool("p", ["192.0.2.10-192.0.2.19"]);
  await createService("a", onPort(80));
  await untilIPs("a", "192.0.2.10");
  const consent = { "heraldlb.io/sharing-namespaces": ` x, ${namespace} ` };
  await createService(`${other}/b`, onPort(81, { annotations: { ...consent, "heraldlb.io/ips": "192.0.2.10" } }));
  const message = assigned(await untilReason(`${other}/b`, "SharingRefused"))?.message;
  expect(message).toContain("heraldlb.io/sharing-namespaces on both");
  await annotate("a", { "sharing-namespaces": "*" });
  await untilIPs(`${other}/b`, "192.0.2.10");
  expect(trail("a")).toEqual(["", "192.0.2.10"]);
});

interface Clashing {
  readonly change: string;
  /** What both have from the beginning. */
  readonly both?: ServiceFields;
  /** `key` is the one that they share. */
  readonly to: (key: string) => object;
  readonly back: (key: string) => object;
}

const keyed = (key: string | null) => ({ metadata: { annotations: { "heraldlb.io/sharing-key": key } } });
const consenting = (to: string) => ({ metadata: { annotations: { "heraldlb.io/sharing-namespaces": to } } });
const ports = (...numbers: readonly number[]) => ({
  spec: { ports: numbers.map((port) => ({ name: `n${port}`, port, protocol: "TCP" })) },
});

/** What makes two Services that share an address clash, be it done to the first or to the one that joined later. */
const CHANGES: readonly Clashing[] = [
  { change: "port", to: () => ports(80, 81), back: () => ports(82) },
  { change: "key", to: (key) => keyed(`${key}-x`), back: keyed },
  { change: "no key", to: () => keyed(null), back: keyed },
  {
    change: "policy",
    to: () => ({ spec: { externalTrafficPolicy: "Local" } }),
    back: () => ({ spec: { externalTrafficPolicy: "Cluster" } }),
  },
  {
    change: "selector",
    both: LOCAL,
    to: () => ({ spec: { selector: { app: "x" } } }),
    back: () => ({ spec: { selector: { app: "web" } } }),
  },
  {
    change: "consent",
    both: consenting("*").metadata,
    to: () => consenting("nobody"),
    back: () => consenting("*"),
  },
];

test.each(SIGHT)("a change $sight that makes two clash costs the later joiner the address", async ({ during }) => {
  const other = `${namespace}-later`;
  await createNamespace(other);
  await createPool("p", ["192.0.2.0/24"]);
  const pairs = CHANGES.flatMap((one, at) =>
    [0, 1].map((whose) => {
      const key = `k${at}-${whose}`;
      const later = one.change === "consent" ? `${other}/${key}-later` : `${key}-later`;
      const names = [`${key}-first`, later] as const;
      return { ...one, key, names, changed: names[whose] ?? later, ip: `192.0.2.${10 * at + whose + 100}` };
    }),
  );
  for (const { names, both, key, ip } of pairs) {
    const annotations = { ...both?.annotations, "heraldlb.io/sharing-key": key, "heraldlb.io/ips": ip };
    for (const [at, name] of names.entries()) {
      await createService(name, onPort(80 + at, { ...both, annotations }));
      await untilIPs(name, ip);
      await annotate(name, { ips: null });
    }
  }
  await during(async () => {
    for (const { changed, to, key } of pairs) await patchService(changed, to(key));
  });
  for (const { names, ip } of pairs)
    await until(names[1], (one) => ips(names[1]) !== ip && assigned(one)?.status === "True");
  const trails = pairs.map(({ names }) => names.map(trail));
  expect(trails).toEqual(
    pairs.map(({ ip }) => [
      ["", ip],
      ["", ip, expect.stringMatching(/^192\.0\.2\.\d+$/)],
    ]),
  );
  expect(new Set(trails.map(([, later]) => later?.at(-1))).size).toBe(pairs.length);
  for (const { changed, back, key } of pairs) await patchService(changed, back(key));
  await settled();
  await restartController();
  await settled();
  expect(pairs.map(({ names }) => names.map(trail))).toEqual(trails);
});

test("a later joiner that can't be served anew waits, and a pool that grows serves it", async () => {
  await createPool("p", ["192.0.2.10"]);
  await createService("a", onPort(80));
  await untilIPs("a", "192.0.2.10");
  await createService("b", onPort(81));
  await untilIPs("b", "192.0.2.10");
  await patchService("a", { spec: { ports: [{ port: 81, protocol: "TCP" }] } });
  const refused = await untilReason("b", "PoolExhausted");
  expect([ips("a"), ips("b")]).toEqual(["192.0.2.10", ""]);
  expect(assigned(refused)?.message).toContain(
    `192.0.2.10 can't be shared with Service ${namespace}/a, which has port TCP/81 too; add addresses to a pool, change the port`,
  );
  await editPool("p", { addresses: ["192.0.2.10-192.0.2.11"] });
  await untilIPs("b", "192.0.2.11");
  expect([trail("a"), trail("b")]).toEqual([
    ["", "192.0.2.10"],
    ["", "192.0.2.10", "", "192.0.2.11"],
  ]);
});
