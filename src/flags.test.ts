import { expect, test } from "vitest";
import { parseDuration } from "./durations.ts";
import {
  type Flag,
  helpText,
  readAddress,
  readDuration,
  readFlags,
  readInteger,
  readLogLevel,
  readPathOrOff,
  readUrlOrOff,
} from "./flags.ts";

const flags: readonly Flag[] = [
  { name: "namespace", value: "NAME", help: "where it lives", default: "herald-system" },
  { name: "class-only", help: "leave class-less Services alone" },
];

test("flags come with their defaults", () => {
  expect([...readFlags("controller", flags, [])]).toEqual([["namespace", "herald-system"]]);
  expect([...readFlags("controller", flags, ["--namespace=a", "--class-only"])]).toEqual([
    ["namespace", "a"],
    ["class-only", "true"],
  ]);
});

test.each([
  {
    name: "an unknown flag",
    args: ["--nope"],
    want: `controller: unknown option '--nope'; see "herald controller --help"`,
  },
  { name: "a stray word", args: ["x"], want: /^controller: unexpected argument 'x'/ },
  {
    name: "a missing value",
    args: ["--namespace"],
    want: /^controller: option '--namespace <value>' argument missing/,
  },
])("a wrong call is one line with the remedy: $name", ({ args, want }) => {
  expect(() => readFlags("controller", flags, args)).toThrow(want);
});

test("--help names every flag, its value and default", () => {
  expect(helpText("herald controller [FLAGS]", "Assigns.", flags)).toBe(
    "Usage: herald controller [FLAGS]\n\nAssigns.\n\nFlags:\n" +
      "  --namespace NAME   where it lives (default herald-system)\n" +
      "  --class-only       leave class-less Services alone\n",
  );
});

test.each([
  { text: "0.0.0.0:7980", want: { host: "0.0.0.0", port: 7980 } },
  { text: ":7980", want: { port: 7980 } },
  { text: "[::1]:1", want: { host: "::1", port: 1 } },
  { text: "7980", want: undefined },
  { text: "::1:7980", want: undefined },
  { text: "0.0.0.0:70000", want: undefined },
])("an address with a port: $text", ({ text, want }) => {
  if (want === undefined) expect(() => readAddress("metrics-address", text)).toThrow("--metrics-address");
  else expect(readAddress("metrics-address", text)).toEqual(want);
});

test.each([
  { text: "100ms", want: 100 },
  { text: "1.5s", want: 1_500 },
  { text: "2m", want: 120_000 },
  { text: "100", want: undefined },
  { text: "-1s", want: undefined },
  { text: "1h", want: undefined },
])("a duration: $text", ({ text, want }) => expect(parseDuration(text)).toBe(want));

test("a duration out of bounds is refused with the bounds", () => {
  expect(readDuration("hello-interval", "100ms", 50, 1_000)).toBe(100);
  expect(() => readDuration("hello-interval", "10ms", 50, 1_000)).toThrow("not a duration from 50ms to 1000ms");
});

test("a log level that is none is refused with the list", () => {
  expect(readLogLevel("warn")).toBe("warn");
  expect(() => readLogLevel("loud")).toThrow("there are debug, info, warn, error");
});

test.each([
  { text: "3", want: 3 },
  { text: "2", want: 2 },
  { text: "1", want: undefined },
  { text: "21", want: undefined },
  { text: "2.5", want: undefined },
  { text: "", want: undefined },
])("a whole number within bounds: '$text'", ({ text, want }) => {
  if (want === undefined) expect(() => readInteger("detect-multiplier", text, 2, 20)).toThrow("from 2 to 20");
  else expect(readInteger("detect-multiplier", text, 2, 20)).toBe(want);
});

test("a URL is one of HTTP, or off", () => {
  expect(readUrlOrOff("node-proxy-health", "http://127.0.0.1:10256/healthz")).toBe("http://127.0.0.1:10256/healthz");
  expect(readUrlOrOff("node-proxy-health", "off")).toBeUndefined();
  for (const text of ["", "127.0.0.1:10256", "localhost:10256/healthz", "file:///x"])
    expect(() => readUrlOrOff("node-proxy-health", text)).toThrow('nor "off"');
});

test("a path is absolute, or there is none", () => {
  expect(readPathOrOff("gobgp-socket", "/run/gobgp/gobgp.sock")).toBe("/run/gobgp/gobgp.sock");
  expect(readPathOrOff("gobgp-socket", "off")).toBeUndefined();
  for (const text of ["", "gobgp.sock", "unix:///run/gobgp.sock"])
    expect(() => readPathOrOff("gobgp-socket", text)).toThrow('nor "off"');
});
