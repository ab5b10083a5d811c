import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  ANNOUNCED_REASONS,
  ASSIGNED_REASONS,
  POOL_EXHAUSTED_REASONS,
  POOL_OVERLAPPING_REASONS,
  POOL_READY_REASONS,
  POOL_STRANDED_REASONS,
  SPEAKER_BROADCAST_REASONS,
  SPEAKER_CONFLICT_REASONS,
  SPEAKER_GOBGP_REASONS,
  SPEAKER_HELLO_BLOCKED_REASONS,
  SPEAKER_ISOLATED_REASONS,
  SPEAKER_NEXT_HOP_REASONS,
  SPEAKER_PEER_REFUSED_REASONS,
  SPEAKER_SESSION_REASONS,
  SPEAKER_TIMERS_REASONS,
  STRANDED_REASONS,
} from "./reasons.ts";

const ALL = {
  "Service: `heraldlb.io/Assigned`": ASSIGNED_REASONS,
  "Service: `heraldlb.io/Stranded`": STRANDED_REASONS,
  "Service: `heraldlb.io/Announced`": ANNOUNCED_REASONS,
  "Speaker: `HelloBlocked`": SPEAKER_HELLO_BLOCKED_REASONS,
  "Speaker: `Isolated`": SPEAKER_ISOLATED_REASONS,
  "Speaker: `BroadcastBlocked`": SPEAKER_BROADCAST_REASONS,
  "Speaker: `AddressConflict`": SPEAKER_CONFLICT_REASONS,
  "Speaker: `TimersDiffer`": SPEAKER_TIMERS_REASONS,
  "Speaker: `GobgpUnavailable`": SPEAKER_GOBGP_REASONS,
  "Speaker: `PeerRefused`": SPEAKER_PEER_REFUSED_REASONS,
  "Speaker: `SessionDown`": SPEAKER_SESSION_REASONS,
  "Speaker: `NextHopMissing`": SPEAKER_NEXT_HOP_REASONS,
  "IPPool: `Ready`": POOL_READY_REASONS,
  "IPPool: `Overlapping`": POOL_OVERLAPPING_REASONS,
  "IPPool: `Exhausted`": POOL_EXHAUSTED_REASONS,
  "IPPool: `Stranded`": POOL_STRANDED_REASONS,
};
const page = readFileSync(new URL("../../docs/reasons.md", import.meta.url), "utf8");
const sections = page.split("\n## ").slice(1);

test("docs/reasons.md has a section for each condition, and no others", () => {
  expect(sections.map((section) => section.split("\n")[0])).toEqual(Object.keys(ALL));
});

test.each(Object.entries(ALL))("docs/reasons.md explains the reasons of %s, and no others", (title, reasons) => {
  const text = sections.find((section) => section.startsWith(`${title}\n`));
  const documented = [...(text ?? "").matchAll(/^\| `(\w+)` *\|/gm)].map(([, reason]) => reason);
  expect(documented).toEqual([...reasons]);
});
