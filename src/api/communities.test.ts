import { expect, test } from "vitest";
import { whyNotCommunity } from "./communities.ts";

test.each([
  "0:0",
  "65000:100",
  "65535:65535",
  "large:1:0:0",
  "large:4294967295:4294967295:4294967295",
  "no-export",
  "no-advertise",
  "no-export-subconfed",
  "local-as",
  "no-peer",
  "graceful-shutdown",
  "blackhole",
])("%s is a community", (text) => expect(whyNotCommunity(text)).toBeUndefined());

test.each([
  ...[
    "",
    ":",
    "1",
    "1:",
    ":1",
    "1:2:3",
    "65536:0",
    "0:65536",
    "01:2",
    "1:02",
    "-1:2",
    "1 :2",
    "1:2 ",
    "0x1:2",
    "1.0:2",
  ],
  ...[
    "large:1:2",
    "large:1:2:3:4",
    "large:1:2:4294967296",
    "large:0:1:2",
    "large:1::3",
    "large:",
    "Large:1:2:3",
    "large:1e3:1:1",
  ],
  ...["NO-EXPORT", "no_export", "internet", "toString", "１:２"],
])("%j is none, and it is said what is", (text) => {
  expect(whyNotCommunity(text)).toMatch(
    /^is not a community; write one like "65000:100" .* or one of graceful-shutdown,/,
  );
});
