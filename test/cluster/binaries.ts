import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BINARIES, clusterCache } from "../setup/cluster-cache.mjs";

export type Binary = keyof typeof BINARIES;

/** Gives the absolute path of one of the cluster's binaries; KUBEBUILDER_ASSETS, where set, replaces those that it holds. */
export function binary(name: Binary): string {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets && existsSync(join(assets, name))) return join(assets, name);
  const path = join(clusterCache(), name);
  if (!existsSync(path)) throw new Error(`${path} is not there yet: \`npm test\` and \`npm run lab\` build it`);
  return path;
}
