import fc from "fast-check";
import { expect, test } from "vitest";
import type { Node } from "../api/objects.ts";
import type { Serving } from "../election/candidates.ts";
import { type IP, parseIP } from "../ipam/addresses.ts";
import { parseSubnet, type Range } from "../ipam/ranges.ts";
import type { NodeInterface } from "./choose-interfaces.ts";
import { type AnnouncingPool, Intents } from "./intent.ts";

const NODES = ["n1", "n2", "n3"];
const SUBNETS = ["192.0.2.0/24", "192.0.2.0/25", "198.51.100.0/24", "::/64"].map((cidr) => parseSubnet(cidr) as Range);
const IPS = ["192.0.2.5", "192.0.2.200", "198.51.100.5", "10.0.0.1", "::c000:205"].map((text) => parseIP(text) as IP);
const POOLS: readonly AnnouncingPool[] = [
  { name: "all", layer2: [{}] },
  { name: "named", layer2: [{ interfaces: ["eth1"] }] },
  { name: "some", layer2: [{ nodeSelector: { matchLabels: { rack: "a" } } }, { interfaces: ["/eth./"] }] },
  { name: "none", layer2: [] },
];

const someNode = fc.record({
  rack: fc.constantFrom("a", "b"),
  networkUnavailable: fc.boolean(),
  interfaces: fc.array(fc.record({ subnets: fc.subarray(SUBNETS), defaultRoute: fc.boolean() }), { maxLength: 3 }),
});
const serving = fc.oneof(
  fc.constantFrom<Serving>("NoNode", "EveryNode"),
  fc.subarray(NODES, { minLength: 1 }).map((nodes): Serving => nodes),
);

test("an IP that shares its intent with others has the one that it has alone", () => {
  fc.assert(
    fc.property(
      fc.array(someNode, { minLength: NODES.length, maxLength: NODES.length }),
      fc.array(fc.tuple(fc.constantFrom(...IPS), fc.constantFrom(...POOLS), serving), { maxLength: 20 }),
      (described, asked) => {
        const nodes = described.map(({ rack, networkUnavailable }, index): Node => {
          const name = NODES[index] as string;
          const meta = {
            namespace: "",
            name,
            uid: name,
            resourceVersion: "1",
            createdAt: 0,
            deleting: false,
            annotations: {},
            finalizers: [],
          };
          return { meta: { ...meta, labels: { rack } }, unschedulable: false, networkUnavailable, internalIPs: [] };
        });
        const interfaces = new Map(
          described.map(({ interfaces: some }, index): [string, NodeInterface[]] => [
            NODES[index] as string,
            some.map((one, at) => ({ name: `eth${at}`, ...one })),
          ]),
        );
        const shared = new Intents("n1", nodes, interfaces);
        for (const [ip, pool, nodesThatServe] of asked)
          expect(shared.of(ip, pool, nodesThatServe)).toEqual(
            new Intents("n1", nodes, interfaces).of(ip, pool, nodesThatServe),
          );
      },
    ),
  );
});
