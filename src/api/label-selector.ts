import type { Static } from "typebox";
import type { LabelSelectorSchema } from "./common-schemas.ts";

/** A label selector as in the Kubernetes API: all of matchLabels and all of matchExpressions must hold; empty matches everything. */
export type LabelSelector = Static<typeof LabelSelectorSchema>;

type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];

/** Tells whether the labels fulfil the selector. An absent selector matches everything, as Herald's fields define it. */
export function matchesSelector(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (selector === undefined) return true;
  const wanted = Object.entries(selector.matchLabels ?? {});
  return (
    wanted.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value) &&
    (selector.matchExpressions ?? []).every((requirement) => matchesRequirement(requirement, labels))
  );
}

/** Says what is wrong with a requirement, as the API server does; undefined where nothing is. */
export function whyNotRequirement({ operator, values = [] }: Requirement): string | undefined {
  const needsValues = operator === "In" || operator === "NotIn";
  if (needsValues === values.length > 0) return undefined;
  return `operator ${operator} ${needsValues ? "needs values; add at least one" : "takes no values; remove them"}`;
}

function matchesRequirement(
  { key, operator, values = [] }: Requirement,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}
