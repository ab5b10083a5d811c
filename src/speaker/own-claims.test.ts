import fc from "fast-check";
import { expect, test } from "vitest";
import { claimMap } from "../../test/unit/segment-state.ts";
import { encodeClaims } from "../api/claims.ts";
import { OwnClaims } from "./own-claims.ts";
import type { SegmentState } from "./segment-messages.ts";

const ip = fc.nat(30).map((n) => `192.0.2.${n}`);
const claim = fc.option(
  fc.record({ epoch: fc.bigInt(0n, 3n), yielding: fc.boolean(), tentative: fc.constantFrom(undefined, true) }),
  { nil: undefined },
);
const changes = fc.array(fc.tuple(ip, claim));
const whole = (claims: SegmentState["claims"]) =>
  encodeClaims(
    [...claims.values()].filter(({ tentative }) => !tentative).map((one) => ({ ...one, interface: "eth0" })),
  );

test("however claims came about, they are shown as if all were written at once", () =>
  fc.assert(
    fc.property(fc.array(changes), (steps) => {
      const own = new OwnClaims();
      let claims = claimMap([]);
      for (const step of steps) {
        claims = claims.with(step.map(([ip, value]) => [ip, value && { ip, ...value }]));
        const { interface: name, ips } = own.of({ interface: "eth0", claims });
        expect({ name, ips }).toEqual({ name: "eth0", ips: whole(claims)[0]?.ips ?? [] });
      }
    }),
  ));

test("what did not change is the same object, by interface", () => {
  const own = new OwnClaims();
  const claims = claimMap([{ ip: "192.0.2.1", epoch: 1n, yielding: false }]);
  const first = own.of({ interface: "eth0", claims });
  expect(own.of({ interface: "eth1", claims: claimMap([]) })).toEqual({ interface: "eth1", ips: [] });
  expect(own.of({ interface: "eth0", claims })).toBe(first);
});
