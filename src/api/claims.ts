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
    ips.push(`${ip}=${epoch}`);
    byInterface.set(name, ips);
  }
  return [...byInterface]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, ips]) => ({ interface: name, ips: ips.sort() }));
}

/** Reads the claims of a Speaker's status. An entry that is no claim is left out: it was not written by a speaker. */
export function decodeClaims(recorded: RecordedClaims): readonly Claim[] {
  return recorded.flatMap(({ interface: name, ips }) =>
    ips.flatMap((text) => {
      const [, ip, digits] = CLAIM.exec(text) ?? [];
      if (ip === undefined || digits === undefined) return [];
      const epoch = BigInt(digits);
      return epoch > LAST_EPOCH ? [] : [{ ip, interface: name, epoch }];
    }),
  );
}

const CLAIM = /^([0-9a-f.:]{2,39})=(0|[1-9][0-9]{0,19})$/;
const LAST_EPOCH = 0xffff_ffff_ffff_ffffn;
