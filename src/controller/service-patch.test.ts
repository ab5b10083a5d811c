import fc from "fast-check";
import { expect, test } from "vitest";
import type { Service } from "../api/objects.ts";
import { type IP, parseIP } from "../ipam/addresses.ts";
import { services } from "../kube/resource.ts";
import { forgetPatch, leavingPatch, servicePatch, type Told } from "./service-patch.ts";

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

const held: Extract<Told, { state: "Assigned" }> = {
  state: "Assigned",
  assignment: { pool: "p", ips: [ip("192.0.2.1"), ip("2001:db8::1")], at: NOW },
  reassigned: false,
};
const exhausted = {
  reason: "PoolExhausted",
  tried: [{ pool: "p", why: "Lacks", without: [], exhausted: ["IPv4"] }],
} as const;
const waiting: Told = { state: "Waiting", verdict: exhausted, reassigned: false };
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

test("a Service that is being deleted and has lost its address says so no more, and keeps what is not Herald's", () => {
  const status = { loadBalancer: { ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }, { ip: "198.51.100.1" }] } };
  const annotations = { "heraldlb.io/assigned-pool": "p", "heraldlb.io/assigned-ips": "192.0.2.1" };
  const lost = service({ metadata: { annotations }, status });
  expect(leavingPatch(lost, options)).toEqual({
    metadata: { annotations: { "heraldlb.io/assigned-pool": null, "heraldlb.io/assigned-ips": null } },
    status: { loadBalancer: { ingress: [{ ip: "198.51.100.1" }] } },
  });
  expect(leavingPatch(service(), options)).toBeUndefined();
});

test("who waits for a second family keeps the first", () => {
  const keeps = { pool: "p", ips: [ip("192.0.2.1")], at: NOW };
  const patch = servicePatch(service(), { state: "Waiting", verdict: exhausted, keeps, reassigned: false }, options);
  expect(patch?.status?.loadBalancer?.ingress).toEqual([{ ip: "192.0.2.1", ipMode: "VIP" }]);
  expect(patch?.status?.conditions?.[0]).toMatchObject({
    status: "False",
    reason: "PoolExhausted",
    message: expect.stringMatching(/^keeps 192\.0\.2\.1 from pool "p", and waits: no pool can give/),
  });
});

const stranded = { pool: "p", ips: [ip("192.0.2.1")], why: "Excluded" as const };

test("who is stranded has a condition that says so, only as long as that lasts", () => {
  const before = merge(held, { stranded }) as Told;
  const patch = servicePatch(service(), before, options);
  expect(patch?.status?.conditions).toEqual([
    expect.objectContaining({ type: "heraldlb.io/Assigned", status: "True" }),
    {
      type: "heraldlb.io/Stranded",
      status: "True",
      reason: "Excluded",
      message: expect.stringContaining('192.0.2.1, which is excluded from pool "p"'),
      lastTransitionTime: "2026-01-02T03:04:05Z",
    },
  ]);
  const after = service(patch as Json);
  expect(servicePatch(after, before, options)).toBeUndefined();
  expect(servicePatch(after, held, options)).toEqual({
    status: { conditions: [expect.objectContaining({ type: "heraldlb.io/Assigned" })] },
  });
});

test("the wish to be served anew goes in the same write as the new address", () => {
  const wishing = service({ metadata: { annotations: { "heraldlb.io/reassign": "true" } } });
  const { metadata, status } = servicePatch(wishing, { ...held, reassigned: true }, options) ?? {};
  expect(metadata?.annotations).toMatchObject({ "heraldlb.io/assigned-pool": "p", "heraldlb.io/reassign": null });
  expect(status?.loadBalancer?.ingress).toHaveLength(2);
});

test("the wish stays while nothing fits, and one that was fulfilled goes although the address is the same", () => {
  const has = merge(
    { metadata: { annotations: { "heraldlb.io/reassign": "true" } } },
    servicePatch(service(), held, options),
  );
  expect(servicePatch(service(has as Json), { ...held, reassigned: true }, options)).toEqual({
    metadata: { annotations: { "heraldlb.io/reassign": null } },
  });
  const waits: Told = { state: "Waiting", verdict: exhausted, keeps: held.assignment, reassigned: false };
  expect(servicePatch(service(has as Json), waits, options)?.metadata).toBeUndefined();
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

test("who waits keeps a record that asks for an address, and loses that of an address that it had", () => {
  const annotations = { "heraldlb.io/assigned-pool": "p", "heraldlb.io/assigned-ips": "192.0.2.1" };
  const restored = service({ metadata: { annotations } });
  expect(servicePatch(restored, waiting, options)?.metadata).toBeUndefined();
  const ingress = [{ ip: "192.0.2.1", ipMode: "VIP" }];
  const ousted = service({ metadata: { annotations }, status: { loadBalancer: { ingress } } });
  expect(servicePatch(ousted, waiting, options)).toMatchObject({
    metadata: { annotations: { "heraldlb.io/assigned-pool": null, "heraldlb.io/assigned-ips": null } },
    status: { loadBalancer: { ingress: null } },
  });
});

test("a Service that is no longer served loses record and conditions, the speakers' too, and nothing else", () => {
  const assigned = merge({}, servicePatch(service(), { ...held, stranded }, options)) as {
    status: { conditions: unknown[] };
  };
  const before = merge(assigned, {
    status: { conditions: [ready, ...assigned.status.conditions, { type: "heraldlb.io/Announced", status: "True" }] },
  });
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
    fc.constantFrom(
      ...["heraldlb.io/assigned-pool", "heraldlb.io/assigned-ips", "heraldlb.io/assigned-at"],
      ...["heraldlb.io/reassign", "other"],
    ),
    texts,
  );
  const ingress = fc.array(fc.record({ ip: texts, hostname: texts, ipMode: texts }, { requiredKeys: [] }), {
    maxLength: 3,
  });
  const condition = fc.record({
    type: fc.constantFrom("heraldlb.io/Assigned", "heraldlb.io/Stranded", "example.com/Ready"),
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
      fc.constantFrom<Told>(held, waiting, { ...held, stranded }, { ...held, reassigned: true }),
      (annotations, ingress, conditions, outcome) => {
        const raw = { metadata: { annotations }, status: { loadBalancer: { ingress }, conditions } };
        const patch = servicePatch(service(raw), outcome, options);
        const after = service((patch ? merge(raw, patch) : raw) as Json);
        expect(servicePatch(after, outcome, { ...options, now: NOW + 1000 })).toBeUndefined();
      },
    ),
  );
});
