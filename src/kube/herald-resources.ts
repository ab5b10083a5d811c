import type { Announce, BGPAnnounce, Layer2Announce } from "../api/announce.ts";
import type { BGPPeer, BGPPeerSpec } from "../api/bgp-peer.ts";
import type { IPPool, IPPoolSpec, IPPoolStatus } from "../api/ippool.ts";
import type { LabelSelector } from "../api/label-selector.ts";
import { API_VERSION } from "../api/names.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import {
  BFD_STATES,
  GOBGPD_STATES,
  NEIGHBOUR_STATES,
  SESSION_STATES,
  WITHDRAWN_REASONS,
} from "../api/speaker-words.ts";
import { integer, list, optionalText, record, text, textMap, texts } from "./raw.ts";
import { keepConditions, keepMeta, type Resource } from "./resource.ts";

export const ipPools: Resource<IPPool> = {
  kind: "IPPool",
  path: `/apis/${API_VERSION}/ippools`,
  keep: (raw) => {
    const { metadata, spec, status } = record(raw);
    return {
      meta: keepMeta(raw),
      generation: integer(record(metadata).generation),
      spec: keepPoolSpec(record(spec)),
      status: keepPoolStatus(record(status)),
    };
  },
};

export const bgpPeers: Resource<BGPPeer> = {
  kind: "BGPPeer",
  path: `/apis/${API_VERSION}/bgppeers`,
  keep: (raw) => {
    const { metadata, spec } = record(raw);
    return {
      meta: keepMeta(raw),
      generation: integer(record(metadata).generation),
      spec: keepPeerSpec(record(spec)),
    };
  },
};

export const speakers: Resource<Speaker> = {
  kind: "Speaker",
  path: `/apis/${API_VERSION}/speakers`,
  keep: (raw) => ({ meta: keepMeta(raw), status: keepSpeakerStatus(record(record(raw).status)) }),
};

type Raw = Readonly<Record<string, unknown>>;

function keepPoolSpec(raw: Raw): IPPoolSpec {
  const { namespaceSelector, serviceSelector, announce } = raw;
  return {
    addresses: [...texts(raw.addresses)],
    exclude: [...texts(raw.exclude)],
    autoAssign: raw.autoAssign !== false,
    avoidBuggyIPs: raw.avoidBuggyIPs === true,
    disabled: raw.disabled === true,
    priority: integer(raw.priority),
    ...(namespaceSelector !== undefined && { namespaceSelector: keepSelector(namespaceSelector) }),
    ...(serviceSelector !== undefined && { serviceSelector: keepSelector(serviceSelector) }),
    announce: announce === undefined ? [{ layer2: {} }] : list(announce).map(keepAnnounce),
  };
}

function keepAnnounce(raw: unknown): Announce {
  const { layer2, bgp } = record(raw);
  return {
    ...(layer2 !== undefined && { layer2: keepLayer2(record(layer2)) }),
    ...(bgp !== undefined && { bgp: keepBGP(record(bgp)) }),
  };
}

function keepLayer2({ interfaces, nodeSelector, preferredNodes }: Raw): Layer2Announce {
  return {
    ...(interfaces !== undefined && { interfaces: [...texts(interfaces)] }),
    ...(nodeSelector !== undefined && { nodeSelector: keepSelector(nodeSelector) }),
    ...(preferredNodes !== undefined && {
      preferredNodes: list(preferredNodes)
        .map(record)
        .map(({ weight, selector }) => ({ weight: integer(weight), selector: keepSelector(selector) })),
    }),
  };
}

function keepBGP(raw: Raw): BGPAnnounce {
  const { peers, nodeSelector, communities } = raw;
  return {
    ...(peers !== undefined && { peers: [...texts(peers)] }),
    ...(nodeSelector !== undefined && { nodeSelector: keepSelector(nodeSelector) }),
    aggregationLength: raw.aggregationLength === undefined ? 32 : integer(raw.aggregationLength),
    aggregationLengthV6: raw.aggregationLengthV6 === undefined ? 128 : integer(raw.aggregationLengthV6),
    ...(raw.localPref !== undefined && { localPref: integer(raw.localPref) }),
    ...(raw.med !== undefined && { med: integer(raw.med) }),
    ...(communities !== undefined && { communities: [...texts(communities)] }),
  };
}

function keepPeerSpec(raw: Raw): BGPPeerSpec {
  const { nodeSelector, ebgpMultihop, passwordSecretRef, bfd, gracefulRestart } = raw;
  return {
    myASN: integer(raw.myASN),
    peerASN: integer(raw.peerASN),
    ...optional("peerAddress", raw.peerAddress),
    ...optional("peerInterface", raw.peerInterface),
    peerPort: raw.peerPort === undefined ? 179 : integer(raw.peerPort),
    ...optional("sourceAddress", raw.sourceAddress),
    ...optional("bindInterface", raw.bindInterface),
    passive: raw.passive === true,
    ...(nodeSelector !== undefined && { nodeSelector: keepSelector(nodeSelector) }),
    ...optional("routerID", raw.routerID),
    holdTime: raw.holdTime === undefined ? "9s" : text(raw.holdTime),
    ...optional("keepaliveTime", raw.keepaliveTime),
    connectRetryTime: raw.connectRetryTime === undefined ? "5s" : text(raw.connectRetryTime),
    ...(ebgpMultihop !== undefined && { ebgpMultihop: { ttl: integer(record(ebgpMultihop).ttl) } }),
    ...(passwordSecretRef !== undefined && { passwordSecretRef: keepSecretRef(record(passwordSecretRef)) }),
    ...(bfd !== undefined && { bfd: keepBFD(record(bfd)) }),
    ...(gracefulRestart !== undefined && { gracefulRestart: keepGracefulRestart(record(gracefulRestart)) }),
    addressFamilies:
      raw.addressFamilies === undefined
        ? ["ipv4", "ipv6"]
        : texts(raw.addressFamilies).filter((family) => family === "ipv4" || family === "ipv6"),
  };
}

function keepSecretRef({ name, key }: Raw): NonNullable<BGPPeerSpec["passwordSecretRef"]> {
  return { name: text(name), key: key === undefined ? "password" : text(key) };
}

function keepBFD({ transmitInterval, receiveInterval, detectMultiplier }: Raw): NonNullable<BGPPeerSpec["bfd"]> {
  return {
    transmitInterval: transmitInterval === undefined ? "300ms" : text(transmitInterval),
    receiveInterval: receiveInterval === undefined ? "300ms" : text(receiveInterval),
    detectMultiplier: detectMultiplier === undefined ? 3 : integer(detectMultiplier),
  };
}

function keepGracefulRestart({ restartTime }: Raw): NonNullable<BGPPeerSpec["gracefulRestart"]> {
  return { restartTime: restartTime === undefined ? "120s" : text(restartTime) };
}

/** Leaves the field out where it is absent or empty. */
function optional<K extends string>(name: K, raw: unknown): { readonly [P in K]?: string } {
  const value = optionalText(raw);
  return value === undefined ? {} : ({ [name]: value } as { [P in K]: string });
}

function keepSelector(raw: unknown): LabelSelector {
  const { matchLabels, matchExpressions } = record(raw);
  return {
    ...(matchLabels !== undefined && { matchLabels: { ...textMap(matchLabels) } }),
    ...(matchExpressions !== undefined && {
      matchExpressions: list(matchExpressions).map((raw) => {
        const { key, operator, values } = record(raw);
        return {
          key: text(key),
          // The API server lets no other operator in; what it might be selects nothing.
          operator: operator === "NotIn" || operator === "Exists" || operator === "DoesNotExist" ? operator : "In",
          values: [...texts(values)],
        };
      }),
    }),
  };
}

function keepPoolStatus({ ipv4, ipv6, stranded, conditions }: Raw): IPPoolStatus {
  return {
    ...(ipv4 !== undefined && { ipv4: keepUsage(record(ipv4)) }),
    ...(ipv6 !== undefined && { ipv6: keepUsage(record(ipv6)) }),
    ...(stranded !== undefined && { stranded: integer(stranded) }),
    ...(conditions !== undefined && { conditions: [...keepConditions(conditions)] }),
  };
}

function keepUsage({ total, assigned, available }: Raw): NonNullable<IPPoolStatus["ipv4"]> {
  return { total: integer(total), assigned: integer(assigned), available: integer(available) };
}

function keepSpeakerStatus({ version, incarnation, interfaces, layer2, bgp, conditions }: Raw): SpeakerStatus {
  return {
    ...optional("version", version),
    ...optional("incarnation", incarnation),
    ...(interfaces !== undefined && {
      interfaces: list(interfaces).map((raw) => {
        const { name, mac, subnets, defaultRoute } = record(raw);
        const interfaceSubnets = [...texts(subnets)];
        return { name: text(name), mac: text(mac), subnets: interfaceSubnets, defaultRoute: defaultRoute === true };
      }),
    }),
    ...(layer2 !== undefined && {
      layer2: keepSpeakerLayer2(record(layer2)),
    }),
    ...(bgp !== undefined && { bgp: keepSpeakerBGP(record(bgp)) }),
    ...(conditions !== undefined && { conditions: [...keepConditions(conditions)] }),
  };
}

function keepSpeakerLayer2(raw: Raw): NonNullable<SpeakerStatus["layer2"]> {
  const { claims, owned, heard, neighbours, deputyFor, conflicts } = raw;
  return {
    claims: list(claims).map((raw) => {
      const { interface: name, ips } = record(raw);
      return { interface: text(name), ips: [...texts(ips)] };
    }),
    ...(owned !== undefined && { owned: integer(owned) }),
    ...(heard !== undefined && { heard: integer(heard) }),
    ...(neighbours !== undefined && {
      neighbours: list(neighbours).map((raw) => {
        const { interface: name, nodes } = record(raw);
        return { interface: text(name), nodes: list(nodes).map(keepNeighbour) };
      }),
    }),
    ...(deputyFor !== undefined && {
      deputyFor: list(deputyFor)
        .map(record)
        .map(({ node, addresses }) => ({ node: text(node), addresses: integer(addresses) })),
    }),
    ...(conflicts !== undefined && { conflicts: list(conflicts).map(keepConflict) }),
  };
}

type SpeakerBGP = NonNullable<SpeakerStatus["bgp"]>;

function keepSpeakerBGP({ gobgpd, asn, routerID, sessions, routes, withdrawn, peers }: Raw): SpeakerBGP {
  const isWithdrawn = WITHDRAWN_REASONS.find((one) => one === withdrawn);
  return {
    gobgpd: GOBGPD_STATES.find((one) => one === gobgpd) ?? "Unknown",
    ...(asn !== undefined && { asn: integer(asn) }),
    ...optional("routerID", routerID),
    sessions: text(sessions),
    routes: integer(routes),
    ...(isWithdrawn !== undefined && { withdrawn: isWithdrawn }),
    peers: list(peers).map((raw) => keepSession(record(raw))),
  };
}

function keepSession(raw: Raw): SpeakerBGP["peers"][number] {
  const counted = (name: "advertised" | "accepted" | "flaps") =>
    raw[name] === undefined ? {} : { [name]: integer(raw[name]) };
  const bfd = BFD_STATES.find((one) => one === raw.bfd);
  return {
    name: text(raw.name),
    address: text(raw.address),
    asn: integer(raw.asn),
    state: SESSION_STATES.find((one) => one === raw.state) ?? "Unknown",
    ...optional("since", raw.since),
    ...optional("lastError", raw.lastError),
    ...optional("holdTime", raw.holdTime),
    ...optional("keepaliveTime", raw.keepaliveTime),
    ...counted("advertised"),
    ...counted("accepted"),
    ...counted("flaps"),
    ...(bfd !== undefined && { bfd }),
  };
}

type SpeakerLayer2 = Required<NonNullable<SpeakerStatus["layer2"]>>;

function keepNeighbour(raw: unknown): SpeakerLayer2["neighbours"][number]["nodes"][number] {
  const { node, state, lastHeard } = record(raw);
  const known = NEIGHBOUR_STATES.find((one) => one === state) ?? "Unknown";
  return { node: text(node), state: known, ...(lastHeard !== undefined && { lastHeard: text(lastHeard) }) };
}

function keepConflict(raw: unknown): SpeakerLayer2["conflicts"][number] {
  const { interface: name, ip, mac, node, announced, since } = record(raw);
  return {
    interface: text(name),
    ip: text(ip),
    mac: text(mac),
    ...(node !== undefined && { node: text(node) }),
    announced: announced === true,
    since: text(since),
  };
}
