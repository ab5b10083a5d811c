import { expect, test } from "vitest";
import { type IP, parseIP } from "../ipam/addresses.ts";
import { parseRange, parseSubnet, type Range } from "../ipam/ranges.ts";
import { chooseInterfaces, type NodeInterface, onePerSegment, possibleInterfaces } from "./choose-interfaces.ts";

const at = (name: string, cidr: string, defaultRoute = false): NodeInterface => {
  const subnet = parseSubnet(cidr);
  return { name, subnets: subnet === undefined ? [] : [subnet], defaultRoute };
};
const node = [at("eth0", "192.0.2.11/24"), at("eth1", "198.51.100.11/24", true), at("eth10", "203.0.113.11/24")];
const ip = (text: string) => parseIP(text) as IP;

test.each([
  {
    name: "by default the one whose subnet holds the IP",
    ip: "192.0.2.200",
    want: { names: ["eth0"], inSubnet: true },
  },
  { name: "else the default route's", ip: "10.0.0.1", want: { names: ["eth1"], inSubnet: false } },
  { name: "by name", patterns: ["eth10"], ip: "192.0.2.200", want: { names: ["eth10"], inSubnet: false } },
  { name: "a name is no prefix", patterns: ["eth"], ip: "192.0.2.200", want: { names: [], inSubnet: false } },
  {
    name: "by expression, for the whole name",
    patterns: ["/eth[01]/"],
    ip: "192.0.2.200",
    want: { names: ["eth0", "eth1"], inSubnet: true },
  },
  {
    name: "a bad expression matches nothing",
    patterns: ["/eth(/"],
    ip: "192.0.2.200",
    want: { names: [], inSubnet: false },
  },
])("interfaces for an IP: $name", ({ patterns, ip: text, want }) => {
  expect(chooseInterfaces(patterns, node, ip(text))).toEqual(want);
});

test.each([
  { name: "in one subnet", ranges: ["192.0.2.200-192.0.2.210"], want: ["eth0"] },
  { name: "in no subnet: the default route's", ranges: ["10.0.0.0/24"], want: ["eth1"] },
  { name: "across subnets", ranges: ["192.0.0.0/8"], want: ["eth0", "eth1"] },
  { name: "named", patterns: ["eth10"], ranges: ["192.0.2.200"], want: ["eth10"] },
])("interfaces for a pool: $name", ({ patterns, ranges, want }) => {
  const parsed = ranges.map(parseRange).filter((range): range is Range => typeof range !== "string");
  expect(possibleInterfaces(patterns, node, parsed)).toEqual(want);
});

test("an interface of a container network is chosen by its name alone", () => {
  const available = [at("docker0", "192.0.2.1/24", true), at("eth0", "192.0.2.11/24")];
  const names = (patterns?: string[]) => chooseInterfaces(patterns, available, ip("192.0.2.200")).names;
  expect(names(["docker0"])).toEqual(["docker0"]);
  expect(names(["/.*/"])).toEqual(["eth0"]);
  expect(names()).toEqual(["eth0"]);
  expect(possibleInterfaces(undefined, available, [parseRange("192.0.2.200") as Range])).toEqual(["eth0"]);
});

test.each([
  { name: "both possible: the first by name", possible: ["eth0", "eth1"], want: ["eth0", "eth9"] },
  { name: "one possible: that one", possible: ["eth1"], want: ["eth0", "eth1", "eth9"] },
])("of two in one subnet one is left where $name", ({ possible, want }) => {
  const twins = [at("eth1", "192.0.2.12/24", true), at("eth0", "192.0.2.11/24"), at("eth9", "203.0.113.1/24")];
  const left = onePerSegment(twins, () => new Set(possible));
  expect(left.map(({ name }) => name)).toEqual(want);
  expect(left.find(({ defaultRoute }) => defaultRoute)?.name, "who has the default route").toBe(
    want.includes("eth1") ? "eth1" : "eth0",
  );
});

test("of two interfaces in one subnet only the first is possible", () => {
  const twins = [at("eth0", "192.0.2.11/24"), at("eth1", "192.0.2.12/24")];
  expect(possibleInterfaces(undefined, twins, [parseRange("192.0.2.200-192.0.2.210") as Range])).toEqual(["eth0"]);
});
