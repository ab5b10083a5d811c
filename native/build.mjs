/**
 * Builds the packet socket addon with nothing but g++ and the header packages in node_modules, and puts it where
 * node-gyp-build looks. Runs on Node 18 and later.
 *
 *   node native/build.mjs              prebuilds/linux-ARCH/heraldlb.node
 *   node native/build.mjs --prober     also native/build/prober, which the tests and benchmarks ask with
 *   node native/build.mjs --sanitize   native/build/sanitize/prebuilds/..., with address and undefined behaviour checks
 *   node native/build.mjs --force      even what is newer than its sources
 *
 * The native tests run on the build with checks so:
 *   HERALDLB_PREBUILD=$PWD/native/build/sanitize ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
 *   LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)" npx vitest run --project native
 *
 * CXX names another compiler; with it, npm_config_arch names the architecture that it builds for.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { arch } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const KNOWN = ["--prober", "--sanitize", "--force"];
const native = dirname(fileURLToPath(import.meta.url));
const root = dirname(native);
const require = createRequire(import.meta.url);

const STRICT = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Wshadow", "-fno-plt", "-pthread"];
const SANITIZE = ["-g", "-fsanitize=address,undefined", "-fno-omit-frame-pointer"];
/** The C++ runtime goes inside, so that a slim image needs libc alone. */
const STATIC = ["-s", "-static-libstdc++", "-static-libgcc"];

function headerFlags() {
  const api = require("node-api-headers").include_dir;
  const wrapper = dirname(require.resolve("node-addon-api"));
  return ["-isystem", api, "-isystem", wrapper, "-DNAPI_VERSION=8", "-DNODE_ADDON_API_CPP_EXCEPTIONS"];
}

function newerThan(target, sources) {
  try {
    const builtAt = statSync(target).mtimeMs;
    return sources.every((source) => statSync(source).mtimeMs < builtAt);
  } catch {
    return false;
  }
}

/** Compiles to a file beside the target and renames it, so that a running process keeps its own and no two builds meet. */
function compile(target, directory, flags, force) {
  const folder = join(native, directory);
  const files = readdirSync(folder).map((name) => join(folder, name));
  const name = relative(root, target);
  if (!force && newerThan(target, [...files, fileURLToPath(import.meta.url)]))
    return console.log(`${name} is up to date`);
  mkdirSync(dirname(target), { recursive: true });
  const partial = `${target}.${process.pid}`;
  try {
    const sources = files.filter((file) => file.endsWith(".cc"));
    execFileSync(process.env.CXX ?? "g++", [...STRICT, ...flags, ...sources, "-o", partial], { stdio: "inherit" });
    renameSync(partial, target);
  } catch (error) {
    if (error.code === "ENOENT")
      throw new Error("build the addon: there is no g++; install it (Debian: apt-get install g++)");
    throw error;
  } finally {
    rmSync(partial, { force: true });
  }
  console.log(`built ${name}`);
}

function main(flags) {
  const unknown = flags.find((flag) => !KNOWN.includes(flag));
  if (unknown !== undefined) throw new Error(`unknown flag ${unknown}; known are ${KNOWN.join(", ")}`);
  const force = flags.includes("--force");
  const sanitize = flags.includes("--sanitize");
  const addon = join("prebuilds", `linux-${process.env.npm_config_arch ?? arch()}`, "heraldlb.node");
  const shared = ["-shared", "-fPIC", "-fvisibility=hidden", ...headerFlags()];
  if (sanitize) compile(join(native, "build/sanitize", addon), "src", [...shared, ...SANITIZE], force);
  else compile(join(root, addon), "src", [...shared, ...STATIC], force);
  if (flags.includes("--prober")) compile(join(native, "build/prober"), "test", STATIC, force);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
