import type { Secret } from "../api/objects.ts";
import { record, text } from "./raw.ts";
import { keepMeta, type Resource } from "./resource.ts";

/** What is no password and may be large. */
const NOT_WANTED = ["helm.sh/release.v1", "kubernetes.io/service-account-token"];

/** The Secrets in Herald's own namespace. What they hold never reaches a log: what is kept shows nothing when printed. */
export function secretsIn(namespace: string): Resource<Secret> {
  return {
    kind: "Secret",
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`,
    query: { fieldSelector: NOT_WANTED.map((type) => `type!=${type}`).join() },
    keep: (raw) => {
      const data = record(record(raw).data);
      return {
        meta: keepMeta(raw, { label: () => false }),
        value: (key) => (Object.hasOwn(data, key) ? decode(text(data[key])) : undefined),
      };
    },
  };
}

/** A line end at the end is the editor's, not the password's. */
function decode(base64: string): string {
  return Buffer.from(base64, "base64")
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
