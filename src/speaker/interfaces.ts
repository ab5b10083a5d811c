import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { ipText } from "../l2/ip-bytes.ts";
import { isContainerNetwork } from "./choose-interfaces.ts";

/** A network interface of this node, as far as announcing goes. */
export interface Interface {
  readonly name: string;
  readonly mac: string;
  /** Its addresses with prefix lengths, in CIDR notation; link-local ones left out. */
  readonly addresses: readonly string[];
  /** Its IPv6 link-local address; "" where there is none, or none that may be used yet. */
  readonly linkLocal: string;
  /** The default route leaves here: that of IPv4, or where there is none, that of IPv6. */
  readonly defaultRoute: boolean;
  /** The routers of the default routes that leave here, of both families. */
  readonly gateways: readonly string[];
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

/** IFF_UP, IFF_LOOPBACK and IFF_NOARP of linux/if.h. */
const UP = 0x1;
const LOOPBACK = 0x8;
const NOARP = 0x80;

/**
 * Lists the interfaces that may announce: up, with ARP, not enslaved to a bridge or bond, with an address, and not of a
 * container network unless it is one of `named`. Sorted by name. One of the `known` that is up but has lost its carrier
 * stays, as it was: the machine does not list it, and a cut cable is the protocol's business.
 */
export function usableInterfaces(
  source: InterfaceSource,
  known: readonly Interface[],
  named: ReadonlySet<string>,
): readonly Interface[] {
  const routes = defaultRoutes(source);
  const linkLocal = linkLocalAddresses(source);
  const listed = source.networkInterfaces();
  const wanted = (name: string) => (named.has(name) || !isContainerNetwork(name)) && isUp(source, name);
  const found = known.filter(({ name }) => listed[name] === undefined && wanted(name) && !hasCarrier(source, name));
  for (const [name, addresses = []] of Object.entries(listed)) {
    if (!wanted(name)) continue;
    const cidrs = addresses.flatMap(({ cidr }) => (cidr === null || /^(fe80:|169\.254\.)/i.test(cidr) ? [] : [cidr]));
    found.push({
      name,
      mac: addresses[0]?.mac ?? "",
      addresses: cidrs.sort(),
      linkLocal: linkLocal.get(name) ?? "",
      defaultRoute: routes.leaving.has(name),
      gateways: routes.gateways.get(name) ?? [],
    });
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

/** IFA_F_DADFAILED and IFA_F_TENTATIVE of linux/if_addr.h: nothing may be sent from such an address. */
const NOT_USABLE = 0x08 | 0x40;
const LINK_SCOPE = 0x20;

/** Reads /proc/net/if_inet6: address, index, prefix length, scope, flags (all hexadecimal) and the interface. */
function linkLocalAddresses(source: InterfaceSource): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const row of rows(source, "/proc/net/if_inet6", "fe80")) {
    const [address = "", , , scope = "", flags = "", name = ""] = row;
    if (hex(scope) !== LINK_SCOPE || (hex(flags) & NOT_USABLE) !== 0 || found.has(name)) continue;
    found.set(name, ipText(Buffer.from(address, "hex")));
  }
  return found;
}

interface DefaultRoutes {
  readonly leaving: ReadonlySet<string>;
  readonly gateways: ReadonlyMap<string, readonly string[]>;
}

/** RTF_UP and RTF_REJECT of linux/route.h. */
const RTF_UP = 0x1;
const RTF_REJECT = 0x200;

function defaultRoutes(source: InterfaceSource): DefaultRoutes {
  const ipv4 = ipv4Defaults(source);
  const ipv6 = ipv6Defaults(source);
  const gateways = new Map<string, string[]>();
  for (const { name, gateway } of [...ipv4, ...ipv6])
    if (!/^(0\.0\.0\.0|::)$/.test(gateway)) gateways.set(name, [...(gateways.get(name) ?? []), gateway]);
  const leaving = ipv4.length > 0 ? ipv4 : ipv6;
  return { leaving: new Set(leaving.map(({ name }) => name)), gateways };
}

interface DefaultRoute {
  readonly name: string;
  /** 0.0.0.0 or :: where the route has none. */
  readonly gateway: string;
}

/** Reads /proc/net/route: interface, destination, gateway, flags, three counters, mask; addresses in the machine's byte order. */
function ipv4Defaults(source: InterfaceSource): readonly DefaultRoute[] {
  return rows(source, "/proc/net/route", "\t00000000\t").flatMap(
    ([name = "", destination, gateway = "", , , , , mask]) =>
      destination === "00000000" && mask === "00000000"
        ? [{ name, gateway: ipText(Buffer.from(gateway, "hex").reverse()) }]
        : [],
  );
}

/** Reads /proc/net/ipv6_route: destination, its length, source, its length, gateway, three counters, flags, interface. */
function ipv6Defaults(source: InterfaceSource): readonly DefaultRoute[] {
  return rows(source, "/proc/net/ipv6_route", `${"0".repeat(32)} 00 `).flatMap((row) => {
    const [destination = "", length, , , gateway = "", , , , flags = "", name = ""] = row;
    if (!/^0{32}$/.test(destination) || length !== "00" || name === "lo") return [];
    if ((hex(flags) & (RTF_UP | RTF_REJECT)) !== RTF_UP) return [];
    return [{ name, gateway: ipText(Buffer.from(gateway, "hex")) }];
  });
}

/** Splits the lines of a table that have `mark` in them; there may be tens of thousands of others. */
function rows(source: InterfaceSource, path: string, mark: string): readonly (readonly string[])[] {
  const lines = (source.read(path) ?? "").split("\n");
  return lines.filter((line) => line.includes(mark)).map((line) => line.trim().split(/\s+/));
}

function hex(text: string): number {
  return Number.parseInt(text, 16);
}
