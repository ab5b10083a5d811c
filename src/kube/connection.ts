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
  /** Milliseconds on a monotonic clock. */
  readonly now?: () => number;
}

const ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** How often the token's file is looked at. The kubelet replaces a token long before it expires. */
const TOKEN_LOOK_MS = 5000;

/**
 * Finds out how to reach the API server; connects to nothing yet. Throws HeraldError `NoApiServer` where nothing says
 * where it is, `BadKubeconfig` where what says so can't be used.
 */
export async function connect(options: ConnectOptions = {}): Promise<Connection> {
  const {
    kubeconfig,
    env = process.env,
    accountDirectory = ACCOUNT_DIRECTORY,
    now = () => performance.now(),
  } = options;
  if (kubeconfig !== undefined) return await fromKubeconfig(kubeconfig);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host && port) return await fromAccount(host, port, accountDirectory, now);
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

async function fromAccount(host: string, port: string, directory: string, now: () => number): Promise<Connection> {
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
  const token = tokenFile(join(directory, "token"), await read("token"), now);
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    namespace: namespace.trim(),
    ca,
    token,
  };
}

/** Gives the token of a file that is replaced from time to time; the last good one while it can't be read. */
function tokenFile(path: string, first: string, now: () => number): () => Promise<string> | string {
  let token = first.trim();
  let seen = "";
  let lookedAt = Number.NEGATIVE_INFINITY;
  const look = async () => {
    try {
      const { mtimeMs, ino, size } = await stat(path);
      const version = `${mtimeMs} ${ino} ${size}`;
      if (version === seen) return token;
      token = (await readFile(path, "utf8")).trim() || token;
      seen = version;
    } catch {} // in the middle of being replaced
    return token;
  };
  return () => {
    if (now() - lookedAt < TOKEN_LOOK_MS) return token;
    lookedAt = now();
    return look();
  };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
