import { readdirSync } from "node:fs";
import type { ControlPlane } from "./control-plane.ts";

const directory = new URL("../../config/crd/", import.meta.url);

/** Installs Herald's kinds; they are served when this resolves. */
export async function installCrds(plane: Pick<ControlPlane, "kubectl">): Promise<void> {
  const files = readdirSync(directory).filter((name) => name.startsWith("heraldlb.io_"));
  const named = files.flatMap((name) => ["-f", new URL(name, directory).pathname]);
  await plane.kubectl(["apply", ...named]);
  await plane.kubectl(["wait", "--for=condition=Established", "--timeout=30s", ...named]);
}
