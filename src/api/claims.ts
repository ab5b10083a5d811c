import { firstNotBefore } from "../binary-search.ts";
import type { SpeakerStatus } from "./speaker.ts";

/** A node's word that it owns an IP on one interface's segment. */
export interface Claim {
  /** Canonical text. */
  readonly ip: string;
  readonly interface: string;
  /** 0 to 2^64 - 1. */
  readonly epoch: bigint;
}

/** Claims as a Speaker's status holds them: one text per claim, so that 10 000 stay far below the API server's limit. */
export type RecordedClaims = NonNullable<SpeakerStatus["layer2"]>["claims"];

/** Writes claims for a Speaker's status; the same claims in any order give the same value. */
export function encodeClaims(claims: readonly Claim[]): RecordedClaims {
  const byInterface = new Map<string, string[]>();
  for (const { ip, interface: name, epoch } of claims) {
    const ips = byInterface.get(name) ?? [];
    ips.push(claimText(ip, epoch));
    byInterface.set(name, ips);
  }
  return [...byInterface]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, ips]) => ({ interface: name, ips: ips.sort() }));
}

/** Writes one claim as it stands among those of its interface, which are sorted. */
export function claimText(ip: string, epoch: bigint): string {
  return `${ip}=${epoch}`;
}

/** Reads the claims of a Speaker's status. An entry that is no claim is left out: it was not written by a speaker. */
export function decodeClaims(recorded: RecordedClaims): readonly Claim[] {
  return recorded.flatMap(({ interface: name, ips }) =>
    ips.flatMap((text) => {
      const epoch = epochIn(text);
      return epoch === undefined ? [] : [{ ip: ipIn(text), interface: name, epoch }];
    }),
  );
}

/**
 * Gives the epoch with which an IP (canonical text) stands among recorded claims. They are sorted, so of 10 000 only some
 * are looked at; in a list that somebody else wrote it may not be found.
 */
export function recordedEpoch({ ips }: RecordedClaims[number], ip: string): bigint | undefined {
  const start = `${ip}=`;
  const found = ips[firstNotBefore(ips, (text) => text < start)];
  return found?.startsWith(start) ? epochIn(found) : undefined;
}

/** Gives the IPs of which one record says something else than the other. */
export function changedClaims(before: RecordedClaims, after: RecordedClaims): readonly string[] {
  const named = (claims: RecordedClaims, name: string) => claims.find((one) => one.interface === name)?.ips ?? [];
  const names = new Set([...before, ...after].map((one) => one.interface));
  const texts = [...names].flatMap((name) => {
    const { gone, come } = changedTexts(named(before, name), named(after, name));
    return [...gone, ...come];
  });
  return [...new Set(texts.map(ipIn))];
}

/** Compares the claims of an interface in two records. They are sorted; in others, which no speaker wrote, it finds more than there is, and all that there is. */
export function changedTexts(before: readonly string[], after: readonly string[]): { gone: string[]; come: string[] } {
  const gone: string[] = [];
  const come: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    const [was, is] = [before[i] as string, after[j] as string];
    if (was < is) gone.push(was);
    else if (is < was) come.push(is);
    if (was <= is) i++;
    if (is <= was) j++;
  }
  return { gone: gone.concat(before.slice(i)), come: come.concat(after.slice(j)) };
}

/** Gives the IP that a recorded claim is about. */
export function ipIn(text: string): string {
  return text.slice(0, text.indexOf("="));
}

function epochIn(text: string): bigint | undefined {
  const [, digits] = CLAIM.exec(text) ?? [];
  const epoch = digits === undefined ? undefined : BigInt(digits);
  return epoch === undefined || epoch > LAST_EPOCH ? undefined : epoch;
}

const CLAIM = /^[0-9a-f.:]{2,39}=(0|[1-9][0-9]{0,19})$/;
const LAST_EPOCH = 0xffff_ffff_ffff_ffffn;
