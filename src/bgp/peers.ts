import type { BGPPeer } from "../api/bgp-peer.ts";
import { durationMs } from "../api/durations.ts";
import { matchesSelector } from "../api/label-selector.ts";
import type { IPFamily, Secret } from "../api/objects.ts";
import { nodeHash } from "../election/rendezvous-hash.ts";
import { canonicalIP, parseIP } from "../ipam/addresses.ts";
import { checkBGPPeer } from "./check-bgp-peer.ts";
import type { Global, Peer } from "./model.ts";
import { nextHopFor } from "./next-hops.ts";
import type { BGPNode } from "./node.ts";

/** Why a session is not opened. */
export type RefusalReason =
  | "InvalidSpec"
  | "SameRouter"
  | "RouterIDsDiffer"
  | "PasswordMissing"
  | "SecretsUnreadable"
  | "CannotListen";

/** The Secrets of Herald's own namespace, by name. */
export type Secrets = ReadonlyMap<string, Secret> & {
  /** Why they could not be read yet, in words; undefined: they were. */
  readonly unread?: string | undefined;
};

export function secretsOf(all: readonly Secret[], unread?: string): Secrets {
  return Object.assign(new Map(all.map((secret) => [secret.meta.name, secret])), { unread });
}

/** What becomes on a node of a BGPPeer that selects it. */
export type PeerOutcome =
  | { readonly opened: false; readonly neighbor: string; readonly reason: RefusalReason; readonly message: string }
  | OpenedPeer;

export interface OpenedPeer {
  readonly opened: true;
  readonly neighbor: string;
  readonly peer: Peer;
  /** Why its password, which `peer` lacks then, can't be read, in words: a session that has it goes on, another stays closed. */
  readonly passwordUnread: string | undefined;
  /** By family, of those that don't go with the session's own address. */
  readonly nextHops: ReadonlyMap<IPFamily, string | "none">;
  /** In words, for each family that has no next hop: its routes are not sent. */
  readonly missing: ReadonlyMap<IPFamily, string>;
}

export interface NodePeers {
  /** Undefined: no BGPPeer selects the node. */
  readonly global: Global | undefined;
  /** The own ASes of the BGPPeers, also of those that are refused for now: `keepAS` chooses among them. */
  readonly asns: ReadonlySet<number>;
  /** By name of the BGPPeer, sorted; those that select the node. */
  readonly outcomes: ReadonlyMap<string, PeerOutcome>;
}

/**
 * Finds the sessions of a node. What all have in common is taken from all BGPPeers that select it, also those that are
 * refused: a Secret that comes or goes must not restart BGP. Of BGPPeers that can't both be, the first by name is.
 */
export function findPeers(self: BGPNode, all: readonly BGPPeer[], secrets: Secrets): NodePeers {
  const { name, labels } = self.node.meta;
  const selecting = all.filter(({ spec }) => matchesSelector(spec.nodeSelector, labels)).sort(byName);
  const valid = selecting.filter((peer) => problemOf(peer) === undefined);
  const [first] = valid;
  if (first === undefined)
    return { global: undefined, asns: new Set(), outcomes: outcomesOf(selecting, () => undefined) };
  const identified = valid.find(({ spec }) => spec.routerID !== undefined);
  const global: Global = {
    asn: first.spec.myASN,
    routerID: identified?.spec.routerID ?? routerIDOf(name, self.node.internalIPs),
    listens: valid.some(({ spec }) => spec.passive),
  };
  const owners = new Map<string, string>();
  for (const { meta, spec } of valid) {
    const neighbor = neighborOf(spec);
    if (!owners.has(neighbor)) owners.set(neighbor, meta.name);
  }
  const outcomes = outcomesOf(selecting, ({ meta, spec }) => {
    const neighbor = neighborOf(spec);
    const refused = (reason: RefusalReason, message: string) => ({ opened: false, neighbor, reason, message }) as const;
    const owner = owners.get(neighbor);
    if (owner !== meta.name)
      return refused("SameRouter", `BGPPeer ${owner} is for ${neighbor} too; remove one, or select other nodes`);
    if (spec.routerID !== undefined && spec.routerID !== global.routerID)
      return refused(
        "RouterIDsDiffer",
        `routerID ${spec.routerID} is not that of BGPPeer ${identified?.meta.name}, ${global.routerID}, and a node has one; give both the same, or select other nodes`,
      );
    const password = passwordOf(spec, secrets);
    if (password !== undefined && "missing" in password) return refused("PasswordMissing", password.missing);
    const { text = undefined, unread = undefined } = password ?? {};
    return opened(self, sessionOf(spec, neighbor, text), unread);
  });
  return { global, asns: new Set(valid.map(({ spec }) => spec.myASN)), outcomes };
}

type Spec = BGPPeer["spec"];

function outcomesOf(
  selecting: readonly BGPPeer[],
  outcome: (peer: BGPPeer) => PeerOutcome | undefined,
): ReadonlyMap<string, PeerOutcome> {
  return new Map(
    selecting.flatMap((peer): [string, PeerOutcome][] => {
      const message = problemOf(peer);
      const invalid: PeerOutcome | undefined =
        message === undefined
          ? undefined
          : { opened: false, neighbor: neighborOf(peer.spec), reason: "InvalidSpec", message };
      const found = invalid ?? outcome(peer);
      return found === undefined ? [] : [[peer.meta.name, found]];
    }),
  );
}

/** Says what is wrong with a BGPPeer that the API server should not have taken; asked once of each. */
function problemOf(peer: BGPPeer): string | undefined {
  const known = problems.get(peer);
  if (known !== undefined) return known.text;
  const [first] = checkBGPPeer(peer.spec);
  const text = first && `${first.path}: ${first.message}`;
  problems.set(peer, { text });
  return text;
}

const problems = new WeakMap<BGPPeer, { readonly text: string | undefined }>();

function neighborOf({ peerAddress, peerInterface }: Spec): string {
  return peerInterface ?? canonicalIP(peerAddress ?? "") ?? peerAddress ?? "";
}

function passwordOf(
  { passwordSecretRef }: Spec,
  secrets: Secrets,
): { readonly text?: string; readonly unread?: string } | { readonly missing: string } | undefined {
  if (passwordSecretRef === undefined) return undefined;
  if (secrets.unread !== undefined) return { unread: secrets.unread };
  const { name, key } = passwordSecretRef;
  const secret = secrets.get(name);
  if (secret === undefined)
    return {
      missing: `there is no Secret "${name}" in Herald's own namespace; create it, or remove passwordSecretRef`,
    };
  const text = secret.value(key);
  if (text === undefined || text === "")
    return { missing: `Secret "${name}" has nothing under the key "${key}"; add the password there` };
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > MOST_PASSWORD_BYTES)
    return {
      missing: `the password in Secret "${name}" has ${bytes} bytes, and TCP MD5 takes ${MOST_PASSWORD_BYTES}; make it shorter, on both sides`,
    };
  return { text };
}

/** TCP_MD5SIG_MAXKEYLEN of linux/tcp.h. */
const MOST_PASSWORD_BYTES = 80;

function sessionOf(spec: Spec, neighbor: string, password: string | undefined): Peer {
  const holdTime = seconds(spec.holdTime);
  return {
    neighbor,
    unnumbered: spec.peerInterface !== undefined,
    peerASN: spec.peerASN,
    localASN: spec.myASN,
    port: spec.peerPort,
    localAddress: spec.sourceAddress && canonicalIP(spec.sourceAddress),
    bindInterface: spec.bindInterface,
    passive: spec.passive,
    multihopTTL: spec.myASN === spec.peerASN ? undefined : spec.ebgpMultihop?.ttl,
    password,
    holdTime,
    keepaliveTime: spec.keepaliveTime === undefined ? Math.floor(holdTime / 3) : seconds(spec.keepaliveTime),
    connectRetryTime: seconds(spec.connectRetryTime),
    gracefulRestart: spec.gracefulRestart && seconds(spec.gracefulRestart.restartTime),
    bfd: spec.bfd && {
      transmitMs: durationMs(spec.bfd.transmitInterval) ?? 0,
      receiveMs: durationMs(spec.bfd.receiveInterval) ?? 0,
      detectMultiplier: spec.bfd.detectMultiplier,
    },
    families: FAMILIES.filter((family) => spec.addressFamilies.includes(family === "IPv4" ? "ipv4" : "ipv6")),
  };
}

const FAMILIES: readonly IPFamily[] = ["IPv4", "IPv6"];

/** Of a duration that checkBGPPeer found good. */
function seconds(duration: string): number {
  return Math.round((durationMs(duration) ?? 0) / 1000);
}

function opened(self: BGPNode, peer: Peer, passwordUnread: string | undefined): OpenedPeer {
  const nextHops = new Map<IPFamily, string | "none">();
  const missing = new Map<IPFamily, string>();
  for (const family of peer.families) {
    const found = nextHopFor(peer, family, self);
    if (found === undefined) continue;
    nextHops.set(family, "address" in found ? found.address : "none");
    if ("missing" in found) missing.set(family, found.missing);
  }
  return { opened: true, neighbor: peer.neighbor, peer, passwordUnread, nextHops, missing };
}

/** The node's first IPv4 address, else a number made of its name that looks like a host's address (RFC 6286 section 2.1: not 0). */
function routerIDOf(node: string, internalIPs: readonly string[]): string {
  const address = internalIPs.find((ip) => parseIP(ip)?.family === "IPv4");
  if (address !== undefined) return address;
  const hash = nodeHash(node);
  return [1 + ((hash >>> 24) % 223), (hash >>> 16) & 255, (hash >>> 8) & 255, hash & 255].join(".");
}

function byName(a: BGPPeer, b: BGPPeer): number {
  return a.meta.name < b.meta.name ? -1 : 1;
}
