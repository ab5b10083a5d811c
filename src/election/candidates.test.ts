import fc from "fast-check";
import { expect, test } from "vitest";
import { type CandidateNode, type CandidateService, findCandidates as find, servingNodes } from "./candidates.ts";

const findCandidates = (nodes: readonly CandidateNode[], services: readonly CandidateService[]) =>
  find(nodes, servingNodes(services));

const node = (name: string, more: Partial<CandidateNode> = {}): CandidateNode => ({
  name,
  selected: true,
  excludedByLabel: false,
  networkUnavailable: false,
  hasInterface: true,
  inSubnet: true,
  score: 0,
  ...more,
});
const service = (
  externalTrafficPolicy: "Cluster" | "Local",
  ...endpoints: (string | { nodeName?: string; serving: boolean })[]
): CandidateService => ({
  externalTrafficPolicy,
  endpoints: endpoints.map((e) => (typeof e === "string" ? { nodeName: e, serving: true } : e)),
});
const names = (all: readonly { node: string }[]) => all.map((each) => each.node);

test.each([
  { name: "no Service", services: [] },
  { name: "no endpoint", services: [service("Cluster")] },
  { name: "no serving endpoint", services: [service("Cluster", { nodeName: "n1", serving: false })] },
])("nobody announces with $name", ({ services }) => {
  expect(findCandidates([node("n1")], services)).toEqual({ candidates: [], excluded: [], reason: "NoEndpoints" });
});

test.each([
  { reason: "NotSelected", more: { selected: false } },
  { reason: "ExcludedByLabel", more: { excludedByLabel: true } },
  { reason: "NetworkUnavailable", more: { networkUnavailable: true } },
  { reason: "NoInterface", more: { hasInterface: false } },
  { reason: "NotInSubnet", more: { inSubnet: false } },
])("a node is left out: $reason", ({ reason, more }) => {
  const { candidates, excluded } = findCandidates([node("n2", more), node("n1")], [service("Cluster", "n2")]);
  expect(names(candidates)).toEqual(["n1"]);
  expect(excluded).toEqual([{ node: "n2", reason }]);
});

test("where no node is in the IP's subnet, all others stay candidates", () => {
  const nodes = [node("n1", { inSubnet: false }), node("n2", { inSubnet: false })];
  expect(names(findCandidates(nodes, [service("Cluster", "n1")]).candidates)).toEqual(["n1", "n2"]);
});

test("the subnet of an excluded node does not decide", () => {
  const nodes = [node("n1", { excludedByLabel: true }), node("n2", { inSubnet: false })];
  expect(names(findCandidates(nodes, [service("Cluster", "n1")]).candidates)).toEqual(["n2"]);
});

test("Local takes the nodes with a serving endpoint", () => {
  const nodes = ["n1", "n2", "n3"].map((name) => node(name));
  const result = findCandidates(nodes, [service("Local", "n2", { nodeName: "n3", serving: false })]);
  expect(names(result.candidates)).toEqual(["n2"]);
  expect(result.excluded).toEqual([
    { node: "n1", reason: "NoLocalEndpoint" },
    { node: "n3", reason: "NoLocalEndpoint" },
  ]);
});

test("an endpoint without a node counts for all nodes", () => {
  const nodes = [node("n1"), node("n2")];
  expect(names(findCandidates(nodes, [service("Local", { serving: true })]).candidates)).toEqual(["n1", "n2"]);
});

test("Local Services that share an IP: the union of their nodes", () => {
  const nodes = ["n1", "n2", "n3"].map((name) => node(name));
  const { candidates } = findCandidates(nodes, [service("Local", "n3"), service("Local", "n1")]);
  expect(names(candidates)).toEqual(["n1", "n3"]);
});

test("a candidate has the score of its node; one that is left out moves nobody", () => {
  const nodes = [node("n1", { score: 7 }), node("n2"), node("n3", { score: 9, excludedByLabel: true })];
  expect(findCandidates(nodes, [service("Cluster", "n1")]).candidates).toEqual([
    { node: "n1", score: 7 },
    { node: "n2", score: 0 },
  ]);
});

test("no node left: says so", () => {
  expect(findCandidates([node("n1", { selected: false })], [service("Cluster", "n1")]).reason).toBe("NoNode");
});

test("the order in which nodes and endpoints are listed does not matter", () => {
  const nodes = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom("n1", "n2", "n3", "n4", "n5"),
      selected: fc.boolean(),
      excludedByLabel: fc.boolean(),
      networkUnavailable: fc.boolean(),
      hasInterface: fc.boolean(),
      inSubnet: fc.boolean(),
      score: fc.nat(3),
    }),
    { selector: (each) => each.name },
  );
  const endpoints = fc.array(
    fc.record({ nodeName: fc.constantFrom("n1", "n2", "n3", undefined), serving: fc.boolean() }),
  );
  fc.assert(
    fc.property(nodes, endpoints, fc.constantFrom("Cluster", "Local"), (all, some, externalTrafficPolicy) => {
      const forth = findCandidates(all, [{ externalTrafficPolicy, endpoints: some as never }]);
      const back = findCandidates([...all].reverse(), [
        { externalTrafficPolicy, endpoints: [...some].reverse() as never },
      ]);
      expect(back).toEqual(forth);
      expect(forth.candidates.length === 0).toBe(forth.reason !== undefined);
      if (forth.reason !== "NoEndpoints") expect(forth.candidates.length + forth.excluded.length).toBe(all.length);
    }),
  );
});
