import type { IP } from "../ipam/addresses.ts";
import { containsIP, overlap, type Range } from "../ipam/ranges.ts";

/** An interface of a node, as its Speaker object tells of it. */
export interface NodeInterface {
  readonly name: string;
  readonly subnets: readonly Range[];
  /** The default route leaves here. */
  readonly defaultRoute: boolean;
}

export interface InterfaceChoice {
  readonly names: readonly string[];
  /** One of them has a subnet that holds the IP. */
  readonly inSubnet: boolean;
}

const CONTAINER_NETWORK = /^(lo$|docker|cbr|dummy|virbr|lxcbr|veth|cali|tunl|flannel|kube-ipvs|cni|nodelocaldns|lxc)/;

/** Says by its name whether an interface is of a container network, which leads to no client; a pool may name it all the same. */
export function isContainerNetwork(name: string): boolean {
  return CONTAINER_NETWORK.test(name);
}

/**
 * Chooses a node's interfaces for an IP: those whose name a pattern matches (a name, or a regular expression between
 * slashes), all of them; without patterns the one whose subnet holds the IP, else the one of the default route. One of
 * a container network is chosen by its very name alone.
 */
export function chooseInterfaces(
  patterns: readonly string[] | undefined,
  available: readonly NodeInterface[],
  ip: IP,
): InterfaceChoice {
  const holds = ({ subnets }: NodeInterface) => subnets.some((subnet) => containsIP(subnet, ip));
  if (patterns !== undefined && patterns.length > 0) {
    const chosen = available.filter(({ name }) => patterns.some((pattern) => matchesName(pattern, name)));
    return { names: chosen.map(({ name }) => name), inSubnet: chosen.some(holds) };
  }
  const ordinary = available.filter(({ name }) => !isContainerNetwork(name));
  const inSubnet = ordinary.find(holds);
  if (inSubnet !== undefined) return { names: [inSubnet.name], inSubnet: true };
  const fallback = ordinary.find(({ defaultRoute }) => defaultRoute);
  return { names: fallback === undefined ? [] : [fallback.name], inSubnet: false };
}

/**
 * Gives the names of the interfaces that some IP of `ranges` could be announced on: hellos are said there and nowhere
 * else. It may name too many where a range lies across the edge of a subnet, never too few.
 */
export function possibleInterfaces(
  patterns: readonly string[] | undefined,
  available: readonly NodeInterface[],
  ranges: readonly Range[],
): readonly string[] {
  const ends = ranges.flatMap(({ family, first, last }) => [first, last].map((value): IP => ({ family, value })));
  const chosen = ends.flatMap((ip) => chooseInterfaces(patterns, available, ip).names);
  // Of two in one subnet the second is never chosen: it must not speak on the same segment in the same name.
  const inside = available.filter(
    ({ name, subnets }, i) =>
      !isContainerNetwork(name) &&
      subnets.some(
        (subnet) => ranges.some((range) => overlap(subnet, range)) && !isCovered(subnet, available.slice(0, i)),
      ),
  );
  const overlapping = patterns === undefined || patterns.length === 0 ? inside.map(({ name }) => name) : [];
  return [...new Set([...chosen, ...overlapping])].sort();
}

/**
 * Leaves one interface of each segment: of those that `possible` names and that share a subnet, the first by name. It
 * stands for the others in what leads there by the default route. Two of one node on one segment would speak in the
 * same name, and answer twice.
 */
export function onePerSegment(
  available: readonly NodeInterface[],
  possible: (available: readonly NodeInterface[]) => ReadonlySet<string>,
): readonly NodeInterface[] {
  if (!available.some((one, i) => available.slice(0, i).some((other) => shareSubnet(one, other)))) return available;
  const rivals = possible(available);
  const left: NodeInterface[] = [];
  for (const one of [...available].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const twin = left.findIndex((other) => rivals.has(other.name) && shareSubnet(one, other));
    const first = left[twin];
    if (first === undefined || !rivals.has(one.name)) left.push(one);
    else if (one.defaultRoute) left[twin] = { ...first, defaultRoute: true };
  }
  return left;
}

function shareSubnet(a: NodeInterface, b: NodeInterface): boolean {
  return a.subnets.some((one) =>
    b.subnets.some(({ family, first, last }) => one.family === family && one.first === first && one.last === last),
  );
}

function isCovered(subnet: Range, by: readonly NodeInterface[]): boolean {
  const covers = (other: Range) =>
    other.family === subnet.family && other.first <= subnet.first && subnet.last <= other.last;
  return by.some(({ name, subnets }) => !isContainerNetwork(name) && subnets.some(covers));
}

/** Matches the whole name. A pattern that is no regular expression matches nothing; validation refuses it. */
function matchesName(pattern: string, name: string): boolean {
  if (pattern.length < 3 || !pattern.startsWith("/") || !pattern.endsWith("/")) return pattern === name;
  if (isContainerNetwork(name)) return false;
  try {
    return new RegExp(`^(?:${pattern.slice(1, -1)})$`, "u").test(name);
  } catch {
    return false;
  }
}
