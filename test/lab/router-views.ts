/** What FRR's and BIRD's command lines say, in the same words. */
import type { ApiObject } from "./api.ts";

export interface BGPSession {
  /** The node's end. */
  readonly address: string;
  readonly established: boolean;
  /** Negotiated, in seconds; undefined while not established. */
  readonly holdTime: number | undefined;
}

/** A path as a router has taken it. */
export interface RouterPath {
  /** The global one where there are two. */
  readonly nextHop: string;
  readonly asPath: readonly number[];
  /** "65000:100", the well-known ones in numbers too; sorted. */
  readonly communities: readonly string[];
  /** "65000:1:2", sorted. */
  readonly largeCommunities: readonly string[];
  readonly med: number | undefined;
  readonly localPref: number | undefined;
}

/** How FRR writes the well-known communities of RFC 1997, 3765, 7999 and 8326. */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  "no-export": "65535:65281",
  "no-advertise": "65535:65282",
  "local-AS": "65535:65283",
  "no-peer": "65535:65284",
  blackhole: "65535:666",
  "graceful-shutdown": "65535:0",
};

/** Reads `show bgp neighbors json`. */
export function frrSessions(text: string): BGPSession[] {
  const neighbors = Object.entries<ApiObject>(JSON.parse(text));
  return neighbors
    .filter(([, one]) => typeof one === "object")
    .map(([address, one]) => {
      const established = one.bgpState === "Established";
      return { address, established, holdTime: established ? one.bgpTimerHoldTimeMsecs / 1000 : undefined };
    });
}

/** Reads `show bgp FAMILY unicast PREFIX json`. */
export function frrRoutes(text: string): RouterPath[] {
  const paths: readonly ApiObject[] = JSON.parse(text).paths ?? [];
  return paths.map((path) => ({
    nextHop: (path.nexthops.find((hop: ApiObject) => hop.scope !== "link-local") ?? path.nexthops[0]).ip,
    asPath: words(path.aspath.string).map(Number).filter(Number.isInteger),
    communities: words(path.community?.string)
      .map((one) => WELL_KNOWN[one] ?? one)
      .sort(),
    largeCommunities: words(path.largeCommunity?.string).sort(),
    med: path.metric,
    localPref: path.locPrf,
  }));
}

/** Reads `show protocols all`. */
export function birdSessions(text: string): BGPSession[] {
  const sessions = text.split("\n\n").filter((block) => block.includes("Neighbor address:"));
  return sessions.map((block) => {
    const hold = find(block, /Hold timer: +[\d.]+\/(\d+)/);
    return {
      address: find(block, /Neighbor address: (\S+)/) ?? "",
      established: /BGP state: +Established/.test(block),
      holdTime: hold === undefined ? undefined : Number(hold),
    };
  });
}

/** Reads `show route PREFIX all`. */
export function birdRoutes(text: string): RouterPath[] {
  // A route begins with its kind and its protocol in brackets.
  return text
    .split(/(?=unicast \[)/)
    .slice(1)
    .map((route) => {
      const med = find(route, /BGP\.med: (\d+)/);
      const localPref = find(route, /BGP\.local_pref: (\d+)/);
      return {
        nextHop: find(route, /BGP\.next_hop: (\S+)/) ?? "",
        asPath: words(find(route, /BGP\.as_path: (.*)/)).map(Number),
        communities: tuples(find(route, /BGP\.community: (.*)/)),
        largeCommunities: tuples(find(route, /BGP\.large_community: (.*)/)),
        med: med === undefined ? undefined : Number(med),
        localPref: localPref === undefined ? undefined : Number(localPref),
      };
    });
}

/** "(65000,100) (65000, 200)" as ["65000:100", "65000:200"]. */
function tuples(text = ""): string[] {
  return [...text.matchAll(/\(([^)]*)\)/g)]
    .map(([, inner = ""]) => inner.replaceAll(" ", "").replaceAll(",", ":"))
    .sort();
}

function words(text = ""): string[] {
  return text.split(" ").filter(Boolean);
}

function find(text: string, pattern: RegExp): string | undefined {
  return pattern.exec(text)?.[1];
}
