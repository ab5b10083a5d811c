import { expect, test } from "vitest";
import type { Refusal } from "../ipam/choose.ts";
import { verdictText } from "./verdict-text.ts";

test.each<{ name: string; tried: Refusal[]; want: string }>([
  {
    name: "a pool that is full",
    tried: [{ pool: "a", why: "Lacks", without: [], exhausted: ["IPv4"] }],
    want: 'pool "a" has no free IPv4 address',
  },
  {
    name: "a pool of another family",
    tried: [{ pool: "a", why: "Lacks", without: ["IPv6"], exhausted: [] }],
    want: 'pool "a" has no IPv6 addresses',
  },
  {
    name: "a pool that lacks both ways",
    tried: [{ pool: "a", why: "Lacks", without: ["IPv6"], exhausted: ["IPv4"] }],
    want: 'pool "a" has no IPv6 addresses and has no free IPv4 address',
  },
  {
    name: "a bad pool and one for requests",
    tried: [
      { pool: "a", why: "Invalid" },
      { pool: "b", why: "NotAutoAssigned" },
    ],
    want: 'pool "a" is not Ready; pool "b" has autoAssign: false',
  },
])("the message says of $name why it won't do", ({ tried, want }) => {
  expect(verdictText({ reason: "NoFittingPool", tried })).toBe(
    `no pool can give what is asked for: ${want}; add a pool that fits, or mend one of these`,
  );
});

test("of many pools a few are named", () => {
  const tried = Array.from({ length: 300 }, (_, at): Refusal => ({ pool: `p${at}`, why: "Invalid" }));
  expect(verdictText({ reason: "NoFittingPool", tried })).toContain('pool "p4" is not Ready; and 295 more; add');
});
