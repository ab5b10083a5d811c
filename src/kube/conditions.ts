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

/** What a condition says, without when. */
export type ConditionText = Pick<Condition, "status" | "reason" | "message">;

/**
 * Gives the strategic merge patch that makes the condition of this type say what is `wanted`, or be gone, and leaves the
 * others alone; undefined where nothing is to be done. `known` is what it says on the version that is patched: the time
 * there stays where the status does. `now` is in milliseconds since 1970.
 */
export function conditionPatch(
  type: string,
  known: ConditionText | undefined,
  wanted: ConditionText | undefined,
  now: number,
): object | undefined {
  if (saysTheSame(known, wanted)) return undefined;
  if (wanted === undefined) return { status: { conditions: [{ $patch: "delete", type }] } };
  const { status, reason, message } = wanted;
  const time = known?.status === status ? {} : { lastTransitionTime: wholeSeconds(now) };
  return { status: { conditions: [{ type, status, reason, message, ...time }] } };
}

/** Tells whether two conditions say the same; undefined: there is none. */
export function saysTheSame(a: ConditionText | undefined, b: ConditionText | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.status === b.status && a.reason === b.reason && a.message === b.message;
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
