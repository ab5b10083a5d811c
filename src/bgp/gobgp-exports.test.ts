import fc from "fast-check";
import { expect, test } from "vitest";
import { exportPolicies } from "../../test/cluster/gobgp-states.ts";
import { type AddressOf, exportsFrom, type HeldPolicies, renderExports } from "./gobgp-exports.ts";
import type { WireStatement } from "./gobgp-wire.ts";
import type { ExportPolicy } from "./model.ts";

const itself: AddressOf = (neighbor) => neighbor;
const EXPORT = "POLICY_DIRECTION_EXPORT";

/** What gobgpd holds once it has been told what was rendered. */
function held(exports: ExportPolicy, addressOf = itself): HeldPolicies {
  const { sets, policies } = renderExports(exports, addressOf);
  const assigned = policies.filter(({ name }) => name === "herald exports");
  return {
    sets,
    policies,
    assignments: [{ name: "global", direction: EXPORT, policies: assigned, default_action: "ROUTE_ACTION_REJECT" }],
  };
}

function statements(exports: ExportPolicy, addressOf = itself): readonly WireStatement[] {
  return renderExports(exports, addressOf).policies[0]?.statements ?? [];
}

const PLAIN = { communities: [], largeCommunities: [], localPref: undefined, med: undefined };

test("what was rendered is read back", () => {
  fc.assert(
    fc.property(exportPolicies, (exports) => {
      expect(exportsFrom(held(exports), itself)).toEqual(exports);
    }),
  );
});

test("statements go from the particular to the general, and only the last of all lets plain routes out", () => {
  const exports: ExportPolicy = {
    profiles: new Map([
      [12, new Map([["192.0.2.1", PLAIN]])],
      [
        3,
        new Map([
          ["2001:db8::1", { ...PLAIN, largeCommunities: ["1:2:3"] }],
          ["192.0.2.1", { ...PLAIN, med: 0 }],
        ]),
      ],
    ]),
    nextHops: new Map([["192.0.2.1", { IPv6: "none" }]]),
    foreign: false,
  };
  expect(statements(exports).map(({ name, actions }) => `${name}: ${actions.route_action.slice(13)}`)).toEqual([
    "next hop IPv6 192.0.2.1: REJECT",
    "profile 3 192.0.2.1: ACCEPT",
    "profile 3 2001:db8::1 large: UNSPECIFIED",
    "profile 3 2001:db8::1: ACCEPT",
    "profile 3: REJECT",
    "profile 12 192.0.2.1: ACCEPT",
    "profile 12: REJECT",
    "profile any: REJECT",
    "own: ACCEPT",
  ]);
});

test("no set of neighbors is ever empty, as gobgpd would match every neighbor by it", () => {
  fc.assert(
    fc.property(exportPolicies, (exports) => {
      const { sets } = renderExports(exports, (neighbor) => (neighbor.includes(":") ? undefined : neighbor));
      expect(sets.filter(({ list }) => list.length === 0)).toEqual([]);
    }),
  );
});

test("an unnumbered neighbor goes by its link-local address, and is left out while that is not known", () => {
  const exports: ExportPolicy = {
    profiles: new Map([[1, new Map([["eth1", PLAIN]])]]),
    nextHops: new Map(),
    foreign: false,
  };
  const addressOf: AddressOf = () => "fe80::1%eth1";
  expect(renderExports(exports, addressOf).sets[1]).toMatchObject({ name: "to eth1", list: ["fe80::1/128"] });
  expect(exportsFrom(held(exports, addressOf), addressOf)).toEqual(exports);
  const without = { ...exports, profiles: new Map([[1, new Map()]]) };
  expect(
    exportsFrom(
      held(exports, () => undefined),
      () => undefined,
    ),
  ).toEqual(without);
  expect(exportsFrom(held(exports, addressOf), () => "fe80::2%eth1")).toMatchObject({ foreign: true });
});

test.each<{ name: string; change: (held: HeldPolicies) => HeldPolicies }>([
  {
    name: "a policy more",
    change: (all) => ({ ...all, policies: [...all.policies, { name: "other", statements: [] }] }),
  },
  { name: "a policy less", change: (all) => ({ ...all, policies: all.policies.slice(1) }) },
  { name: "a set more", change: (all) => ({ ...all, sets: [...all.sets, { ...all.sets[0], name: "x" } as never] }) },
  { name: "no assignment", change: (all) => ({ ...all, assignments: [] }) },
  {
    name: "accepting by default",
    change: (all) => ({
      ...all,
      assignments: all.assignments.map((one) => ({ ...one, default_action: "ROUTE_ACTION_ACCEPT" })),
    }),
  },
  {
    name: "two statements that have changed places",
    change: (all) => ({
      ...all,
      policies: all.policies.map((one) => ({ ...one, statements: one.statements.toReversed() })),
    }),
  },
])("foreign: $name", ({ change }) => {
  const exports: ExportPolicy = {
    profiles: new Map([[1, new Map([["192.0.2.1", PLAIN]])]]),
    nextHops: new Map(),
    foreign: false,
  };
  expect(exportsFrom(held(exports), itself).foreign).toBe(false);
  expect(exportsFrom(change(held(exports)), itself).foreign).toBe(true);
});
