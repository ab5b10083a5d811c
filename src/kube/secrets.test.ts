import { inspect } from "node:util";
import { expect, test } from "vitest";
import { secretsIn } from "./secrets.ts";

const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");
const secrets = secretsIn("herald-system");
const secret = (data: unknown) => secrets.keep({ metadata: { name: "tor-a", namespace: "herald-system" }, data });

test.each([
  { name: "a password", data: { password: base64("s3cret") }, want: "s3cret" },
  { name: "one that an editor ended with a line end", data: { password: base64("s3cret\n") }, want: "s3cret" },
  { name: "the line end of another editor", data: { password: base64("s3cret\r\n") }, want: "s3cret" },
  { name: "blanks, which are the password's", data: { password: base64(" s3 cret ") }, want: " s3 cret " },
  { name: "letters beyond ASCII", data: { password: base64("pässwörd") }, want: "pässwörd" },
  { name: "an empty one", data: { password: "" }, want: "" },
  { name: "another key", data: { md5: base64("s3cret") }, want: undefined },
  { name: "nothing", data: undefined, want: undefined },
  { name: "what is no text", data: { password: 3 }, want: "" },
])("a Secret gives $name", ({ data, want }) => expect(secret(data).value("password")).toBe(want));

test("what a Secret has by nature is no key of it", () => {
  expect(secret({}).value("toString")).toBeUndefined();
});

test("whoever prints a Secret sees its name and nothing of what it holds", () => {
  const kept = secret({ password: base64("s3cret") });
  for (const printed of [inspect(kept, { depth: 9, showHidden: true }), JSON.stringify(kept), String(kept)]) {
    expect(printed).not.toContain("s3cret");
    expect(printed).not.toContain(base64("s3cret"));
  }
  expect(JSON.stringify(kept)).toContain("tor-a");
});

test("only the Secrets of one namespace are asked for, and not those that are large and no passwords", () => {
  expect(secrets.path).toBe("/api/v1/namespaces/herald-system/secrets");
  expect(secrets.query).toEqual({
    fieldSelector: "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token",
  });
});
