import { expect, test } from "vitest";
import { conditionPatch } from "./conditions.ts";

const NOW = Date.parse("2026-01-02T03:04:05.678Z");
const TYPE = "example.com/Well";
const well = { status: "True", reason: "Well", message: "all of it" } as const;
const ill = { status: "False", reason: "Ill", message: "some of it" } as const;
const patchOf = (condition: object) => ({ status: { conditions: [condition] } });

test.each([
  { name: "is not there", known: undefined, wanted: undefined, want: undefined },
  { name: "says so already", known: { ...well }, wanted: well, want: undefined },
  {
    name: "is new",
    known: undefined,
    wanted: well,
    want: patchOf({ type: TYPE, ...well, lastTransitionTime: "2026-01-02T03:04:05Z" }),
  },
  {
    name: "has another status",
    known: well,
    wanted: ill,
    want: patchOf({ type: TYPE, ...ill, lastTransitionTime: "2026-01-02T03:04:05Z" }),
  },
  {
    name: "has other words, so its time stays",
    known: well,
    wanted: { ...well, message: "most of it" },
    want: patchOf({ type: TYPE, ...well, message: "most of it" }),
  },
  { name: "goes", known: well, wanted: undefined, want: patchOf({ $patch: "delete", type: TYPE }) },
])("the patch of a condition that $name", ({ known, wanted, want }) => {
  expect(conditionPatch(TYPE, known, wanted, NOW)).toEqual(want);
});
