import { isIPv4 } from "node:net";
import type { BFDState, Session, SessionState } from "./daemon.ts";
import { neighborOf } from "./gobgp-peer.ts";
import type { WirePeer } from "./gobgp-wire.ts";

const STATES: Readonly<Record<string, SessionState>> = {
  SESSION_STATE_IDLE: "Idle",
  SESSION_STATE_CONNECT: "Connect",
  SESSION_STATE_ACTIVE: "Active",
  SESSION_STATE_OPENSENT: "OpenSent",
  SESSION_STATE_OPENCONFIRM: "OpenConfirm",
  SESSION_STATE_ESTABLISHED: "Established",
};

const BFD_STATES: Readonly<Record<string, BFDState>> = {
  BFD_SESSION_STATE_UP: "Up",
  BFD_SESSION_STATE_DOWN: "Down",
  BFD_SESSION_STATE_ADMIN_DOWN: "AdminDown",
  BFD_SESSION_STATE_INIT: "Init",
};

/** Gives the session of a peer; `advertised` is 0 where the ListPeer did not count. */
export function sessionFrom(wire: WirePeer): Session {
  const { state, timers, afi_safis, bfd } = wire;
  const established = state.session_state === "SESSION_STATE_ESTABLISHED";
  const { sent, received } = state.messages;
  const total = (count: "advertised" | "accepted") =>
    afi_safis.reduce((sum, one) => sum + (one.state?.[count] ?? 0), 0);
  return {
    neighbor: neighborOf(wire),
    state: STATES[state.session_state] ?? "Idle",
    establishedAtMs: timers.state.uptime === null ? undefined : timers.state.uptime.seconds * 1000,
    holdTime: established ? timers.state.negotiated_hold_time : undefined,
    keepaliveTime: established ? timers.state.keepalive_interval : undefined,
    // Before its OPEN gobgpd writes "invalid IP".
    peerRouterID: isIPv4(state.router_id) ? state.router_id : undefined,
    advertised: total("advertised"),
    accepted: total("accepted"),
    flaps: state.flops,
    opensReceived: received.open,
    notificationsSent: sent.notification,
    notificationsReceived: received.notification,
    updatesSent: sent.update,
    updatesReceived: received.update,
    bfd: bfd?.enabled ? BFD_STATES[state.bfd_state?.session_state ?? ""] : undefined,
  };
}
