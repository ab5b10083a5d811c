import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Problem } from "./problem.mjs";
import { command, quietly } from "./run.mjs";

const POLICY = "/usr/sbin/policy-rc.d";
const ENV = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };

/** Installs those of the packages whose command is not there. */
export function debianPackages(packages) {
  const absent = () => packages.filter(({ brings }) => command(brings) === undefined);
  const names = () => absent().map(({ name }) => name);
  return {
    lock: "debian",
    missing: names,
    title: () => `installing Debian packages ${names().join(" ")}`,
    async install() {
      const wanted = absent();
      const install = ["apt-get", "install", "-y", "--no-install-recommends", ...wanted.map(({ name }) => name)];
      const what = `install ${wanted.map(({ name }) => name).join(", ")}`;
      const apt = command("apt-get");
      if (apt === undefined) {
        const brings = wanted.map((one) => one.brings).join(", ");
        throw new Problem(`${what}: this machine has no apt-get; install what brings ${brings} by its own means`);
      }
      if (process.getuid() !== 0) throw new Problem(`${what}: needs root; run \`sudo ${install.join(" ")}\` first`);
      await quietly(what, apt, ["update", "-o", "DPkg::Lock::Timeout=300"], { env: ENV });
      await withoutServices(wanted, () =>
        quietly(what, apt, ["-o", "DPkg::Lock::Timeout=300", ...install.slice(1)], { env: ENV }),
      );
    },
  };
}

/** Keeps the services that packages bring from being started, now and at the next boot: only their programs are wanted. */
async function withoutServices(packages, work) {
  const kept = `${POLICY}.before-herald`;
  // Where `kept` is there already, an earlier run was killed here, and POLICY is its own.
  if (existsSync(POLICY) && !existsSync(kept)) renameSync(POLICY, kept);
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await work();
  } finally {
    rmSync(POLICY, { force: true });
    if (existsSync(kept)) renameSync(kept, POLICY);
  }
  const systemctl = command("systemctl");
  const services = packages.map(({ service }) => service).filter(Boolean);
  if (systemctl === undefined || services.length === 0) return;
  await quietly(`disable ${services.join(", ")}`, systemctl, ["disable", ...services]);
}
