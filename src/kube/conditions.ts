import type { Condition } from "../api/objects.ts";

export type WantedCondition = Omit<Condition, "lastTransitionTime">;

/**
 * Gives the conditions with each of `wanted` among them and without those of the types in `unwanted`; undefined where
 * they are so already. Conditions of other types stay as they are. `now` is in milliseconds since 1970.
 */
export function conditionsWith(
  conditions: readonly Condition[],
  wanted: readonly WantedCondition[],
  now: number,
  unwanted: readonly string[] = [],
): readonly Condition[] | undefined {
  const kept = conditions.filter(({ type }) => !unwanted.includes(type));
  let changed = kept.length < conditions.length;
  for (const one of wanted) {
    const at = kept.findIndex(({ type }) => type === one.type);
    const known = kept[at];
    if (known && FIELDS.every((field) => known[field] === one[field])) continue;
    changed = true;
    const condition = { ...one, lastTransitionTime: transitionTime(known, one, now) };
    if (known) kept[at] = condition;
    else kept.push(condition);
  }
  return changed ? kept : undefined;
}

const FIELDS = ["status", "reason", "message", "observedGeneration"] as const;

function transitionTime(known: Condition | undefined, wanted: WantedCondition, now: number): string {
  if (known?.status === wanted.status && known.lastTransitionTime !== "") return known.lastTransitionTime;
  return wholeSeconds(now);
}

/** Writes a time in milliseconds since 1970 as the Kubernetes API does. */
export function wholeSeconds(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");
}
