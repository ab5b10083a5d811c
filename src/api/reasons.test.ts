import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ASSIGNED_REASONS, POOL_READY_REASONS } from "./reasons.ts";

test.each([
  { section: "Service: `heraldlb.io/Assigned`", reasons: ASSIGNED_REASONS },
  { section: "IPPool: `Ready`", reasons: POOL_READY_REASONS },
])("docs/reasons.md explains the reasons of $section, and no others", ({ section, reasons }) => {
  const page = readFileSync(new URL("../../docs/reasons.md", import.meta.url), "utf8");
  const text = page.split("\n## ").find((part) => part.startsWith(section));
  const documented = [...(text ?? "").matchAll(/^\| `(\w+)` *\|/gm)].map(([, reason]) => reason);
  expect(documented).toEqual([...reasons]);
});
