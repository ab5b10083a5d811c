import type { Announce, BGPAnnounce } from "../api/announce.ts";
import { whyNotCommunity } from "../api/communities.ts";
import { whyNotInterfacePattern } from "../api/interface-patterns.ts";
import type { IPPoolSpec } from "../api/ippool.ts";
import { type LabelSelector, whyNotRequirement } from "../api/label-selector.ts";
import type { IPFamily } from "../api/objects.ts";
import type { Problem } from "../api/validate-spec.ts";
import { bitsOf } from "./addresses.ts";
import { compareRanges, overlap, parseRange, type Range } from "./ranges.ts";

/**
 * Finds what is wrong with a pool whose fields are of the right types: all that the rules of the CRD say, and what they
 * leave to the controller since CEL can't say it. In the order of the fields; empty where the pool is good.
 */
export function checkPool(spec: IPPoolSpec): readonly Problem[] {
  const addresses = readEntries("spec.addresses", spec.addresses);
  const exclude = readEntries("spec.exclude", spec.exclude);
  return [
    ...addresses.problems,
    ...checkOverlaps(addresses.entries),
    ...checkRepeats("spec.exclude", spec.exclude),
    ...exclude.problems,
    // An entry that can't be read may be the one that is meant.
    ...(addresses.problems.length === 0 ? checkExclude(exclude.entries, addresses.entries) : []),
    ...checkSelector("spec.namespaceSelector", spec.namespaceSelector),
    ...checkSelector("spec.serviceSelector", spec.serviceSelector),
    ...spec.announce.flatMap((announce, at) => checkAnnounce(`spec.announce[${at}]`, announce, addresses.entries)),
  ];
}

interface Entry {
  readonly path: string;
  readonly text: string;
  readonly at: number;
  readonly range: Range;
}

function readEntries(field: string, texts: readonly string[]) {
  const entries: Entry[] = [];
  const problems: Problem[] = [];
  for (const [at, text] of texts.entries()) {
    const path = `${field}[${at}]`;
    const range = parseRange(text);
    if (typeof range === "string") problems.push({ path, message: `"${text}" ${range}` });
    else entries.push({ path, text, at, range });
  }
  return { entries, problems };
}

function checkOverlaps(entries: readonly Entry[]): readonly Problem[] {
  const found: { readonly late: Entry; readonly early: Entry }[] = [];
  const [first, ...rest] = entries.toSorted((a, b) => compareRanges(a.range, b.range) || a.at - b.at);
  let widest = first;
  for (const next of rest) {
    if (widest && overlap(widest.range, next.range)) {
      const [early, late] = widest.at < next.at ? [widest, next] : [next, widest];
      found.push({ early, late });
    }
    if (!widest || next.range.family !== widest.range.family || next.range.last > widest.range.last) widest = next;
  }
  found.sort((a, b) => a.late.at - b.late.at);
  return found.map(({ early, late }) => ({
    path: late.path,
    message: `"${late.text}" overlaps ${early.path} "${early.text}"; keep each address in one entry only`,
  }));
}

function checkExclude(excluded: readonly Entry[], addresses: readonly Entry[]): readonly Problem[] {
  return excluded
    .filter(({ range }) => !addresses.some((entry) => overlap(entry.range, range)))
    .map(({ path, text }) => ({ path, message: `"${text}" has no address of the pool; correct it, or remove it` }));
}

function checkAnnounce(path: string, { layer2, bgp }: Announce, addresses: readonly Entry[]): readonly Problem[] {
  const problems: Problem[] = [];
  if ((layer2 === undefined) === (bgp === undefined))
    problems.push({ path, message: "must have exactly one of layer2 and bgp; make it two entries for both" });
  if (layer2) {
    const { interfaces = [], nodeSelector, preferredNodes = [] } = layer2;
    problems.push(
      ...checkTexts(`${path}.layer2.interfaces`, interfaces, whyNotInterfacePattern),
      ...checkSelector(`${path}.layer2.nodeSelector`, nodeSelector),
      ...preferredNodes.flatMap(({ selector }, at) =>
        checkSelector(`${path}.layer2.preferredNodes[${at}].selector`, selector),
      ),
    );
  }
  if (bgp) {
    problems.push(
      ...checkRepeats(`${path}.bgp.peers`, bgp.peers ?? []),
      ...checkSelector(`${path}.bgp.nodeSelector`, bgp.nodeSelector),
      ...checkAggregation(`${path}.bgp`, bgp, "IPv4", addresses),
      ...checkAggregation(`${path}.bgp`, bgp, "IPv6", addresses),
      ...checkTexts(`${path}.bgp.communities`, bgp.communities ?? [], whyNotCommunity),
    );
  }
  return problems;
}

/** A route that stands for several addresses must not draw traffic for addresses that are not the pool's. */
function checkAggregation(
  path: string,
  bgp: BGPAnnounce,
  family: IPFamily,
  addresses: readonly Entry[],
): readonly Problem[] {
  const field = family === "IPv4" ? "aggregationLength" : "aggregationLengthV6";
  const entries = addresses.filter(({ range }) => range.family === family);
  const reaching = entries.find(({ range }) => shortestLength(range) > bgp[field]);
  if (reaching === undefined) return [];
  const least = Math.max(...entries.map(({ range }) => shortestLength(range)));
  const message = `${field} ${bgp[field]} is wider than "${reaching.text}": its routes would reach beyond; write at least ${least}`;
  return [{ path: `${path}.${field}`, message }];
}

/** The shortest prefix length whose blocks lie wholly inside the range, where they have addresses of it. */
function shortestLength({ family, first, last }: Range): number {
  const ends = first | (last + 1n);
  let length: number = bitsOf(family);
  while (length > 0 && (ends & (1n << BigInt(bitsOf(family) - length))) === 0n) length--;
  return length;
}

function checkTexts(
  field: string,
  texts: readonly string[],
  whyNot: (text: string) => string | undefined,
): readonly Problem[] {
  const bad = texts.flatMap((text, at) => {
    const why = whyNot(text);
    return why === undefined ? [] : [{ path: `${field}[${at}]`, message: `"${text}" ${why}` }];
  });
  return [...checkRepeats(field, texts), ...bad];
}

/** Finds entries that a list has twice. */
export function checkRepeats(field: string, texts: readonly string[]): readonly Problem[] {
  return texts.flatMap((text, at) => {
    const before = texts.indexOf(text);
    return before === at
      ? []
      : [{ path: `${field}[${at}]`, message: `"${text}" repeats ${field}[${before}]; remove it` }];
  });
}

/** Finds requirements of a label selector that the API server refuses. */
export function checkSelector(path: string, selector: LabelSelector | undefined): readonly Problem[] {
  return (selector?.matchExpressions ?? []).flatMap((requirement, at) => {
    const message = whyNotRequirement(requirement);
    return message === undefined ? [] : [{ path: `${path}.matchExpressions[${at}]`, message }];
  });
}
