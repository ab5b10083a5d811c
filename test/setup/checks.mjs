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

/** What `npm run soak` tries, and test:unit a little of: the address contract, and layer 2 under faults. */
const SOAK = ["test/model", "test/sim/random-faults"];

/** Runs the random tests for minutes instead of seconds, from seeds that were not tried before. */
export async function runSoak(vitestArgs) {
  const seed = String(Date.now() % 2 ** 30);
  const settings = {
    HERALD_MODEL_RUNS: "10000",
    HERALD_MODEL_SEED: seed,
    HERALD_SIM_SEEDS: "3000",
    HERALD_SIM_SEED: seed,
  };
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;
  const chosen = Object.keys(settings).map((name) => `${name}=${process.env[name]}`);
  heading(`Soak: ${chosen.join(" ")}`);
  const code = await runUnitTests([...SOAK, ...vitestArgs]);
  console.log(code === 0 ? "\nsoak passed" : "\nsoak failed: the message above has the seed that shows it again");
  return code;
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
