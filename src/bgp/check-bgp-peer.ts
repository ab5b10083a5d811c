import type { BGPPeerSpec } from "../api/bgp-peer.ts";
import { BY_ADDRESS, PEER_TEXT } from "../api/bgp-peer-rules.ts";
import { TIMER_LIMITS } from "../api/bgp-timers.ts";
import { type DurationLimits, durationMs, formatMs, whyNotDuration } from "../api/durations.ts";
import type { Problem } from "../api/validate-spec.ts";
import { parseIP } from "../ipam/addresses.ts";
import { checkRepeats, checkSelector } from "../ipam/check-pool.ts";
import {
  whyNotInterface,
  whyNotRouter,
  whyNotRouterID,
  whyNotSecretKey,
  whyNotSecretName,
  whyNotSource,
} from "./peer-texts.ts";

/**
 * Finds what is wrong with a BGPPeer whose fields are of the right types: all that the rules of the CRD say, in the same
 * words. In the order of the fields; empty where the peer is good.
 */
export function checkBGPPeer(spec: BGPPeerSpec): readonly Problem[] {
  const { holdTime, keepaliveTime, connectRetryTime, bfd, gracefulRestart } = spec;
  return [
    ...checkWhere(spec),
    ...checkSource(spec),
    ...checkSelector("spec.nodeSelector", spec.nodeSelector),
    ...about("routerID", spec.routerID, whyNotRouterID),
    ...duration("holdTime", holdTime, TIMER_LIMITS.holdTime),
    ...duration("keepaliveTime", keepaliveTime, TIMER_LIMITS.keepaliveTime),
    ...checkKeepalive(spec),
    ...duration("connectRetryTime", connectRetryTime, TIMER_LIMITS.connectRetryTime),
    ...checkMultihop(spec),
    ...about("passwordSecretRef.name", spec.passwordSecretRef?.name, whyNotSecretName),
    ...about("passwordSecretRef.key", spec.passwordSecretRef?.key, whyNotSecretKey),
    ...duration("bfd.transmitInterval", bfd?.transmitInterval, TIMER_LIMITS.bfd),
    ...duration("bfd.receiveInterval", bfd?.receiveInterval, TIMER_LIMITS.bfd),
    ...duration("gracefulRestart.restartTime", gracefulRestart?.restartTime, TIMER_LIMITS.restartTime),
    ...checkRepeats("spec.addressFamilies", spec.addressFamilies),
  ];
}

/** Of the fields that say where the router is. */
function checkWhere(spec: BGPPeerSpec): readonly Problem[] {
  const { peerAddress, peerInterface, passive, peerPort } = spec;
  const problems: Problem[] = [];
  if ((peerAddress === undefined) === (peerInterface === undefined)) {
    const remedy = peerAddress ? "remove one of the two" : "add the router's address as peerAddress";
    problems.push({ path: "spec", message: `${PEER_TEXT.oneOf}; ${remedy}` });
  }
  problems.push(
    ...about("peerAddress", peerAddress, whyNotRouter),
    ...about("peerInterface", peerInterface, whyNotInterface),
  );
  if (peerInterface !== undefined) {
    const given = BY_ADDRESS.filter((field) => spec[field] !== undefined && spec[field] !== false);
    const text = (field: string) => `${field} does not go with peerInterface "${peerInterface}"; remove it`;
    problems.push(...given.map((field) => ({ path: `spec.${field}`, message: text(field) })));
  }
  if (passive && peerPort !== 179) {
    const message = `peerPort ${peerPort} is of no use with passive: the router connects; remove one of the two`;
    problems.push({ path: "spec.peerPort", message });
  }
  return problems;
}

/** Of the fields that say where the session comes from. */
function checkSource({ sourceAddress, bindInterface, peerAddress }: BGPPeerSpec): readonly Problem[] {
  const problems = [...about("sourceAddress", sourceAddress, whyNotSource)];
  const [source, peer] = [parseIP(sourceAddress ?? ""), parseIP(peerAddress ?? "")];
  const wrong = (message: string) =>
    problems.push({ path: "spec.sourceAddress", message: `"${sourceAddress}" ${message}` });
  if (source && peer && source.family !== peer.family) {
    const families = `is ${source.family} and peerAddress "${peerAddress}" is ${peer.family}`;
    wrong(`${families}; write an address of the node of the same family`);
  }
  if (source && sourceAddress === peerAddress) wrong("is the address of the router too; write one of the node");
  return [...problems, ...about("bindInterface", bindInterface, whyNotInterface)];
}

/** Keepalives must be three times as frequent as the hold timer needs them (RFC 4271 section 10). */
function checkKeepalive({ holdTime, keepaliveTime }: BGPPeerSpec): readonly Problem[] {
  if (keepaliveTime === undefined) return [];
  const hold = durationMs(holdTime);
  const keepalive = durationMs(keepaliveTime);
  if (hold === undefined || keepalive === undefined || keepalive * 3 <= hold) return [];
  if (!isWithin(hold, TIMER_LIMITS.holdTime) || !isWithin(keepalive, TIMER_LIMITS.keepaliveTime)) return [];
  const most = formatMs(Math.floor(hold / 3000) * 1000);
  const message = `"${keepaliveTime}" is more than a third of holdTime "${holdTime}"; write at most "${most}", or remove it`;
  return [{ path: "spec.keepaliveTime", message }];
}

function isWithin(ms: number, { leastMs, mostMs }: DurationLimits): boolean {
  return ms >= leastMs && ms <= mostMs;
}

function checkMultihop({ ebgpMultihop, myASN, peerASN, bfd }: BGPPeerSpec): readonly Problem[] {
  if (ebgpMultihop === undefined) return [];
  const problems: Problem[] = [];
  if (myASN === peerASN) {
    const message = `is for eBGP, and myASN and peerASN are both ${myASN}; remove it: iBGP goes over routers anyway`;
    problems.push({ path: "spec.ebgpMultihop", message });
  }
  if (bfd !== undefined) {
    const message = "is single-hop, and ebgpMultihop is for a router further away; remove one of the two";
    problems.push({ path: "spec.bfd", message });
  }
  return problems;
}

function about(
  field: string,
  text: string | undefined,
  whyNot: (text: string) => string | undefined,
): readonly Problem[] {
  const why = text === undefined ? undefined : whyNot(text);
  return why === undefined ? [] : [{ path: `spec.${field}`, message: `"${text}" ${why}` }];
}

function duration(field: string, text: string | undefined, limits: DurationLimits): readonly Problem[] {
  return about(field, text, (text) => whyNotDuration(text, limits));
}
