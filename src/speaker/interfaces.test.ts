import { expect, test } from "vitest";
import { type InterfaceSource, usableInterfaces } from "./interfaces.ts";

const UP = "0x1003\n";
const NONE: ReadonlySet<string> = new Set();
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

const ADDRESSES = [
  "fe800000000000000000000000000001 02 40 20 80     eth0",
  "20010db8000000000000000000000001 02 40 00 80     eth0",
  "fe800000000000000000000000000002 03 40 20 c0     eth1",
].join("\n");
const ZERO = "0".repeat(32);
const ROUTES_6 = [
  `20010db8000000000000000000000000 40 ${ZERO} 00 ${ZERO} 00000100 00000001 00000000 00000001     eth0`,
  `${ZERO} 00 ${ZERO} 00 fe8000000000000000000000000000ff 00000400 00000003 00000000 00000003     eth0`,
  `${ZERO} 00 ${ZERO} 00 ${ZERO} ffffffff 00000001 00000000 00200200       lo`,
].join("\n");

test("an interface comes with its addresses, and with the default routes that leave there", () => {
  const machine = source(
    { eth1: ["198.51.100.1/24"], eth0: ["fe80::1/64", "2001:db8::1/64", "192.0.2.11/24"] },
    {
      ...flags("eth0", UP),
      ...flags("eth1", UP),
      "/proc/net/route": route,
      "/proc/net/ipv6_route": ROUTES_6,
      "/proc/net/if_inet6": ADDRESSES,
    },
  );
  expect(usableInterfaces(machine, [], NONE)).toEqual([
    {
      name: "eth0",
      mac: "02:00:00:00:00:01",
      addresses: ["192.0.2.11/24", "2001:db8::1/64"],
      linkLocal: "fe80::1",
      defaultRoute: true,
      gateways: ["192.0.2.1", "fe80::ff"],
    },
    {
      name: "eth1",
      mac: "02:00:00:00:00:01",
      addresses: ["198.51.100.1/24"],
      linkLocal: "", // tentative
      defaultRoute: false,
      gateways: [],
    },
  ]);
});

test("where IPv4 has no default route, that of IPv6 counts", () => {
  const files = { ...flags("eth0", UP), "/proc/net/ipv6_route": ROUTES_6 };
  const [eth0] = usableInterfaces(source({ eth0: ["2001:db8::1/64"] }, files), [], NONE);
  expect(eth0).toMatchObject({ defaultRoute: true, gateways: ["fe80::ff"] });
});

test("an interface of a container network is there when a pool names it", () => {
  const machine = source({ docker0: ["192.0.2.1/24"] }, flags("docker0", UP));
  expect(usableInterfaces(machine, [], new Set(["docker0"])).map(({ name }) => name)).toEqual(["docker0"]);
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
] as { name: string; interfaces: Record<string, string[]>; files: Record<string, string> }[])(
  "an interface is left out: $name",
  ({ interfaces, files }) => {
    expect(usableInterfaces(source(interfaces, files), [], NONE)).toEqual([]);
  },
);

test("an interface that lost its carrier stays as it was; one that was taken down does not", () => {
  const before = usableInterfaces(source({ eth0: ["192.0.2.11/24"] }, flags("eth0", UP)), [], NONE);
  expect(before).toHaveLength(1);
  expect(usableInterfaces(source({}, flags("eth0", "0x1003")), before, NONE)).toEqual(before);
  const carrier = { ...flags("eth0", "0x1003"), "/sys/class/net/eth0/carrier": "1\n" };
  expect(usableInterfaces(source({}, carrier), before, NONE), "its addresses were taken away").toEqual([]);
  expect(usableInterfaces(source({}, flags("eth0", "0x1002")), before, NONE)).toEqual([]);
  expect(usableInterfaces(source({}, {}), before, NONE)).toEqual([]);
});
