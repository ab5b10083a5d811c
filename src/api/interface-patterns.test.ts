import { expect, test } from "vitest";
import { whyNotInterfacePattern } from "./interface-patterns.ts";

test.each([
  "eth0",
  "bond0.100",
  "e",
  "enp0s31f6np0xxx",
  "br-lan",
  "eth0@x",
  "/eth[0-9]+/",
  "/./",
  "/a/b/",
  "/(?=eth)eth0/",
])("%s is a pattern", (text) => expect(whyNotInterfacePattern(text)).toBeUndefined());

test.each(["", " ", "eth 0", "eth0\n", "sixteen-letters-", "eth0/", "a/b", "/", "//", "/eth", "\u00a0"])(
  "%j is none, and it is said what is",
  (text) =>
    expect(whyNotInterfacePattern(text)).toMatch(/^is not an interface; write its name .* like "\/eth\[0-9\]\+\/"$/),
);

test.each(["/(/", "/[/", "/*/", "/a{2,1}/", "/\\/", "/\\_/", "/(?<a>x)(?<a>y)/"])(
  "%s is no regular expression",
  (text) => {
    expect(whyNotInterfacePattern(text)).toMatch(
      /^is not a regular expression: [^/]+; correct it, or write the interface's name$/,
    );
  },
);
