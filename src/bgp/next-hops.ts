import type { IPFamily } from "../api/objects.ts";
import { canonicalIP, type IP, parseIP } from "../ipam/addresses.ts";
import { containsIP, parseSubnet } from "../ipam/ranges.ts";
import type { Peer } from "./model.ts";
import type { BGPInterface, BGPNode } from "./node.ts";

/** A next hop, or why there is none, in a person's words. */
export type NextHop = { readonly address: string } | { readonly missing: string };

/**
 * Gives the next hop of the routes of a family that go to a peer over a session of the other family; undefined where
 * the session's own address is one. An unnumbered peer finds the node by its link-local address, whatever the route
 * (RFC 8950). To any other only a global address of the node will do, on the interface that leads to the peer.
 */
export function nextHopFor(peer: Peer, family: IPFamily, { node, interfaces }: BGPNode): NextHop | undefined {
  const router = peer.unnumbered ? undefined : parseIP(peer.neighbor);
  if (router === undefined || router.family === family) return undefined;
  const way = interfaceTo(peer, router, interfaces);
  if (way === undefined)
    return { missing: `no interface leads to ${peer.neighbor}: none has an address beside it or the default route` };
  const own = way.addresses.flatMap(addressOf).filter((ip) => (family === "IPv6") === ip.includes(":"));
  // Where there are several, that by which the cluster knows the node: others, as privacy addresses, may be short-lived.
  const known = node.internalIPs.flatMap((ip) => canonicalIP(ip) ?? []);
  const address = own.find((ip) => known.includes(ip)) ?? own[0];
  return address === undefined
    ? { missing: `${way.name} has no ${family} address besides link-local ones` }
    : { address };
}

/** The interface on the way to a peer: that of the session where it says so, else that beside the router, else the default route's. */
function interfaceTo(
  { bindInterface, localAddress }: Peer,
  router: IP,
  interfaces: readonly BGPInterface[],
): BGPInterface | undefined {
  return (
    interfaces.find(({ name }) => name === bindInterface) ??
    interfaces.find(
      ({ addresses }) => localAddress !== undefined && addresses.flatMap(addressOf).includes(localAddress),
    ) ??
    interfaces.find(({ addresses }) => addresses.some((cidr) => holds(cidr, router))) ??
    interfaces.find(({ defaultRoute }) => defaultRoute)
  );
}

function holds(cidr: string, ip: IP): boolean {
  const subnet = parseSubnet(cidr);
  return subnet !== undefined && containsIP(subnet, ip);
}

function addressOf(cidr: string): readonly string[] {
  const ip = canonicalIP(cidr.split("/")[0] ?? "");
  return ip === undefined ? [] : [ip];
}
