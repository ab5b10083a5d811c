import { generateKeyPairSync, randomBytes } from "node:crypto";
import { stringify } from "yaml";

/** A user of the API server, known to it by a static token. */
export interface User {
  readonly name: string;
  readonly token: string;
  readonly groups: readonly string[];
}

/** Makes a user; service accounts get the groups that Kubernetes gives them, anybody else rules the cluster. */
export function makeUser(name: string): User {
  const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name) ?? [];
  const groups =
    namespace === undefined ? ["system:masters"] : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  return { name, token: randomBytes(16).toString("hex"), groups };
}

/** Gives the text of the API server's --token-auth-file. */
export function tokenFile(users: readonly User[]): string {
  return users.map(({ name, token, groups }) => `${token},${name},${name},"${groups.join(",")}"\n`).join("");
}

/** Makes the key that signs the tokens of service accounts, both halves in PEM. */
export function serviceAccountKey(): { readonly publicKey: string; readonly privateKey: string } {
  return generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

/** Gives a kubeconfig that needs no other file. `ca` is in PEM. */
export function kubeconfigText(server: string, ca: string, user: User): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "herald-test", cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64") } },
    ],
    users: [{ name: user.name, user: { token: user.token } }],
    contexts: [{ name: "herald-test", context: { cluster: "herald-test", user: user.name } }],
    "current-context": "herald-test",
  });
}
