import { API_VERSION } from "../api/names.ts";

/** Of a Service by its key, "namespace/name". */
export function servicePath(key: string): string {
  const [namespace, name] = key.split("/");
  return `/api/v1/namespaces/${namespace}/services/${name}`;
}

export function poolPath(name: string): string {
  return `/apis/${API_VERSION}/ippools/${name}`;
}
