import { expect, test } from "vitest";
import { createLog, errorText, type LogLevel } from "./log.ts";

function logged(level: LogLevel, human: boolean) {
  const lines: string[] = [];
  const now = () => new Date("2026-01-02T03:04:05.678Z");
  return { lines, log: createLog({ level, human, now, write: (line) => lines.push(line) }) };
}

test("a line is one JSON object; bigints and errors are written as text", () => {
  const { lines, log } = logged("info", false);
  log.with({ node: "n1" }).warn("claims clash", { epoch: 7n, error: new Error("a\nb"), none: undefined });
  expect(lines).toEqual([
    '{"time":"2026-01-02T03:04:05.678Z","level":"warn","message":"claims clash","node":"n1","epoch":"7","error":"a b"}\n',
  ]);
});

test("a field can't pass for the time, level or message", () => {
  const { lines, log } = logged("info", false);
  log.info("true", { message: "forged", level: "error" });
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ message: "true", level: "info" });
});

test("lines below the level are dropped", () => {
  const { lines, log } = logged("warn", true);
  log.debug("a");
  log.info("b");
  log.error("c", { why: "two words", n: 1 });
  expect(lines).toEqual(['03:04:05.678 ERROR c why="two words" n=1\n']);
});

test("an error's causes follow it, each once", () => {
  const cause = new Error("connect refused", { cause: "port 6443" });
  expect(errorText(new Error("list Services: connect refused", { cause }))).toBe(
    "list Services: connect refused: port 6443",
  );
  const loop = new Error("loop");
  loop.cause = loop;
  expect(errorText(loop)).toBe("loop");
});

test("nothing that is logged can command the terminal", () => {
  const { lines, log } = logged("info", true);
  log.info("seen", { node: "n1\u001b[2J", names: ["\u009b2J"] });
  expect(lines).toEqual(['03:04:05.678 INFO  seen node="n1\\u001b[2J" names=["\\u009b2J"]\n']);
});
