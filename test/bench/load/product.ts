import { copyFile, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlPlane, startControlPlane } from "../../cluster/control-plane.ts";
import { installCrds } from "../../cluster/crds.ts";
import { run } from "../../cluster/run.ts";
import { MOUNT_ACCOUNT, writeAccount } from "../../cluster/service-account.ts";
import type { Reaper } from "../../reaper/reaper.ts";
import { readContainer } from "./container.ts";
import { type MeasuredProcess, startMeasured } from "./measured-process.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const NAMESPACE = "herald-system";
const CONTROLLER = "herald-controller";

/** Builds the product as `npm run build` does, into a directory of its own; gives its main file. */
export async function buildProduct(reaper: Reaper): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "herald-bench-"));
  reaper.directory(directory);
  const dist = join(directory, "dist");
  await run([join(ROOT, "node_modules/.bin/tsc"), "-p", join(ROOT, "tsconfig.build.json"), "--outDir", dist]);
  await copyFile(join(ROOT, "package.json"), join(directory, "package.json"));
  await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"));
  return join(dist, "main.js");
}

/** Starts a control plane that has Herald's kinds and the rights of its controller. */
export async function startPlane(reaper: Reaper): Promise<ControlPlane> {
  const plane = await startControlPlane({ reaper });
  await installCrds(plane);
  // As it is installed; without a scheduler its Pods are not even made.
  await plane.kubectl(["apply", "-k", join(ROOT, "config/default")]);
  return plane;
}

/**
 * Starts the controller with the files and the environment that it has in a Pod, in a mount namespace of its own: how it
 * finds the API server decides what it loads, and so its memory.
 */
export async function startController(reaper: Reaper, plane: ControlPlane, main: string): Promise<MeasuredProcess> {
  const account = join(plane.directory, "account");
  const user = `system:serviceaccount:${NAMESPACE}:${CONTROLLER}`;
  const whereabouts = await writeAccount(await plane.kubeconfig(user), account, NAMESPACE);
  const { env, nodeFlags } = await readContainer("controller");
  const loopWatch = new URL("loop-watch.mjs", import.meta.url).pathname;
  const node = [process.execPath, ...nodeFlags, "--import", loopWatch, main];
  return await startMeasured(
    reaper,
    [
      "unshare",
      "--mount",
      "sh",
      "-c",
      `${MOUNT_ACCOUNT} && exec "$@"`,
      "sh",
      ...node,
      "controller",
      "--metrics-address",
      "127.0.0.1:0",
    ],
    {
      ...env,
      PATH: process.env.PATH,
      NODE_ENV: "production",
      POD_NAME: "herald-controller-0",
      POD_NAMESPACE: NAMESPACE,
      ACCOUNT: account,
      ...whereabouts,
    },
  );
}
