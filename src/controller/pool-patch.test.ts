import { expect, test } from "vitest";
import type { IPPool } from "../api/ippool.ts";
import { Pool } from "../ipam/pool.ts";
import { ipPools } from "../kube/herald-resources.ts";
import { poolPatch } from "./pool-patch.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");

function object(addresses: string[], status: object = {}): IPPool {
  return ipPools.keep({ metadata: { name: "p", generation: 3 }, spec: { addresses }, status });
}

test("a new pool gets its counts and the condition Ready", () => {
  const fresh = object(["192.0.2.0/30", "2001:db8::/64"]);
  const pool = new Pool("p", fresh.spec);
  const patch = poolPatch(fresh, pool, NOW);
  expect(patch).toEqual({
    status: {
      ipv4: { total: 4, assigned: 0, available: 4 },
      ipv6: { total: Number.MAX_SAFE_INTEGER, assigned: 0, available: Number.MAX_SAFE_INTEGER },
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "Valid",
          message: "addresses are given out",
          observedGeneration: 3,
          lastTransitionTime: "2026-01-02T03:04:05Z",
        },
      ],
    },
  });
  expect(poolPatch(object(["192.0.2.0/30", "2001:db8::/64"], patch?.status), pool, NOW + 5000)).toBeUndefined();
});

test("a pool with a bad entry is not Ready, names it, and has nothing to give", () => {
  const bad = object(["192.0.2.0/30", "192.0.2.3"]);
  const patch = poolPatch(bad, new Pool("p", bad.spec), NOW);
  expect(patch?.status).toMatchObject({
    ipv4: { total: 0, assigned: 0, available: 0 },
    conditions: [
      {
        status: "False",
        reason: "InvalidAddresses",
        message:
          'spec.addresses[1] "192.0.2.3" overlaps spec.addresses[0] "192.0.2.0/30"; keep each address in one entry only',
      },
    ],
  });
});
