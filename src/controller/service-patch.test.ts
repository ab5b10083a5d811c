import fc from "fast-check";
import { expect, test } from "vitest";
import type { Service } from "../api/objects.ts";
import type { Outcome } from "../ipam/address-book.ts";
import { type IP, parseIP } from "../ipam/addresses.ts";
import { services } from "../kube/resource.ts";
import { demandOf, isOurs } from "./demand.ts";
import { forgetPatch, servicePatch } from "./service-patch.ts";

const NOW = Date.parse("2026-01-02T03:04:05.678Z");
const options = { inPool: (ip: string) => ip.startsWith("192.0.2."), now: NOW };

function ip(text: string): IP {
  const parsed = parseIP(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

type Json = { readonly [key: string]: unknown };

function service(more: Json = {}): Service {
  const metadata = {
    namespace: "n",
    name: "s",
    uid: "u",
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
  const spec = { type: "LoadBalancer", ipFamilies: ["IPv4"] };
  return services.keep(merge({ metadata, spec }, more));
}

/** Applies a merge patch (RFC 7386 section 2). */
function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const held: Outcome = {
  state: "Assigned",
  assignment: { pool: "p", ips: [ip("192.0.2.1"), ip("2001:db8::1")], at: NOW },
};
const exhausted = {
  reason: "PoolExhausted",
  tried: [{ pool: "p", why: "Lacks", without: [], exhausted: ["IPv4"] }],
} as const;
const waiting: Outcome = { state: "Waiting", verdict: exhausted };
const ready = {
  type: "example.com/Ready",
  status: "True",
  reason: "Fine",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};

test("an assignment is status, record and condition in one patch", () => {
  expect(servicePatch(service(), held, options)).toEqual({
    metadata: {
      annotations: {
        "heraldlb.io/assigned-pool": "p",
        "heraldlb.io/assigned-ips": "192.0.2.1,2001:db8::1",
        "heraldlb.io/assigned-at": "2026-01-02T03:04:05.678Z",
      },
    },
    status: {
      loadBalancer: {
        ingress: [
          { ip: "192.0.2.1", ipMode: "VIP" },
          { ip: "2001:db8::1", ipMode: "VIP" },
        ],
      },
      conditions: [
        {
          type: "heraldlb.io/Assigned",
          status: "True",
          reason: "Assigned",
          message: '192.0.2.1 and 2001:db8::1 from pool "p"',
          lastTransitionTime: "2026-01-02T03:04:05Z",
        },
      ],
    },
  });
});

test("who waits for a second family keeps the first", () => {
  const keeps = { pool: "p", ips: [ip("192.0.2.1")], at: NOW };
  const patch = servicePatch(service(), { state: "Waiting", verdict: exhausted, keeps }, options);
  expect(patch?.status?.loadBalancer?.ingress).toEqual([{ ip: "192.0.2.1", ipMode: "VIP" }]);
  expect(patch?.status?.conditions?.[0]).toMatchObject({
    status: "False",
    reason: "PoolExhausted",
    message: expect.stringMatching(/^keeps 192\.0\.2\.1 from pool "p", and waits for more: no pool can give/),
  });
});

test("other conditions stay, and a reason that changes alone is no transition", () => {
  const ours = { ...ready, type: "heraldlb.io/Assigned", status: "False", reason: "NoPool" };
  const patch = servicePatch(service({ status: { conditions: [ours, ready] } }), waiting, options);
  expect(patch?.status?.conditions).toEqual([
    expect.objectContaining({ reason: "PoolExhausted", lastTransitionTime: ours.lastTransitionTime }),
    ready,
  ]);
});

test.each([
  { name: "an address that Herald had noted", ingress: [{ ip: "203.0.113.1" }], noted: "203.0.113.1", left: null },
  { name: "an address of a pool", ingress: [{ ip: "192.0.2.9" }], noted: "", left: null },
  { name: "a cloud's address", ingress: [{ ip: "203.0.113.1" }], noted: "", left: undefined },
  {
    name: "a cloud's name and a pool's address",
    ingress: [{ hostname: "a.example" }, { ip: "192.0.2.9" }],
    noted: "",
    left: [{ hostname: "a.example" }],
  },
])("of the status of one that waits, $name leaves $left", ({ ingress, noted, left }) => {
  const annotations = noted ? { "heraldlb.io/assigned-ips": noted } : {};
  const patch = servicePatch(
    service({ metadata: { annotations }, status: { loadBalancer: { ingress } } }),
    waiting,
    options,
  );
  expect(patch?.status?.loadBalancer?.ingress).toEqual(left);
});

test("who waits keeps the record of an address that no pool has yet, and loses that of another's", () => {
  const noted = (ips: string) =>
    service({ metadata: { annotations: { "heraldlb.io/assigned-pool": "p", "heraldlb.io/assigned-ips": ips } } });
  expect(servicePatch(noted("203.0.113.1"), waiting, options)?.metadata).toBeUndefined();
  expect(servicePatch(noted("192.0.2.1"), waiting, options)?.metadata?.annotations).toEqual({
    "heraldlb.io/assigned-pool": null,
    "heraldlb.io/assigned-ips": null,
  });
});

test("a Service that is no longer served loses record and condition, and nothing else", () => {
  const assigned = merge({}, servicePatch(service(), held, options)) as { status: { conditions: unknown[] } };
  const before = merge(assigned, { status: { conditions: [ready, ...assigned.status.conditions] } });
  expect(forgetPatch(service(before as Json))).toEqual({
    metadata: {
      annotations: {
        "heraldlb.io/assigned-pool": null,
        "heraldlb.io/assigned-ips": null,
        "heraldlb.io/assigned-at": null,
      },
    },
    status: { conditions: [ready] },
  });
  expect(forgetPatch(service({ status: { conditions: [ready] } }))).toBeUndefined();
});

test("what a patch has written needs no second one, whatever was there", () => {
  const texts = fc.constantFrom("", "p", "192.0.2.1", "192.0.2.9,10.0.0.1", "2026-01-01T00:00:00Z", "nonsense");
  const annotations = fc.dictionary(
    fc.constantFrom("heraldlb.io/assigned-pool", "heraldlb.io/assigned-ips", "heraldlb.io/assigned-at", "other"),
    texts,
  );
  const ingress = fc.array(fc.record({ ip: texts, hostname: texts, ipMode: texts }, { requiredKeys: [] }), {
    maxLength: 3,
  });
  const condition = fc.record({
    type: fc.constantFrom("heraldlb.io/Assigned", "example.com/Ready"),
    status: fc.constantFrom("True", "False", "Unknown"),
    reason: texts,
    message: texts,
    lastTransitionTime: texts,
  });
  const conditions = fc.uniqueArray(condition, { selector: ({ type }) => type });
  fc.assert(
    fc.property(
      annotations,
      ingress,
      conditions,
      fc.constantFrom(held, waiting),
      (annotations, ingress, conditions, outcome) => {
        const raw = { metadata: { annotations }, status: { loadBalancer: { ingress }, conditions } };
        const patch = servicePatch(service(raw), outcome, options);
        const after = service((patch ? merge(raw, patch) : raw) as Json);
        expect(servicePatch(after, outcome, { ...options, now: NOW + 1000 })).toBeUndefined();
      },
    ),
  );
});

test.each([
  { name: "of Herald's class", spec: { loadBalancerClass: "heraldlb.io/herald" }, ours: true, classOnly: true },
  { name: "of no class", spec: {}, ours: true, classOnly: false },
  { name: "of another class", spec: { loadBalancerClass: "example.com/x" }, ours: false, classOnly: false },
  {
    name: "of another type",
    spec: { type: "NodePort", loadBalancerClass: "heraldlb.io/herald" },
    ours: false,
    classOnly: false,
  },
])("a Service $name: $ours, with class-only $classOnly", ({ spec, ours, classOnly }) => {
  expect([isOurs(service({ spec }), false), isOurs(service({ spec }), true)]).toEqual([ours, classOnly]);
});

test.each([
  { name: "whole", noted: ["p", "192.0.2.1,2001:db8::1", "2026-01-01T00:00:00Z"], want: ["p", 2] },
  { name: "with blanks", noted: ["p", " 192.0.2.1 , x", "2026-01-01T00:00:00Z"], want: ["p", 1] },
  { name: "without a pool", noted: ["", "192.0.2.1", "2026-01-01T00:00:00Z"], want: undefined },
  { name: "without a time", noted: ["p", "192.0.2.1", "yesterday"], want: undefined },
  { name: "without an address", noted: ["p", "010.0.0.1,::ffff:1.2.3.4", "2026-01-01T00:00:00Z"], want: undefined },
])("a record $name is read as $want", ({ noted: [pool, ips, at], want }) => {
  const annotations = {
    "heraldlb.io/assigned-pool": pool,
    "heraldlb.io/assigned-ips": ips,
    "heraldlb.io/assigned-at": at,
  };
  const { record } = demandOf(service({ metadata: { annotations } }));
  expect(record && [record.pool, record.ips.length]).toEqual(want);
});
