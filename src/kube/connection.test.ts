import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorText } from "../log.ts";
import { connect } from "./connection.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "herald-connection-"));
});
afterAll(async () => await rm(directory, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

const kubeconfig = (user: object, cluster: object = {}, context: object = {}) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "c", cluster: { server: "https://192.0.2.1:6443", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "test", context: { cluster: "c", user: "u", ...context } }],
  });

test("in a Pod the account's files are used, and a token is read again when it is replaced", async () => {
  await Promise.all([file("ca.crt", "CA"), file("namespace", "herald-system\n"), file("token", "one\n")]);
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  const connection = await connect({ env, accountDirectory: directory });
  expect(connection).toMatchObject({ namespace: "herald-system", ca: "CA" });
  expect(connection.server.href).toBe("https://[fd00::1]/");
  expect(await connection.token?.()).toBe("one");
  await rename(await file("token-next", "another\n"), join(directory, "token"));
  expect(await connection.token?.()).toBe("another");
  await rm(join(directory, "token"));
  expect(await connection.token?.()).toBe("another");
});

test("a kubeconfig gives server, certificates and token", async () => {
  const pem = (text: string) => Buffer.from(text).toString("base64");
  const user = { "client-certificate-data": pem("CERT"), "client-key-data": pem("KEY"), token: "t0ken" };
  const cluster = { "certificate-authority-data": pem("CA"), "tls-server-name": "kubernetes" };
  const path = await file("full", kubeconfig(user, cluster, { namespace: "shop" }));
  const connection = await connect({ kubeconfig: path });
  expect(connection).toMatchObject({ namespace: "shop", serverName: "kubernetes" });
  expect([connection.ca, connection.cert, connection.key].map(String)).toEqual(["CA", "CERT", "KEY"]);
  expect(await connection.token?.()).toBe("t0ken");
  expect(connection.insecure).toBeUndefined();
});

test("a kubeconfig's plugin is asked for the token", async () => {
  const credential = {
    apiVersion: "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    status: { token: "from-plugin" },
  };
  const exec = { apiVersion: credential.apiVersion, command: "echo", args: [JSON.stringify(credential)] };
  const connection = await connect({ kubeconfig: await file("exec", kubeconfig({ exec })) });
  expect(await connection.token?.()).toBe("from-plugin");
});

test("insecure and proxy of a kubeconfig are honoured", async () => {
  const cluster = { "insecure-skip-tls-verify": true, "proxy-url": "http://127.0.0.1:3128" };
  const connection = await connect({ kubeconfig: await file("proxy", kubeconfig({ token: "t" }, cluster)) });
  expect(connection.insecure).toBe(true);
  expect(connection.agent?.constructor.name).toBe("HttpsProxyAgent");
});

test("$KUBECONFIG is used outside of a Pod", async () => {
  const path = await file("fallback", kubeconfig({ token: "t" }));
  const connection = await connect({ env: { KUBECONFIG: path } });
  expect(connection.server.host).toBe("192.0.2.1:6443");
});

test.each([
  { name: "no file", text: undefined, want: "no such file" },
  { name: "no YAML", text: 'token: "s3cret\n\t- [', want: "not a kubeconfig" },
  { name: "not even an object", text: "", want: "not a kubeconfig" },
  { name: "no current context", text: '{"clusters": []}', want: "no current context" },
  {
    name: "an unknown cluster",
    text: kubeconfig({ token: "s3cret" }, {}, { cluster: "other" }),
    want: "names the cluster other",
  },
  {
    name: "an unknown user",
    text: kubeconfig({ token: "s3cret" }, {}, { user: "other" }),
    want: "names the user other",
  },
  { name: "a server that is no URL", text: kubeconfig({ token: "s3cret" }, { server: "nowhere" }), want: "is no URL" },
  {
    name: "a key file that is not there",
    text: kubeconfig({ "client-key": "none.pem" }),
    want: "credentials of user u",
  },
])("a kubeconfig with $name is explained in a line, without secrets", async ({ text, want }) => {
  const path = text === undefined ? join(directory, "none") : await file("bad", text);
  const error: unknown = await connect({ kubeconfig: path }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "BadKubeconfig", message: expect.stringContaining(path) });
  expect(errorText(error)).toContain(want);
  expect(errorText(error)).not.toMatch(/s3cret|\n/);
});

test("nothing that names an API server: the error says what to pass", async () => {
  const env = { HOME: join(directory, "nobody") };
  await expect(connect({ env })).rejects.toMatchObject({
    code: "NoApiServer",
    message: expect.stringContaining("--kubeconfig"),
  });
});

test("a Pod without a token: the error says how to get one", async () => {
  const env = { KUBERNETES_SERVICE_HOST: "192.0.2.1", KUBERNETES_SERVICE_PORT: "443" };
  const outcome = connect({ env, accountDirectory: join(directory, "none") });
  await expect(outcome).rejects.toMatchObject({ code: "NoApiServer", message: expect.stringContaining("automount") });
});
