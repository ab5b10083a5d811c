import { type Claim, decodeClaims, type RecordedClaims } from "../api/claims.ts";

/** Reads recorded claims once: with 10 000 of them that takes longer than the rest, and most objects stay as they are. */
export function readClaims(claims: RecordedClaims[number]): readonly Claim[] {
  const known = readings.get(claims) ?? decodeClaims([claims]);
  readings.set(claims, known);
  return known;
}

const readings = new WeakMap<RecordedClaims[number], readonly Claim[]>();
