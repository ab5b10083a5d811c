import type { IPFamily } from "../api/objects.ts";

/**
 * What Herald wants of one node's gobgpd, and what it finds there, in the same words: so that the two can be compared.
 * Nothing here knows gRPC.
 */
export interface BGPState {
  /** undefined: the daemon is there but speaks no BGP yet. */
  readonly global: Global | undefined;
  /** By `neighbor`. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** The own routes, by prefix. */
  readonly routes: ReadonlyMap<string, Route>;
  readonly exports: ExportPolicy;
  /** What is taken from peers; Herald wants nothing. Anything that is found to differ is put right. */
  readonly importsNothing: boolean;
}

/** The TCP port of BGP (RFC 4271 section 8). */
export const BGP_PORT = 179;

/** A change of any of these restarts BGP, and so every session of the node. */
export interface Global {
  /** 1 to 4294967295. */
  readonly asn: number;
  /** Dotted, as RFC 6286 has it. */
  readonly routerID: string;
  /** Whether port 179 is listened on: only where a peer is passive, so that another BGP speaker of the node may have it. */
  readonly listens: boolean;
}

/** A session that gobgpd shall hold (RFC 4271, section 8). Times in seconds where not said otherwise. */
export interface Peer {
  /** The peer's address in canonical text, or for an unnumbered one the name of the interface behind which it is. */
  readonly neighbor: string;
  readonly unnumbered: boolean;
  readonly peerASN: number;
  /**
   * The AS that this peer sees; differs from the global one where BGPPeers of one node have several.
   * Found only, 0: something about the peer is as no `Peer` can say, a hand has switched it off, say. ReplacePeer mends it.
   */
  readonly localASN: number;
  readonly port: number;
  /** Where the session comes from; undefined: what the node's routes choose. */
  readonly localAddress: string | undefined;
  readonly bindInterface: string | undefined;
  readonly passive: boolean;
  /** TTL of an eBGP session over routers; undefined: directly connected. */
  readonly multihopTTL: number | undefined;
  /** TCP MD5 signature (RFC 2385). Never in a log, never in a message. */
  readonly password: string | undefined;
  readonly holdTime: number;
  readonly keepaliveTime: number;
  readonly connectRetryTime: number;
  /** Restart time of graceful restart (RFC 4724); undefined: off. */
  readonly gracefulRestart: number | undefined;
  readonly bfd: BFD | undefined;
  readonly families: readonly IPFamily[];
}

/** Single-hop asynchronous BFD (RFC 5880, 5881). */
export interface BFD {
  readonly transmitMs: number;
  readonly receiveMs: number;
  readonly detectMultiplier: number;
}

/** What a route says besides where it leads. */
export interface RouteAttributes {
  /** Of 32 bits, sorted, each once (RFC 1997). */
  readonly communities: readonly number[];
  /** "65000:1:2", sorted, each once (RFC 8092). */
  readonly largeCommunities: readonly string[];
  /** LOCAL_PREF; only peers of the own AS see it. */
  readonly localPref: number | undefined;
  /** MULTI_EXIT_DISC. */
  readonly med: number | undefined;
}

/**
 * A route to this node: the next hop is the node's own address on the session, or what `ExportPolicy.nextHops` says.
 * The attributes are those that all of its peers see alike; `profile` says what is different for some.
 */
export interface Route extends RouteAttributes {
  /** Canonical, with length: "192.0.2.10/32". */
  readonly prefix: string;
  /**
   * Names the rules of `ExportPolicy.profiles` that the route follows; undefined: every peer gets it as it is.
   * Found only, -1: something about the route is as no `Route` can say, its next hop, say. AddRoutes mends it.
   */
  readonly profile: number | undefined;
}

/** What leaves to which peer. A route that follows no profile goes to all peers. Nothing that is not the node's own goes to any. */
export interface ExportPolicy {
  /**
   * By profile: who gets its routes (by `neighbor`), and what they see besides the route's own attributes. Others don't get
   * them. A local preference is 1 or more here: gobgpd's policies can't set 0.
   */
  readonly profiles: ReadonlyMap<number, ReadonlyMap<string, RouteAttributes>>;
  /** By neighbor: the next hop of each family that does not go with the session's own address; "none": its routes are not sent there. */
  readonly nextHops: ReadonlyMap<string, Readonly<Partial<Record<IPFamily, string | "none">>>>;
  /** Found only: something lets out or holds back what Herald did not ask for. Never wanted; SetExports mends it. */
  readonly foreign: boolean;
}
