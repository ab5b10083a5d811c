import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "./problem.mjs";
import { NODE, quietly, ROOT } from "./run.mjs";

/** Installs the npm packages where they are not what package-lock.json says. */
export const npmPackages = {
  lock: `npm${ROOT.replaceAll("/", "-")}`,
  missing: () => (npmStale() ? ["npm packages"] : []),
  title: () => "installing npm packages",
  async install() {
    await npm("install npm packages", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    // Where install scripts are switched off, the one that fetches Node has not run.
    if (!existsSync(NODE)) await npm("install Node 24", ["rebuild", "node", "--ignore-scripts=false"]);
    if (!existsSync(NODE))
      throw new Problem("install Node 24: the npm package `node` brought no binary; run `npm rebuild node`");
  },
};

function npm(what, args) {
  // npm says which npm it is, for the scripts that it runs.
  const path = process.env.npm_execpath;
  return path?.endsWith(".js") ? quietly(what, process.execPath, [path, ...args]) : quietly(what, "npm", args);
}

/** npm notes at the end of an installation what it has put there; both files have one entry a package. */
function npmStale() {
  if (!existsSync(NODE)) return true;
  const wanted = packagesOf("package-lock.json");
  const present = packagesOf("node_modules/.package-lock.json");
  return Object.entries(wanted).some(([path, { version, integrity, optional }]) => {
    if (path === "") return false;
    const found = present[path];
    if (found === undefined) return !optional;
    return found.version !== version || found.integrity !== integrity;
  });
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw new Problem(`read ${file}: ${error.message}`);
  }
}
