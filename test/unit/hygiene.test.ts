import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const text = (file: string) => readFileSync(join(ROOT, file), "utf8");
const json = (file: string) => JSON.parse(text(file));

/** What is in the repository, or would be with the next commit. */
const files = execFileSync(
  "git",
  ["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
  { cwd: ROOT },
)
  .toString()
  .split("\n")
  .filter((file) => file !== "");

test("package-lock.json names no address: everybody's own registry serves it", () => {
  const packages = Object.entries<{ resolved?: string; link?: boolean }>(json("package-lock.json").packages);
  expect(packages.filter(([, { resolved, link }]) => resolved !== undefined && !link).map(([path]) => path)).toEqual(
    [],
  );
});

test("package-lock.json has an entry for every optional package: `npm ci` refuses one that leaves any out", () => {
  const packages: Record<string, { optionalDependencies?: Record<string, string> }> =
    json("package-lock.json").packages;
  const wanted = Object.values(packages).flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}));
  expect(wanted.filter((name) => packages[`node_modules/${name}`] === undefined)).toEqual([]);
});

test("package-lock.json belongs to package.json", () => {
  const { dependencies, devDependencies } = json("package.json");
  const locked = json("package-lock.json").packages[""];
  expect(locked.dependencies).toEqual(dependencies);
  expect(locked.devDependencies).toEqual(devDependencies);
});

test("dependencies are exact versions: a fresh clone gets what was tested", () => {
  const { dependencies, devDependencies } = json("package.json");
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, v]) => !/^\d+\.\d+\.\d+$/.test(String(v)),
  );
  expect(loose).toEqual([]);
});

test("no file names a proxy or a package registry: that is the machine's business", () => {
  const pattern =
    /\b(GOPROXY|GONOSUMDB|https?_proxy)\s*[=:]|^registry\s*=|--registry\b|registry\.npmjs\.org|proxy\.golang\.org/im;
  const texts = files.filter((file) => /\.(json|ya?ml|mjs|ts|sh|md|mod)$|(^|\/)(\.npmrc|Dockerfile|run)$/.test(file));
  const wrong = texts.filter((file) => file !== "test/unit/hygiene.test.ts" && pattern.test(text(file)));
  expect(wrong).toEqual([]);
});

test("no script of package.json needs the network or a shell beyond its own command", () => {
  const scripts = Object.entries<string>(json("package.json").scripts);
  expect(scripts.filter(([, script]) => /npx|curl|wget|proxy|\bsudo\b/i.test(script))).toEqual([]);
  expect(scripts.filter(([name]) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
});
