import { access } from "node:fs/promises";
import type { Agent, RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { HeraldError } from "../errors.ts";
import { errorText } from "../log.ts";
import type { Connection } from "./connection.ts";

/** Reads the current context of a kubeconfig file. Throws HeraldError `BadKubeconfig`. */
export async function readKubeconfig(path: string): Promise<Connection> {
  const bad = (what: string, cause?: unknown) =>
    new HeraldError("BadKubeconfig", `read kubeconfig ${path}: ${what}`, { cause });
  await access(path).catch(() => {
    throw bad("no such file, or not readable for this user; name another with --kubeconfig FILE");
  });
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch {
    throw bad("it is not a kubeconfig in YAML; try it with: kubectl --kubeconfig FILE config view"); // the parser's own text quotes the file, secrets too
  }
  const context = config.getContextObject(config.getCurrentContext());
  if (context === null) throw bad("it has no current context; choose one with: kubectl config use-context NAME");
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw bad(`the context ${context.name} names the cluster ${context.cluster}, which is not there`);
  const user = config.getCurrentUser();
  if (user === null) throw bad(`the context ${context.name} names the user ${context.user}, which is not there`);
  const server = URL.parse(cluster.server);
  if (server === null) throw bad(`the server of cluster ${cluster.name} is no URL`);

  const options = async () => {
    const made: RequestOptions = {};
    try {
      await config.applyToHTTPSOptions(made);
    } catch (cause) {
      throw bad(`the credentials of user ${user.name} can't be used: ${errorText(cause)}`);
    }
    return made;
  };
  const tls = await options();
  const renewed = Boolean(user.exec ?? user.authProvider); // the library caches what it gets until that expires
  const first = bearer(tls);
  return {
    server,
    namespace: context.namespace ?? "default",
    ...(tls.ca === undefined ? {} : { ca: tls.ca as Buffer }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert as Buffer }),
    ...(tls.key === undefined ? {} : { key: tls.key as Buffer }),
    ...(tls.servername === undefined ? {} : { serverName: tls.servername }),
    ...(tls.rejectUnauthorized === false ? { insecure: true } : {}),
    ...(user.impersonateUser ? { headers: { "impersonate-user": user.impersonateUser } } : {}),
    ...(cluster.proxyUrl ? { agent: tls.agent as Agent } : {}),
    token: renewed ? async () => bearer(await options()) : () => first,
  };
}

function bearer(options: RequestOptions): string | undefined {
  const headers = options.headers as Record<string, unknown> | undefined;
  const value = headers?.Authorization;
  return typeof value === "string" && value.startsWith("Bearer ") ? value.slice("Bearer ".length).trim() : undefined;
}
