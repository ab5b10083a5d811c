import { claimText, encodeClaims, type RecordedClaims } from "../api/claims.ts";
import type { ClaimView } from "../l2/segment.ts";
import type { SegmentState } from "./segment-messages.ts";

interface Shown {
  readonly of: SegmentState["claims"];
  readonly claims: RecordedClaims[number];
}

/**
 * The claims of this node's interfaces as its Speaker object shows them, which is what encodeClaims gives of those that
 * are announced. Of 10 000 only those are written anew that changed since the last time.
 */
export class OwnClaims {
  readonly #shown = new Map<string, Shown>();

  /** Gives those of one interface; the same object until some change. */
  of({ interface: name, claims }: Pick<SegmentState, "interface" | "claims">): RecordedClaims[number] {
    const before = this.#shown.get(name);
    if (before?.of === claims) return before.claims;
    const shown = before === undefined ? written(name, claims) : renewed(before, claims);
    this.#shown.set(name, { of: claims, claims: shown });
    return shown;
  }
}

function written(name: string, claims: SegmentState["claims"]): RecordedClaims[number] {
  const announced = [...claims.values()].filter(({ tentative }) => !tentative);
  const [shown] = encodeClaims(announced.map(({ ip, epoch }) => ({ ip, epoch, interface: name })));
  return shown ?? { interface: name, ips: [] };
}

function renewed({ of: before, claims: shown }: Shown, claims: SegmentState["claims"]): RecordedClaims[number] {
  const changed = before.differences(claims);
  const gone = new Set(changed.flatMap((ip) => textOf(before.get(ip))));
  const come = changed.flatMap((ip) => textOf(claims.get(ip))).sort();
  const kept = shown.ips.filter((text) => !gone.has(text));
  return { interface: shown.interface, ips: merged(kept, come) };
}

/** None of one that is not announced yet. */
function textOf(claim: ClaimView | undefined): string[] {
  return claim === undefined || claim.tentative ? [] : [claimText(claim.ip, claim.epoch)];
}

/** Gives all of two sorted lists, sorted. */
function merged(many: readonly string[], few: readonly string[]): string[] {
  const all: string[] = [];
  let at = 0;
  for (const text of few) {
    for (; at < many.length && (many[at] as string) < text; at++) all.push(many[at] as string);
    all.push(text);
  }
  return all.concat(many.slice(at));
}
