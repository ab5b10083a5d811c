import { isDuration } from "./durations.ts";

/**
 * The rules that the API server holds a BGPPeer to, in CEL: what `checkBGPPeer` says, in the same words. A rule may not
 * fail on what another one refuses, so those that look at several fields pass where one of them is not good.
 */

/** What the messages say of a text that is refused, besides naming it. */
export const PEER_TEXT = {
  router: "the router's own address",
  source: "an address of the node",
  notAddress: (what: string) =>
    `is not an address; write ${what} like "192.0.2.1" or "2001:db8::1", without prefix length, leading zeros, zone id or IPv4-mapped IPv6`,
  linkLocal:
    "is a link-local address, which means something on one interface only; write the interface as peerInterface instead",
  notUnicast: (what: string) => `is no address of one machine; write ${what}`,
  notRouterID: 'is not a router ID; write one like "192.0.2.11" (IPv4, not 0.0.0.0)',
  notInterface: "is not an interface; write its name (up to 15 characters, no blanks, slashes or colons)",
  notSecret: "is not the name of a Secret; write small letters, digits, - and ., with a letter or digit at both ends",
  notKey: "is not a key of a Secret; write letters, digits, -, _ and .",
  oneOf: "must have exactly one of peerAddress and peerInterface",
} as const;

export const INTERFACE_NAME = "^[^/:[:space:]]{1,15}$";
export const SECRET_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
export const SECRET_KEY = "^[-._a-zA-Z0-9]+$";

/** Of an address; `what` says whose it has to be. */
export function addressRules(what: string) {
  return [
    about("isIP(self)", PEER_TEXT.notAddress(what)),
    about(`!isIP(self) || !(${LINK_LOCAL})`, PEER_TEXT.linkLocal),
    about(`!isIP(self) || ${LINK_LOCAL} || ${UNICAST}`, PEER_TEXT.notUnicast(what)),
  ];
}

export function interfaceNameRules() {
  return [about(`self.matches('${INTERFACE_NAME}') && self != '.' && self != '..'`, PEER_TEXT.notInterface)];
}

export function routerIDRules() {
  return [about("isIP(self) && ip(self).family() == 4 && !ip(self).isUnspecified()", PEER_TEXT.notRouterID)];
}

export function secretNameRules() {
  return [about(`self.matches('${SECRET_NAME}')`, PEER_TEXT.notSecret)];
}

export function secretKeyRules() {
  return [about(`self.matches('${SECRET_KEY}') && self != '.' && self != '..'`, PEER_TEXT.notKey)];
}

/** Fields that say how a session by address is made; one by interface has no use for them. */
export const BY_ADDRESS = ["sourceAddress", "bindInterface", "passive", "ebgpMultihop"] as const;

/** Of the fields among themselves. */
export function peerRules() {
  const bothTimes = `${within("self.holdTime", 3)} && has(self.keepaliveTime) && ${within("self.keepaliveTime", 1)}`;
  const bothIPs =
    "has(self.sourceAddress) && has(self.peerAddress) && isIP(self.sourceAddress) && isIP(self.peerAddress)";
  const family = (ip: string) => `(ip(${ip}).family() == 4 ? 'IPv4' : 'IPv6')`;
  return [
    {
      rule: "has(self.peerAddress) != has(self.peerInterface)",
      messageExpression: `has(self.peerAddress) ? '${PEER_TEXT.oneOf}; remove one of the two' : '${PEER_TEXT.oneOf}; add the router\\'s address as peerAddress'`,
      message: PEER_TEXT.oneOf,
    },
    ...BY_ADDRESS.map((field) => ({
      rule: `!has(self.peerInterface) || ${field === "passive" ? "!self.passive" : `!has(self.${field})`}`,
      messageExpression: `'${field} does not go with peerInterface "' + self.peerInterface + '"; remove it'`,
      message: `${field} does not go with peerInterface; remove it`,
      fieldPath: `.${field}`,
    })),
    {
      rule: `!(${bothIPs}) || ip(self.sourceAddress).family() == ip(self.peerAddress).family()`,
      messageExpression: `'"%s" is %s and peerAddress "%s" is %s; write an address of the node of the same family'.format([self.sourceAddress, ${family("self.sourceAddress")}, self.peerAddress, ${family("self.peerAddress")}])`,
      message: "must be of the same family as peerAddress",
      fieldPath: ".sourceAddress",
    },
    {
      rule: `!(${bothIPs}) || self.sourceAddress != self.peerAddress`,
      messageExpression: `'"' + self.sourceAddress + '" is the address of the router too; write one of the node'`,
      message: "must differ from peerAddress",
      fieldPath: ".sourceAddress",
    },
    {
      rule: "!self.passive || self.peerPort == 179",
      messageExpression: `'peerPort %d is of no use with passive: the router connects; remove one of the two'.format([self.peerPort])`,
      message: "peerPort is of no use with passive; remove one of the two",
      fieldPath: ".peerPort",
    },
    {
      rule: `!(${bothTimes}) || duration(self.keepaliveTime) + duration(self.keepaliveTime) + duration(self.keepaliveTime) <= duration(self.holdTime)`,
      messageExpression: `'"%s" is more than a third of holdTime "%s"; write at most "%ds", or remove it'.format([self.keepaliveTime, self.holdTime, duration(self.holdTime).getSeconds() / 3])`,
      message: "must be at most a third of holdTime",
      fieldPath: ".keepaliveTime",
    },
    {
      rule: "!has(self.ebgpMultihop) || self.myASN != self.peerASN",
      messageExpression: `'is for eBGP, and myASN and peerASN are both %d; remove it: iBGP goes over routers anyway'.format([self.myASN])`,
      message: "is for eBGP, and myASN and peerASN are the same; remove it",
      fieldPath: ".ebgpMultihop",
    },
    {
      rule: "!has(self.ebgpMultihop) || !has(self.bfd)",
      message: "is single-hop, and ebgpMultihop is for a router further away; remove one of the two",
      fieldPath: ".bfd",
    },
  ];
}

const LINK_LOCAL = "ip(self).family() == 6 && ip(self).isLinkLocalUnicast()";
/** Not unspecified, loopback, multicast or broadcast. */
const UNICAST = "(ip(self).isGlobalUnicast() || ip(self).isLinkLocalUnicast())";

/** Tells whether a duration is one that its field takes; it has at least so many seconds. */
function within(field: string, seconds: number): string {
  return `${isDuration(field)} && duration(${field}) >= duration('${seconds}s') && duration(${field}) <= duration('65535s')`;
}

/** A rule about one text, which the message names. */
function about(rule: string, why: string) {
  return { rule, messageExpression: `'"' + self + '" ${why.replaceAll("'", "\\'")}'`, message: why };
}
