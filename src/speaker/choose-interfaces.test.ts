import { expect, test } from "vitest";
import { type IP, parseIP } from "../ipam/addresses.ts";
import { parseRange, parseSubnet, type Range } from "../ipam/ranges.ts";
import { chooseInterfaces, type NodeInterface, possibleInterfaces } from "./choose-interfaces.ts";

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

test("of two interfaces in one subnet only the first is possible", () => {
  const twins = [at("eth0", "192.0.2.11/24"), at("eth1", "192.0.2.12/24")];
  expect(possibleInterfaces(undefined, twins, [parseRange("192.0.2.200-192.0.2.210") as Range])).toEqual(["eth0"]);
});
