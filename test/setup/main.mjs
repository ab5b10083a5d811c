// Runs the project's commands: installs what the one asked for needs and is missing, then runs it on Node 24. Plain
// JavaScript for Node 18 and later, since it runs before anything is installed.
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { addon } from "./addon.mjs";
import { runChecks, runSoak, runUnitTests } from "./checks.mjs";
import { clusterBinaries } from "./cluster-binaries.mjs";
import { debianPackages } from "./debian.mjs";
import { COMPILER, LAB_PACKAGES } from "./debian-packages.mjs";
import { install } from "./install.mjs";
import { npmPackages } from "./npm-packages.mjs";
import { Problem } from "./problem.mjs";
import { NODE, openly, ROOT } from "./run.mjs";

const EVERYTHING = [npmPackages, debianPackages([...LAB_PACKAGES, ...COMPILER]), ...clusterBinaries, addon];
const node = (file) => (args) => openly(NODE, [join(ROOT, file), ...args]);

const COMMANDS = {
  test: { needs: EVERYTHING, root: true, run: runChecks },
  "test:unit": { needs: [npmPackages], run: runUnitTests },
  soak: { needs: [npmPackages], run: runSoak },
  lab: { needs: EVERYTHING, root: true, run: node("test/lab/main.ts") },
  "lab:ctl": { needs: [npmPackages], root: true, run: node("test/lab/ctl.ts") },
  bench: { needs: EVERYTHING, root: true, run: node("test/bench/main.ts") },
  build: { needs: [npmPackages, debianPackages(COMPILER), addon], run: build },
  generate: { needs: [npmPackages], run: node("src/api/generate-crds.ts") },
};

/** Makes dist/, which runs on any Node 24 together with prebuilds/, without a compiler. */
async function build() {
  rmSync(join(ROOT, "dist"), { recursive: true, force: true });
  const code = await openly(join(ROOT, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"]);
  if (code === 0) chmodSync(join(ROOT, "dist/main.js"), 0o755);
  return code;
}

async function main([name, ...args]) {
  const command = COMMANDS[name];
  if (command === undefined)
    throw new Problem(`unknown command ${name}; known are ${Object.keys(COMMANDS).join(", ")}`);
  if (process.platform !== "linux") {
    throw new Problem(`npm run ${name}: needs Linux, this is ${process.platform}; run it in a virtual machine`);
  }
  if (Number(process.versions.node.split(".")[0]) < 18) {
    throw new Problem(
      `npm run ${name}: needs Node 18 or newer to start with, this is ${process.version}; install a newer one`,
    );
  }
  if (command.root && process.getuid() !== 0) {
    throw new Problem(
      `npm run ${name}: needs root, for network namespaces; run \`sudo npm run ${name}\`, or \`npm run test:unit\` without`,
    );
  }
  await install(command.needs);
  return command.run(args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
