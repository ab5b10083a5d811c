import { Value } from "typebox/value";
import { type IPPoolSpec, IPPoolSpecSchema } from "../api/ippool.ts";
import { compareRanges, overlap, parseRange, type Range } from "./ranges.ts";

/** What is wrong with a part of an object: `path` in it, and a sentence about it that ends with the remedy. */
export interface Problem {
  /** As the API server writes paths: "spec.addresses[3]". */
  readonly path: string;
  readonly message: string;
}

/**
 * Finds what is wrong with the spec of an IPPool, as it stands in a manifest, without asking an API server. Empty where
 * it is good. What the API server refuses is refused here too, and so is what only the controller finds.
 */
export function validateIPPool(spec: unknown): readonly Problem[] {
  const filled = Value.Default(IPPoolSpecSchema, structuredClone(spec));
  if (Value.Check(IPPoolSpecSchema, filled)) return checkAddresses(filled);
  return Value.Errors(IPPoolSpecSchema, filled).map(({ instancePath, message }) => ({
    path: `spec${instancePath.replace(/\/(\d+)(?=\/|$)/g, "[$1]").replaceAll("/", ".")}`,
    message,
  }));
}

/** Finds what is wrong with the addresses of a pool, in their order. */
export function checkAddresses({ addresses }: Pick<IPPoolSpec, "addresses">): readonly Problem[] {
  const problems: Problem[] = [];
  const good: { range: Range; entry: string; at: number }[] = [];
  for (const [at, entry] of addresses.entries()) {
    const range = parseRange(entry);
    if (typeof range === "string") problems.push(problem(at, `"${entry}" ${range}`));
    else good.push({ range, entry, at });
  }
  good.sort((a, b) => compareRanges(a.range, b.range) || a.at - b.at);
  let widest = good[0];
  for (const next of good.slice(1)) {
    if (widest && overlap(widest.range, next.range)) {
      const [early, late] = widest.at < next.at ? [widest, next] : [next, widest];
      const other = `spec.addresses[${early.at}] "${early.entry}"`;
      problems.push(problem(late.at, `"${late.entry}" overlaps ${other}; keep each address in one entry only`));
    }
    if (!widest || next.range.family !== widest.range.family || next.range.last > widest.range.last) widest = next;
  }
  return problems.sort((a, b) => indexIn(a.path) - indexIn(b.path));
}

function problem(at: number, message: string): Problem {
  return { path: `spec.addresses[${at}]`, message };
}

function indexIn(path: string): number {
  return Number(/\d+/.exec(path)?.[0]);
}
