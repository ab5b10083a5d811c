import { readdirSync, statSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { NODE, quietly, ROOT } from "./run.mjs";

const NATIVE = join(ROOT, "native");

/** Builds the packet socket addon and the tests' prober where their sources are newer. */
export const addon = {
  lock: `addon${ROOT.replaceAll("/", "-")}`,
  missing: () => [
    ...(stale(join(ROOT, "prebuilds", `linux-${arch()}`, "heraldlb.node"), "src") ? ["the addon"] : []),
    ...(stale(join(NATIVE, "build/prober"), "test") ? ["the prober"] : []),
  ],
  title: () => `building ${addon.missing().join(" and ")} (C++)`,
  install: () => quietly("build the addon", NODE, [join(NATIVE, "build.mjs"), "--prober"]),
};

function stale(target, folder) {
  const sources = readdirSync(join(NATIVE, folder)).map((name) => join(NATIVE, folder, name));
  const builtAt = statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return [join(NATIVE, "build.mjs"), ...sources].some((source) => statSync(source).mtimeMs >= builtAt);
}
