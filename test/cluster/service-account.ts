import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";

interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: { "certificate-authority-data": string; server: string } }];
  readonly users: readonly [{ readonly user: { readonly token: string } }];
}

/**
 * Writes the files of a service account into `directory`, as the kubelet does for a Pod, from its kubeconfig; gives the
 * environment that belongs to them.
 */
export async function writeAccount(
  kubeconfig: string,
  directory: string,
  namespace: string,
): Promise<Readonly<Record<string, string>>> {
  const { clusters, users }: Kubeconfig = parse(await readFile(kubeconfig, "utf8"));
  const { server, "certificate-authority-data": ca } = clusters[0].cluster;
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "token"), users[0].user.token);
  await writeFile(join(directory, "ca.crt"), Buffer.from(ca, "base64"));
  await writeFile(join(directory, "namespace"), namespace);
  const { hostname, port } = new URL(server);
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
}

/**
 * A script that puts the account files of the directory $ACCOUNT where a Pod finds them, for its own mount namespace. /var/run
 * may be a link to /run.
 */
export const MOUNT_ACCOUNT =
  'd=$(readlink -f /var/run) && mount -t tmpfs tmpfs "$d" && mkdir -p "$d/secrets/kubernetes.io" && ' +
  'cp -rp "$ACCOUNT" "$d/secrets/kubernetes.io/serviceaccount"';
