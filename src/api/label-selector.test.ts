import { expect, test } from "vitest";
import { type LabelSelector, matchesSelector } from "./label-selector.ts";

const labels = { rack: "a", ssd: "" };

test.each<{ name: string; selector: LabelSelector | undefined; want: boolean }>([
  { name: "absent", selector: undefined, want: true },
  { name: "empty", selector: {}, want: true },
  { name: "equal label", selector: { matchLabels: { rack: "a" } }, want: true },
  { name: "other value", selector: { matchLabels: { rack: "b" } }, want: false },
  { name: "a key that only Object has", selector: { matchLabels: { constructor: "a" } }, want: false },
  { name: "In", selector: { matchExpressions: [{ key: "rack", operator: "In", values: ["b", "a"] }] }, want: true },
  {
    name: "In, absent key",
    selector: { matchExpressions: [{ key: "row", operator: "In", values: ["a"] }] },
    want: false,
  },
  { name: "NotIn", selector: { matchExpressions: [{ key: "rack", operator: "NotIn", values: ["a"] }] }, want: false },
  {
    name: "NotIn, absent key",
    selector: { matchExpressions: [{ key: "row", operator: "NotIn", values: ["a"] }] },
    want: true,
  },
  { name: "Exists, empty value", selector: { matchExpressions: [{ key: "ssd", operator: "Exists" }] }, want: true },
  { name: "DoesNotExist", selector: { matchExpressions: [{ key: "ssd", operator: "DoesNotExist" }] }, want: false },
  {
    name: "one of two requirements",
    selector: { matchLabels: { rack: "a" }, matchExpressions: [{ key: "ssd", operator: "DoesNotExist" }] },
    want: false,
  },
])("a selector: $name", ({ selector, want }) => expect(matchesSelector(selector, labels)).toBe(want));
