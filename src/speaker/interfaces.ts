import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

/** A network interface of this node, as far as announcing goes. */
export interface Interface {
  readonly name: string;
  readonly mac: string;
  /** Its addresses with prefix lengths, in CIDR notation; link-local ones left out. */
  readonly addresses: readonly string[];
  /** The IPv4 default route leaves here. */
  readonly defaultRoute: boolean;
}

/** What interfaces.ts reads of the machine; tests hand in their own. */
export interface InterfaceSource {
  readonly networkInterfaces: typeof networkInterfaces;
  /** Text of a file, or undefined where there is none. */
  readonly read: (path: string) => string | undefined;
  readonly exists: (path: string) => boolean;
}

/** The machine this runs on. */
export const machine: InterfaceSource = {
  networkInterfaces,
  exists: existsSync,
  read: (path) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined; // the interface vanished while we looked, or it has no such attribute
    }
  },
};

/** Interfaces of container networks, which never lead to a client. */
const CONTAINER_NETWORK = /^(lo$|docker|cbr|dummy|virbr|lxcbr|veth|cali|tunl|flannel|kube-ipvs|cni|nodelocaldns|lxc)/;

/** IFF_UP, IFF_LOOPBACK and IFF_NOARP of linux/if.h. */
const UP = 0x1;
const LOOPBACK = 0x8;
const NOARP = 0x80;

/**
 * Lists the interfaces that may announce: up, with ARP, not enslaved to a bridge or bond, not of a container network,
 * with an IPv4 address (the source of hellos). Sorted by name. One of the `known` that is up but has lost its carrier
 * stays, as it was: the machine does not list it, and a cut cable is the protocol's business.
 */
export function usableInterfaces(source: InterfaceSource, known: readonly Interface[]): readonly Interface[] {
  const defaults = defaultRouteInterfaces(source.read("/proc/net/route") ?? "");
  const listed = source.networkInterfaces();
  const found = known.filter(
    ({ name }) => listed[name] === undefined && isUp(source, name) && !hasCarrier(source, name),
  );
  for (const [name, addresses = []] of Object.entries(listed)) {
    if (CONTAINER_NETWORK.test(name) || !isUp(source, name)) continue;
    const cidrs = addresses.flatMap(({ cidr }) => (cidr === null || /^(fe80:|169\.254\.)/i.test(cidr) ? [] : [cidr]));
    if (!addresses.some(({ family }) => family === "IPv4")) continue;
    const mac = addresses[0]?.mac ?? "";
    found.push({ name, mac, addresses: cidrs.sort(), defaultRoute: defaults.has(name) });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Up by the administrator's word, speaks ARP, and is no port of a bridge or bond. */
function isUp(source: InterfaceSource, name: string): boolean {
  const flags = Number(source.read(`/sys/class/net/${name}/flags`)?.trim() ?? "0");
  return (flags & (UP | LOOPBACK | NOARP)) === UP && !source.exists(`/sys/class/net/${name}/master`);
}

/** With a carrier and yet not listed it has lost its addresses. */
function hasCarrier(source: InterfaceSource, name: string): boolean {
  return source.read(`/sys/class/net/${name}/carrier`)?.trim() === "1";
}

/** Reads the interfaces of IPv4 default routes out of /proc/net/route (destination and mask are hexadecimal). */
function defaultRouteInterfaces(table: string): ReadonlySet<string> {
  const rows = table
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"));
  return new Set(rows.filter((row) => row[1] === "00000000" && row[7] === "00000000").map((row) => row[0] ?? ""));
}
