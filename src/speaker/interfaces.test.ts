import { expect, test } from "vitest";
import { type InterfaceSource, usableInterfaces } from "./interfaces.ts";

const UP = "0x1003\n";
const address = (cidr: string) => ({
  address: cidr.split("/")[0] ?? "",
  netmask: "",
  mac: "02:00:00:00:00:01",
  internal: false,
  cidr,
  ...(cidr.includes(":") ? { family: "IPv6" as const, scopeid: 0 } : { family: "IPv4" as const }),
});

function source(interfaces: Record<string, readonly string[]>, files: Record<string, string>): InterfaceSource {
  return {
    networkInterfaces: () =>
      Object.fromEntries(Object.entries(interfaces).map(([name, cidrs]) => [name, cidrs.map(address)])),
    read: (path) => files[path],
    exists: (path) => files[path] !== undefined,
  };
}
const flags = (name: string, value: string) => ({ [`/sys/class/net/${name}/flags`]: value });
const route =
  "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t010200C0\t3\t0\t0\t0\t00000000\n";

test("an interface comes with its addresses, without link-local ones, and with the default route", () => {
  const machine = source(
    { eth1: ["198.51.100.1/24"], eth0: ["fe80::1/64", "2001:db8::1/64", "192.0.2.11/24"] },
    { ...flags("eth0", UP), ...flags("eth1", UP), "/proc/net/route": route },
  );
  expect(usableInterfaces(machine, [])).toEqual([
    { name: "eth0", mac: "02:00:00:00:00:01", addresses: ["192.0.2.11/24", "2001:db8::1/64"], defaultRoute: true },
    { name: "eth1", mac: "02:00:00:00:00:01", addresses: ["198.51.100.1/24"], defaultRoute: false },
  ]);
});

test.each([
  { name: "down", interfaces: { eth0: ["192.0.2.1/24"] }, files: flags("eth0", "0x1002") },
  { name: "NOARP", interfaces: { eth0: ["192.0.2.1/24"] }, files: flags("eth0", "0x1083") },
  { name: "loopback", interfaces: { lo: ["127.0.0.1/8"] }, files: flags("lo", "0x9") },
  {
    name: "a port of a bridge",
    interfaces: { eth0: ["192.0.2.1/24"] },
    files: { ...flags("eth0", UP), "/sys/class/net/eth0/master": "" },
  },
  { name: "of a container network", interfaces: { cali12ab: ["192.0.2.1/24"] }, files: flags("cali12ab", UP) },
  { name: "without IPv4", interfaces: { eth0: ["2001:db8::1/64"] }, files: flags("eth0", UP) },
] as { name: string; interfaces: Record<string, string[]>; files: Record<string, string> }[])(
  "an interface is left out: $name",
  ({ interfaces, files }) => {
    expect(usableInterfaces(source(interfaces, files), [])).toEqual([]);
  },
);

test("an interface that lost its carrier stays as it was; one that was taken down does not", () => {
  const before = usableInterfaces(source({ eth0: ["192.0.2.11/24"] }, flags("eth0", UP)), []);
  expect(before).toHaveLength(1);
  expect(usableInterfaces(source({}, flags("eth0", "0x1003")), before)).toEqual(before);
  const carrier = { ...flags("eth0", "0x1003"), "/sys/class/net/eth0/carrier": "1\n" };
  expect(usableInterfaces(source({}, carrier), before), "its addresses were taken away").toEqual([]);
  expect(usableInterfaces(source({}, flags("eth0", "0x1002")), before)).toEqual([]);
  expect(usableInterfaces(source({}, {}), before)).toEqual([]);
});
