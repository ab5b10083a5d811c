import type { IPFamily } from "../api/objects.ts";
import type { WireFamily, WirePeer } from "./gobgp-wire.ts";
import type { BFD, Peer } from "./model.ts";

/** RFC 5881, section 4. */
const BFD_PORT = 3784;
/** What gobgpd takes for a peer without BFD; sent too, so that it finds nothing changed. */
const NO_BFD: BFD = { transmitMs: 1000, receiveMs: 1000, detectMultiplier: 3 };
/** How long gobgpd rests after a session ended by a reset, at most, in seconds; its own default is 30. */
const IDLE_HOLD_TIME = 5;

const FAMILIES: Readonly<Record<IPFamily, WireFamily>> = {
  IPv4: { afi: "AFI_IP", safi: "SAFI_UNICAST" },
  IPv6: { afi: "AFI_IP6", safi: "SAFI_UNICAST" },
};

/** Gives gobgpd's name of a family. */
export function wireFamily(family: IPFamily): WireFamily {
  return FAMILIES[family];
}

/** What `Peer.neighbor` is of a peer that gobgpd holds. */
export function neighborOf({ conf }: WirePeer): string {
  return conf.neighbor_interface || conf.neighbor_address;
}

type PeerToSend = Omit<WirePeer, "state" | "timers" | "afi_safis"> & {
  readonly timers: Pick<WirePeer["timers"], "config">;
  readonly afi_safis: readonly Omit<WirePeer["afi_safis"][number], "state">[];
};

/** Gives the peer as gobgpd takes it. */
export function wirePeer(peer: Peer): PeerToSend {
  const bfd = peer.bfd ?? NO_BFD;
  return {
    conf: {
      auth_password: peer.password ?? "",
      description: describe(peer.localAddress),
      local_asn: peer.localASN,
      neighbor_address: peer.unnumbered ? "" : peer.neighbor,
      peer_asn: peer.peerASN,
      neighbor_interface: peer.unnumbered ? peer.neighbor : "",
      admin_down: false,
    },
    ebgp_multihop: { enabled: peer.multihopTTL !== undefined, multihop_ttl: peer.multihopTTL ?? 0 },
    timers: {
      config: {
        connect_retry: peer.connectRetryTime,
        hold_time: peer.holdTime,
        keepalive_interval: peer.keepaliveTime,
        idle_hold_time_after_reset: idleHoldTime(peer.connectRetryTime),
      },
    },
    transport: {
      local_address: peer.localAddress ?? "",
      passive_mode: peer.passive,
      remote_port: peer.port,
      bind_interface: peer.bindInterface ?? "",
    },
    graceful_restart: { enabled: peer.gracefulRestart !== undefined, restart_time: peer.gracefulRestart ?? 0 },
    afi_safis: peer.families.map((family) => ({
      mp_graceful_restart: { config: { enabled: peer.gracefulRestart !== undefined } },
      config: { family: FAMILIES[family], enabled: true },
    })),
    bfd: {
      enabled: peer.bfd !== undefined,
      port: BFD_PORT,
      desired_minimum_tx_interval: bfd.transmitMs * 1000,
      required_minimum_receive: bfd.receiveMs * 1000,
      detection_multiplier: bfd.detectMultiplier,
    },
  };
}

/**
 * Gives the peer that gobgpd holds. One that is not as `wirePeer` makes it in something that `Peer` has no word for (a hand
 * switched it off, say) has localASN 0, so that it differs from whatever is wanted.
 */
export function peerFrom(wire: WirePeer): Peer {
  const { conf, timers, transport } = wire;
  const peer: Peer = {
    neighbor: neighborOf(wire),
    unnumbered: conf.neighbor_interface !== "",
    peerASN: conf.peer_asn,
    localASN: conf.local_asn,
    port: transport.remote_port,
    localAddress: described(conf.description),
    bindInterface: transport.bind_interface || undefined,
    passive: transport.passive_mode,
    multihopTTL: wire.ebgp_multihop.enabled ? wire.ebgp_multihop.multihop_ttl : undefined,
    password: conf.auth_password || undefined,
    holdTime: timers.config.hold_time,
    keepaliveTime: timers.config.keepalive_interval,
    connectRetryTime: timers.config.connect_retry,
    gracefulRestart: wire.graceful_restart.enabled ? wire.graceful_restart.restart_time : undefined,
    bfd: bfdFrom(wire.bfd),
    families: (["IPv4", "IPv6"] as const).filter((family) => has(wire, FAMILIES[family])),
  };
  return isHeralds(wire, peer) ? peer : { ...peer, localASN: 0 };
}

function bfdFrom(bfd: WirePeer["bfd"]): BFD | undefined {
  if (!bfd?.enabled) return undefined;
  return {
    transmitMs: bfd.desired_minimum_tx_interval / 1000,
    receiveMs: bfd.required_minimum_receive / 1000,
    detectMultiplier: bfd.detection_multiplier,
  };
}

function has({ afi_safis }: WirePeer, { afi }: WireFamily): boolean {
  return afi_safis.some(({ config }) => config.family.afi === afi && config.enabled);
}

function isHeralds(wire: WirePeer, peer: Peer): boolean {
  const restarts = peer.gracefulRestart !== undefined;
  return (
    wire.conf.description.startsWith(MARK) &&
    wire.state.admin_state === "ADMIN_STATE_UP" &&
    wire.timers.config.idle_hold_time_after_reset === idleHoldTime(peer.connectRetryTime) &&
    wire.afi_safis.length === peer.families.length &&
    wire.afi_safis.every(({ mp_graceful_restart }) => mp_graceful_restart.config.enabled === restarts) &&
    (wire.bfd === null || !wire.bfd.enabled || wire.bfd.port === BFD_PORT)
  );
}

function idleHoldTime(connectRetryTime: number): number {
  return Math.min(IDLE_HOLD_TIME, connectRetryTime);
}

/**
 * The description tells what gobgpd does not: whether the session's local address was asked for. Read back, it is always
 * the one that is in use.
 */
const MARK = "herald";
const FROM = `${MARK} from `;

function describe(localAddress: string | undefined): string {
  return localAddress === undefined ? MARK : `${FROM}${localAddress}`;
}

function described(description: string): string | undefined {
  return description.startsWith(FROM) ? description.slice(FROM.length) : undefined;
}
