import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const cache = mkdtempSync(join(tmpdir(), "herald-setup-"));
beforeAll(() => void vi.stubEnv("XDG_CACHE_HOME", cache));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

const file = (status: "passed" | "failed", ...tests: readonly ("passed" | "failed")[]) => ({
  status,
  assertionResults: tests.map((one) => ({ status: one })),
});

test.each([
  {
    name: "all passed",
    code: 0,
    passed: 3,
    failed: 0,
    files: [file("passed", "passed")],
    want: { passed: 3, failed: 0 },
  },
  {
    name: "one failed",
    code: 1,
    passed: 2,
    failed: 1,
    files: [file("failed", "failed")],
    want: { passed: 2, failed: 1 },
  },
  {
    name: "a file that cannot be loaded",
    code: 1,
    passed: 2,
    failed: 0,
    files: [file("failed")],
    want: { passed: 2, failed: 1 },
  },
  {
    name: "an error outside of all tests",
    code: 1,
    passed: 2,
    failed: 0,
    files: [file("passed")],
    want: { passed: 2, failed: 1 },
  },
])("the closing line counts $name", async ({ code, passed, failed, files, want }) => {
  const { countTests } = await import("../setup/checks.mjs");
  const report = { numPassedTests: passed, numFailedTests: failed, testResults: files };
  expect(countTests(code, report)).toEqual(want);
});

test("only one process at a time installs, and the next one sees what it did", async () => {
  const { alone } = await import("../setup/lock.mjs");
  const events: string[] = [];
  let finish = () => {};
  const first = alone(
    "one",
    () => {},
    () => {
      events.push("first starts");
      return new Promise<void>((resolve) => {
        finish = () => {
          events.push("first ends");
          resolve();
        };
      });
    },
  );
  await vi.waitUntil(() => events.length > 0);
  const second = alone(
    "one",
    () => finish(),
    async () => void events.push("second"),
  );
  await Promise.all([first, second]);
  expect(events).toEqual(["first starts", "first ends", "second"]);
});

test("a process that died while it installed holds up nobody", async () => {
  const { alone } = await import("../setup/lock.mjs");
  const lock = join(cache, "herald/locks/three");
  mkdirSync(lock, { recursive: true });
  // The pid is alive, but it is not the process that took the lock.
  writeFileSync(join(lock, "holder"), `${process.pid} 1`);
  expect(
    await alone(
      "three",
      () => {},
      async () => "done",
    ),
  ).toBe("done");
  expect(existsSync(lock)).toBe(false);
});

test("what is there is not installed again, and what fails leaves no lock", async () => {
  const { install } = await import("../setup/install.mjs");
  const { Problem } = await import("../setup/problem.mjs");
  const log = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  let there = false;
  const part = (work: () => Promise<void>) => ({
    lock: "two",
    missing: () => (there ? [] : ["it"]),
    title: () => "installing it",
    install: work,
  });
  const refuse = part(async () => {
    throw new Problem("install it: no");
  });
  const succeed = part(async () => {
    there = true;
  });
  await expect(install([refuse])).rejects.toThrow("install it: no");
  await install([succeed]);
  await install([refuse]);
  log.mockRestore();
  expect(there).toBe(true);
});

test("a command that fails gives one line with the last of what it wrote", async () => {
  const { quietly } = await import("../setup/run.mjs");
  const script = "console.log('first'); console.error('no such thing'); process.exitCode = 3";
  await expect(quietly("build it", process.execPath, ["-e", script])).rejects.toThrow(
    /^build it: .* exit code 3: .*no such thing$/,
  );
  await expect(quietly("build it", "/nonexistent", [])).rejects.toThrow(/^build it: .*ENOENT$/);
});
