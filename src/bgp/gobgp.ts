import { isIP } from "node:net";
import type { IPFamily } from "../api/objects.ts";
import { errorText } from "../log.ts";
import { AdvertisedCounts } from "./advertised-counts.ts";
import type { Call } from "./calls.ts";
import { CannotListen, type Daemon, DaemonError, type Session } from "./daemon.ts";
import { GobgpChannel, LONG_CALL_MS } from "./gobgp-channel.ts";
import {
  type AddressOf,
  ASSIGN_EXPORTS,
  ASSIGN_IMPORTS,
  exportsFrom,
  type HeldPolicies,
  isAssigned,
  renderExports,
  type WireExports,
} from "./gobgp-exports.ts";
import { neighborOf, peerFrom, wireFamily, wirePeer } from "./gobgp-peer.ts";
import { isOwn, routeFrom, wirePath, wireWithdrawal } from "./gobgp-route.ts";
import { sendPaths } from "./gobgp-send-paths.ts";
import { sessionFrom } from "./gobgp-session.ts";
import type {
  WireAssignment,
  WireDefinedSet,
  WireDestination,
  WireGlobal,
  WirePath,
  WirePeer,
  WirePolicy,
} from "./gobgp-wire.ts";
import { BGP_PORT, type BGPState, type ExportPolicy, type Global, type Peer, type Route } from "./model.ts";

/**
 * What gobgpd is started as to have no routes, peers and policies: its own StopBgp leaves a process that does nothing any
 * more. AS_TRANS (RFC 6793) and the IPv4 dummy address (RFC 7600) are nobody's.
 */
const STOPPED: WireGlobal = { asn: 23456, router_id: "192.0.0.8", listen_port: -1 };

/** A gobgpd of version 4.5 or later behind a Unix socket, which Herald has for itself. */
export class Gobgp implements Daemon {
  readonly #channel: GobgpChannel;
  /** What was set last, for unnumbered peers that get their address later. */
  #exports: ExportPolicy | undefined;
  readonly #counts = new AdvertisedCounts();

  /** `socket` is an absolute path. Nothing is asked yet. */
  constructor(socket: string) {
    this.#channel = new GobgpChannel(socket);
  }

  close(): void {
    this.#channel.close();
  }

  async read(): Promise<BGPState> {
    const global = await this.#global();
    if (global === undefined) return NOTHING;
    const [peers, ipv4, ipv6, policies] = await Promise.all([
      this.#peers(),
      this.#destinations("IPv4"),
      this.#destinations("IPv6"),
      this.#policies(),
    ]);
    const destinations = [...ipv4, ...ipv6];
    return {
      global,
      peers: new Map(peers.map(peerFrom).map((peer) => [peer.neighbor, peer])),
      routes: routesFrom(destinations),
      exports: exportsFrom(policies, addressOfOneOf(peers)),
      importsNothing:
        isAssigned(ASSIGN_IMPORTS, policies.assignments) && destinations.every(({ paths }) => paths.every(isOwn)),
    };
  }

  async sessions(): Promise<readonly Session[]> {
    const sessions = await this.#sessions(false);
    const startedMs = performance.now();
    if (!this.#counts.isDue(sessions, startedMs)) return this.#counts.fillIn(sessions);
    const counted = await this.#sessions(true);
    this.#counts.counted(counted, startedMs, performance.now());
    return counted;
  }

  /**
   * As `Daemon` says, but for what gobgpd refuses: a peer or route that it does not take holds back no other. The first
   * refusal is thrown when the rest is done.
   */
  async apply(calls: readonly Call[]): Promise<void> {
    let refusal: DaemonError | undefined;
    for (const call of calls) {
      try {
        await this.#do(call);
      } catch (error) {
        if (!(error instanceof DaemonError) || error.kind !== "Refused") throw error;
        if (ESSENTIAL.has(call.do)) throw error;
        refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
  }

  watch(on: { readonly changed: () => void; readonly ended: () => void }): () => void {
    return this.#channel.hear<{ peer?: { type: string } }>(
      "WatchEvent",
      { peer: {} },
      {
        heard: ({ peer }) => {
          if (peer?.type === "TYPE_STATE") on.changed();
        },
        ended: on.ended,
      },
    );
  }

  async #do(call: Call): Promise<void> {
    switch (call.do) {
      case "StopGlobal":
        return this.#stop();
      case "StartGlobal":
        return this.#start(call.global);
      case "RejectImports":
        return this.#rejectImports();
      case "SetExports":
        return this.#setExports(call.exports);
      case "ResendTo":
        return this.#resendTo(call.neighbors);
      case "AddRoutes":
        return this.#send(call.routes, wirePath);
      case "DeleteRoutes":
        return this.#send(call.prefixes, wireWithdrawal);
      case "AddPeer":
        return this.#addPeer(call.peer);
      case "UpdatePeer":
        return this.#about(call.peer.neighbor, "UpdatePeer", { peer: wirePeer(call.peer) });
      case "ReplacePeer":
        await this.#deletePeer(call.peer.neighbor);
        return this.#addPeer(call.peer);
      case "DeletePeer":
        return this.#deletePeer(call.neighbor);
    }
  }

  async #send<T>(all: readonly T[], pathOf: (one: T) => WirePath): Promise<void> {
    await sendPaths(this.#channel, all, pathOf);
    this.#counts.told(all.length, performance.now());
  }

  async #global(): Promise<Global | undefined> {
    const { global } = await this.#channel.call<{ global: WireGlobal }>("GetBgp");
    if (global.asn === 0 || (global.asn === STOPPED.asn && global.router_id === STOPPED.router_id)) return undefined;
    return { asn: global.asn, routerID: global.router_id, listens: global.listen_port > 0 };
  }

  async #start({ asn, routerID, listens }: Global): Promise<void> {
    const global: WireGlobal = { asn, router_id: routerID, listen_port: listens ? BGP_PORT : -1 };
    try {
      await this.#channel.call("StartBgp", { global });
    } catch (error) {
      if (listens && error instanceof DaemonError && LISTEN_REFUSED.test(error.message)) throw cannotListen(error);
      throw error;
    }
  }

  /** One that listens can't be started anew in its process, which is then of no use: whoever runs it starts it again. */
  async #stop(): Promise<void> {
    const { global } = await this.#channel.call<{ global: WireGlobal }>("GetBgp");
    if (global.listen_port > 0) {
      await this.#channel.call("StopBgp", { allow_graceful_restart: true });
      return;
    }
    for (const peer of await this.#peers()) await this.#deletePeer(neighborOf(peer));
    await this.#channel.call("StartBgp", { global: STOPPED });
  }

  /** Its policy is set together with that for exports, which is left as it is. */
  async #rejectImports(): Promise<void> {
    const [held, peers] = await Promise.all([this.#policies(), this.#peers()]);
    const addressOf = addressOfOneOf(peers);
    await this.#setPolicies(exportsFrom(held, addressOf), addressOf);
    await this.#channel.call("SetPolicyAssignment", { assignment: ASSIGN_IMPORTS });
    await this.#channel.call("ResetPeer", { address: EVERY_PEER, soft: true, direction: "DIRECTION_IN" });
  }

  async #setExports(exports: ExportPolicy): Promise<void> {
    await this.#setPolicies(exports, addressOfOneOf(await this.#peers()));
    await this.#channel.call("SetPolicyAssignment", { assignment: ASSIGN_EXPORTS });
    this.#exports = exports;
  }

  async #setPolicies(exports: ExportPolicy, addressOf: AddressOf): Promise<void> {
    const { sets, policies } = render(exports, addressOf);
    await this.#channel.call("SetPolicies", { defined_sets: sets, policies });
  }

  async #resendTo(neighbors: readonly string[]): Promise<void> {
    const addresses = addressesOf(await this.#peers());
    for (const neighbor of neighbors) {
      const address = addresses.get(neighbor);
      if (address === undefined) continue;
      await this.#channel.call("ResetPeer", { address, soft: true, direction: "DIRECTION_OUT" });
    }
  }

  async #addPeer(peer: Peer): Promise<void> {
    await this.#about(peer.neighbor, "AddPeer", { peer: wirePeer(peer) });
    // Only now gobgpd knows its address.
    if (peer.unnumbered && this.#exports !== undefined) await this.#setExports(this.#exports);
  }

  async #deletePeer(neighbor: string): Promise<void> {
    const wire = (await this.#peers()).find((one) => neighborOf(one) === neighbor);
    if (wire === undefined) return;
    // Left to itself, gobgpd 4.8 forgets the peer, but goes on to ask for its password where it listens. Switched off
    // meanwhile, no session is ever open without one.
    if (wire.conf.auth_password !== "" && wire.conf.neighbor_interface === "") {
      const { conf, ...rest } = wirePeer(peerFrom(wire));
      const off = { ...conf, local_asn: wire.conf.local_asn, auth_password: "", admin_down: true };
      await this.#about(neighbor, "UpdatePeer", { peer: { ...rest, conf: off } });
    }
    await this.#about(neighbor, "DeletePeer", { address: wire.state.neighbor_address });
  }

  /** gobgpd has no call for its version: one before 4.5 is known by peers without BFD, so not while there are none. */
  async #peers(request: { readonly enable_advertised?: boolean } = {}): Promise<WirePeer[]> {
    const timeoutMs = request.enable_advertised ? LONG_CALL_MS : undefined;
    const answers = await this.#channel.list<{ peer: WirePeer }>("ListPeer", request, timeoutMs);
    if (answers.some(({ peer }) => peer.bfd === null)) throw this.#channel.tooOld("4.4 or older: it knows no BFD");
    return answers.map(({ peer }) => peer);
  }

  async #sessions(counting: boolean): Promise<readonly Session[]> {
    const peers = await this.#peers({ enable_advertised: counting });
    return peers.map(sessionFrom).sort((a, b) => (a.neighbor < b.neighbor ? -1 : 1));
  }

  async #destinations(family: IPFamily): Promise<WireDestination[]> {
    const request = { table_type: "TABLE_TYPE_GLOBAL", family: wireFamily(family) };
    const list = this.#channel.list<{ destination: WireDestination }>("ListPath", request, LONG_CALL_MS);
    return (await list).map(({ destination }) => destination);
  }

  async #policies(): Promise<HeldPolicies> {
    const setsOf = (type: WireDefinedSet["defined_type"]) =>
      this.#channel.list<{ defined_set: WireDefinedSet }>("ListDefinedSet", { defined_type: type });
    const [neighbors, communities, policies, assignments] = await Promise.all([
      setsOf("DEFINED_TYPE_NEIGHBOR"),
      setsOf("DEFINED_TYPE_LARGE_COMMUNITY"),
      this.#channel.list<{ policy: WirePolicy }>("ListPolicy"),
      this.#channel.list<{ assignment: WireAssignment }>("ListPolicyAssignment"),
    ]);
    return {
      sets: [...neighbors, ...communities].map(({ defined_set }) => defined_set),
      policies: policies.map(({ policy }) => policy),
      assignments: assignments.map(({ assignment }) => assignment),
    };
  }

  /** Makes a refusal say which neighbor it is about. */
  async #about(neighbor: string, method: string, request: object): Promise<void> {
    try {
      await this.#channel.call(method, request);
    } catch (error) {
      if (!(error instanceof DaemonError) || error.kind !== "Refused") throw error;
      throw new DaemonError("Refused", `peer ${neighbor}: ${error.message}`, { cause: error });
    }
  }
}

/** How gobgpd says that the kernel does not let it listen. */
const LISTEN_REFUSED = /: (listen tcp\S* .*)$/;

function cannotListen(cause: DaemonError): CannotListen {
  const why = LISTEN_REFUSED.exec(cause.message)?.[1];
  return new CannotListen(
    `gobgpd can't listen on TCP port ${BGP_PORT} of this node, so the router can't connect (${why}); end what has the port, or give gobgpd's container NET_BIND_SERVICE, or set passive: false here`,
    { cause },
  );
}

const NOTHING: BGPState = {
  global: undefined,
  peers: new Map(),
  routes: new Map(),
  exports: { profiles: new Map(), nextHops: new Map(), foreign: true },
  importsNothing: false,
};

/** gobgpd's own word for it in ResetPeer. */
const EVERY_PEER = "";

/** What a later call may build on: where it is refused, nothing more is done. */
const ESSENTIAL: ReadonlySet<Call["do"]> = new Set(["StopGlobal", "StartGlobal", "RejectImports", "SetExports"]);

function routesFrom(destinations: readonly WireDestination[]): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const destination of destinations) {
    const route = routeFrom(destination);
    if (route !== undefined) routes.set(route.prefix, route);
  }
  return routes;
}

/** The addresses that gobgpd knows its peers by, by `Peer.neighbor`. */
function addressesOf(peers: readonly WirePeer[]): Map<string, string> {
  return new Map(peers.map((peer) => [neighborOf(peer), peer.state.neighbor_address]));
}

function addressOfOneOf(peers: readonly WirePeer[]): AddressOf {
  const addresses = addressesOf(peers);
  return (neighbor) => (isIP(neighbor) === 0 ? addresses.get(neighbor) : neighbor);
}

function render(exports: ExportPolicy, addressOf: AddressOf): WireExports {
  try {
    return renderExports(exports, addressOf);
  } catch (error) {
    throw new DaemonError("Refused", errorText(error), { cause: error });
  }
}
