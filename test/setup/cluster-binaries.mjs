import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BINARIES, clusterCache } from "./cluster-cache.mjs";
import { Problem } from "./problem.mjs";
import { command, quietly } from "./run.mjs";

const MODULE = fileURLToPath(new URL("../cluster/", import.meta.url));
const COMPONENT = "k8s.io/component-base/version";
const [, VERSION, MINOR] = /\sk8s\.io\/kubernetes (v1\.(\d+)\.\d+)\s/.exec(readFileSync(`${MODULE}go.mod`, "utf8"));
const LDFLAGS = `-s -w -X ${COMPONENT}.gitVersion=${VERSION} -X ${COMPONENT}.gitMajor=1 -X ${COMPONENT}.gitMinor=${MINOR}`;

/** Builds one of the cluster's binaries from the sources that test/cluster/go.mod pins. */
function clusterBinary(name) {
  const target = () => join(clusterCache(), name);
  const asset = join(process.env.KUBEBUILDER_ASSETS || "/nonexistent", name);
  return {
    lock: "cluster-binaries",
    missing: () => (existsSync(asset) || existsSync(target()) ? [] : [name]),
    title: () => `building ${name} (Go; all of them take about 5 minutes the first time)`,
    async install() {
      const what = `build ${name}`;
      const go = usableGo(what);
      const partial = `${target()}.${process.pid}`;
      mkdirSync(clusterCache(), { recursive: true });
      try {
        const args = ["build", "-trimpath", "-ldflags", LDFLAGS, "-o", partial, BINARIES[name]];
        await quietly(what, go, args, {
          cwd: MODULE,
          env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" },
        });
        renameSync(partial, target());
      } finally {
        rmSync(partial, { force: true });
      }
    },
  };
}

export const clusterBinaries = Object.keys(BINARIES).map(clusterBinary);

/** Go fetches a newer version of itself where go.mod asks for one, from 1.21 on. */
function usableGo(what) {
  const go = command("go");
  if (go === undefined) {
    throw new Problem(
      `${what}: there is no Go; install 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder with the binaries`,
    );
  }
  const version = execFileSync(go, ["env", "GOVERSION"], {
    encoding: "utf8",
    env: { ...process.env, GOTOOLCHAIN: "local" },
  });
  const [, minor] = /^go1\.(\d+)/.exec(version.trim()) ?? [];
  if (minor !== undefined && Number(minor) < 21) {
    throw new Problem(`${what}: ${go} is ${version.trim()}; install Go 1.26 or newer`);
  }
  return go;
}
