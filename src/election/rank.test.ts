import fc from "fast-check";
import { expect, test } from "vitest";
import { rank } from "./rank.ts";
import { nodeHash, rendezvousHash } from "./rendezvous-hash.ts";

const candidates = fc.uniqueArray(
  fc.record({ node: fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), score: fc.integer({ min: 0, max: 3 }) }),
  { minLength: 1, maxLength: 8, selector: ({ node }) => node },
);
const IPS = Array.from({ length: 4000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

test.each([
  { node: "n1", ip: "192.0.2.10", want: 545_670_712 },
  { node: "worker-1.example.com", ip: "192.0.2.10", want: 168_810_749 },
  { node: "n1", ip: "2001:db8::1", want: 2_913_582_245 },
])("the hash of $node for $ip never changes: docs/wire.md has it", ({ node, ip, want }) =>
  expect(rendezvousHash(node, ip)).toBe(want),
);

test("the hash of a node's name never changes", () => expect(nodeHash("n1")).toBe(2_855_225_089));

test("a node's death moves its own IPs alone", () => {
  fc.assert(
    fc.property(candidates, fc.ipV4(), fc.nat(), (all, ip, n) => {
      const dead = all[n % all.length];
      expect(
        rank(
          all.filter((one) => one !== dead),
          ip,
        ),
      ).toEqual(rank(all, ip).filter((one) => one !== dead));
    }),
  );
});

test("the order in which candidates come does not matter, and preference comes first", () => {
  fc.assert(
    fc.property(candidates, fc.ipV4(), (all, ip) => {
      const ranked = rank(all, ip);
      expect(rank(all.toReversed(), ip)).toEqual(ranked);
      expect(ranked.map(({ score }) => score)).toEqual(all.map(({ score }) => score).sort((a, b) => b - a));
    }),
  );
});

test.each([2, 3, 5, 20])("the IPs are spread evenly over %d nodes, and a dead node's over those left", (count) => {
  const nodes = Array.from({ length: count }, (_, i) => ({ node: `node-${i}`, score: 0 }));
  for (const index of [0, 1]) {
    const wins = new Map<string, number>();
    for (const ip of IPS) {
      const winner = rank(nodes, ip)[index]?.node ?? "";
      wins.set(winner, (wins.get(winner) ?? 0) + 1);
    }
    const fair = IPS.length / count;
    for (const { node } of nodes) expect(Math.abs((wins.get(node) ?? 0) - fair)).toBeLessThan(5 * Math.sqrt(fair));
  }
});
