import fc from "fast-check";
import { expect, test } from "vitest";
import { routes } from "../../test/cluster/gobgp-states.ts";
import { routeFrom, wirePath } from "./gobgp-route.ts";
import type { WireAttribute, WirePath } from "./gobgp-wire.ts";

const PATH = wirePath({
  prefix: "192.0.2.1/32",
  communities: [],
  largeCommunities: [],
  localPref: undefined,
  med: undefined,
  profile: undefined,
});

test("what was added is read back", () => {
  fc.assert(
    fc.property(routes, (route) => {
      expect(routeFrom({ prefix: route.prefix, paths: [wirePath(route)] })).toEqual(route);
    }),
  );
});

test("a path that a peer sent is no route of the node", () => {
  expect(routeFrom({ prefix: "192.0.2.1/32", paths: [{ ...PATH, neighbor_ip: "192.0.2.9" }] })).toBeUndefined();
});

test.each<{ name: string; attribute: WireAttribute }>([
  { name: "a next hop of its own", attribute: { next_hop: { next_hop: "192.0.2.9" } } },
  { name: "another origin", attribute: { origin: { origin: 2 } } },
  { name: "an attribute that Herald has no word for", attribute: {} },
])("a path with $name is like none that can be wanted", ({ attribute }) => {
  const path: WirePath = { ...PATH, pattrs: [...PATH.pattrs, attribute] };
  expect(routeFrom({ prefix: "192.0.2.1/32", paths: [path] })).toMatchObject({ profile: -1 });
});
