import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NODE, openly, ROOT } from "./run.mjs";

const bin = (name) => join(ROOT, "node_modules/.bin", name);

const CHECKS = [
  { title: "Lint and format", run: () => openly(bin("biome"), ["check", "."]) },
  { title: "Types", run: () => openly(bin("tsc"), ["--noEmit"]) },
  { title: "Generated CRDs", run: () => openly(NODE, ["src/api/generate-crds.ts", "--check"]) },
];

/** Runs everything that must pass; its last line is "N passed, N failed", each check counted as one. */
export async function runChecks(vitestArgs) {
  const broken = [];
  for (const { title, run } of CHECKS) {
    heading(title);
    if ((await run()) !== 0) broken.push(title);
  }
  heading("Tests");
  const tests = await runVitest(vitestArgs);
  const passed = tests.passed + CHECKS.length - broken.length;
  const failed = tests.failed + broken.length;
  if (broken.length > 0) console.log(`\nnot in order, see above: ${broken.join(", ")}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Runs vitest alone, for what needs no setup. */
export function runUnitTests(vitestArgs) {
  return openly(NODE, [
    join(ROOT, "node_modules/vitest/vitest.mjs"),
    "run",
    "--configLoader",
    "native",
    "--project",
    "unit",
    ...vitestArgs,
  ]);
}

async function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), "herald-report-"));
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  try {
    const code = await openly(NODE, [
      join(ROOT, "node_modules/vitest/vitest.mjs"),
      "run",
      "--configLoader",
      "native",
      ...reporters,
      ...args,
    ]);
    return countTests(code, JSON.parse(readFileSync(report, "utf8")));
  } catch {
    // No report: vitest itself failed, and has said why.
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Counts a file that could not even be loaded, or an error outside of all tests, as one failed test. */
export function countTests(exitCode, { numPassedTests, numFailedTests, testResults }) {
  const unloaded = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((one) => one.status === "failed"),
  );
  const failed = numFailedTests + unloaded.length;
  return { passed: numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

function heading(title) {
  console.log(`\n== ${title}`);
}
