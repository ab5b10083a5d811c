import { readFileSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { Agent } from "node:http";
import { isIPv6 } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { HeraldError } from "../errors.ts";

/** Where the API server is, and how to prove who asks. */
export interface Connection {
  readonly server: URL;
  /** The namespace of the Pod, or of the kubeconfig's context. */
  readonly namespace: string;
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the server's certificate must have, where it is not the host of `server`. */
  readonly serverName?: string;
  /** Does not check the server's certificate (`insecure-skip-tls-verify`). */
  readonly insecure?: boolean;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Makes the connections, where they go through a proxy. */
  readonly agent?: Agent;
  /** The bearer token; asked before each request, since tokens are renewed. */
  token?(): Promise<string | undefined> | string | undefined;
}

export interface ConnectOptions {
  /** Path of a kubeconfig; without it the Pod's own account is used, else $KUBECONFIG or ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where the kubelet puts the token, CA and namespace of the Pod's account. */
  readonly accountDirectory?: string;
}

const ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds out how to reach the API server; connects to nothing yet. Throws HeraldError `NoApiServer` where nothing says
 * where it is, `BadKubeconfig` where what says so can't be used.
 */
export async function connect(options: ConnectOptions = {}): Promise<Connection> {
  const { kubeconfig, env = process.env, accountDirectory = ACCOUNT_DIRECTORY } = options;
  if (kubeconfig !== undefined) return await fromKubeconfig(kubeconfig);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host && port) return await fromAccount(host, port, accountDirectory);
  const fallback = env.KUBECONFIG || join(env.HOME ?? homedir(), ".kube", "config");
  if (await exists(fallback)) return await fromKubeconfig(fallback);
  throw new HeraldError(
    "NoApiServer",
    `no API server is known: this is no Pod, and there is no ${fallback}; pass --kubeconfig FILE`,
  );
}

async function fromKubeconfig(path: string): Promise<Connection> {
  const { readKubeconfig } = await import("./kubeconfig.ts"); // loads @kubernetes/client-node: 85 MB that a Pod is spared
  return await readKubeconfig(path);
}

async function fromAccount(host: string, port: string, directory: string): Promise<Connection> {
  const read = async (name: string) => {
    try {
      return await readFile(join(directory, name), "utf8");
    } catch (cause) {
      const remedy =
        "let the Pod mount its ServiceAccount token (automountServiceAccountToken), or pass --kubeconfig FILE";
      throw new HeraldError("NoApiServer", `read the Pod's account: no ${join(directory, name)}; ${remedy}`, { cause });
    }
  };
  const [ca, namespace] = await Promise.all([read("ca.crt"), read("namespace")]);
  const token = tokenFile(join(directory, "token"), await read("token"));
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    namespace: namespace.trim(),
    ca,
    token,
  };
}

/**
 * Gives the token of a file that is replaced from time to time; the last good one while it can't be read. It waits for
 * the disk, since that is memory, and looking at it costs some microseconds instead of a hundred.
 */
function tokenFile(path: string, first: string): () => string {
  let token = first.trim();
  let seen = "";
  return () => {
    try {
      const { mtimeMs, ino, size } = statSync(path);
      const now = `${mtimeMs} ${ino} ${size}`;
      if (now === seen) return token;
      token = readFileSync(path, "utf8").trim() || token;
      seen = now;
    } catch {} // in the middle of being replaced
    return token;
  };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
