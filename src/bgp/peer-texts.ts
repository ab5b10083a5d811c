import { INTERFACE_NAME, PEER_TEXT, SECRET_KEY, SECRET_NAME } from "../api/bgp-peer-rules.ts";
import { parseIP } from "../ipam/addresses.ts";
import { containsIP, parseRange } from "../ipam/ranges.ts";

/** Each says why a text is not what a field of a BGPPeer takes, completing the sentence `"<text>" ...`; undefined where it is. */

export const whyNotRouter = (text: string) => whyNotAddress(text, PEER_TEXT.router);
export const whyNotSource = (text: string) => whyNotAddress(text, PEER_TEXT.source);

export function whyNotRouterID(text: string): string | undefined {
  const ip = parseIP(text);
  return ip?.family === "IPv4" && ip.value !== 0n ? undefined : PEER_TEXT.notRouterID;
}

export function whyNotInterface(text: string): string | undefined {
  return INTERFACE.test(text) && !isDots(text) ? undefined : PEER_TEXT.notInterface;
}

export function whyNotSecretName(text: string): string | undefined {
  return NAME.test(text) ? undefined : PEER_TEXT.notSecret;
}

export function whyNotSecretKey(text: string): string | undefined {
  return KEY.test(text) && !isDots(text) ? undefined : PEER_TEXT.notKey;
}

const INTERFACE = new RegExp(INTERFACE_NAME.replace("[:space:]", "\\s"));
const NAME = new RegExp(SECRET_NAME);
const KEY = new RegExp(SECRET_KEY);

function isDots(text: string): boolean {
  return text === "." || text === "..";
}

function whyNotAddress(text: string, what: string): string | undefined {
  const ip = parseIP(text);
  if (ip === undefined) return PEER_TEXT.notAddress(what);
  if (containsIP(LINK_LOCAL, ip)) return PEER_TEXT.linkLocal;
  return NO_MACHINE.some((block) => containsIP(block, ip)) ? PEER_TEXT.notUnicast(what) : undefined;
}

function block(text: string) {
  const range = parseRange(text);
  if (typeof range === "string") throw new Error(`${text} ${range}`);
  return range;
}

const LINK_LOCAL = block("fe80::/10");
/** Unspecified, loopback, multicast and broadcast. */
const NO_MACHINE = ["0.0.0.0", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255", "::/127", "ff00::/8"].map(block);
