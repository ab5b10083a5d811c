import type { ControlPlane } from "../../cluster/control-plane.ts";

/** What the API server has written since its start, by its own count: "PATCH services/status" -> times. */
export type ApiWrites = ReadonlyMap<string, number>;

/** Reads the API server's count of the writes that it has done. */
export async function readApiWrites(plane: ControlPlane): Promise<ApiWrites> {
  const metrics = await plane.kubectl(["get", "--raw", "/metrics"]);
  const counts = new Map<string, number>();
  for (const [, labels = "", value] of metrics.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
    if (!/^(POST|PUT|PATCH|DELETE)$/.test(label("verb")) || !label("code").startsWith("2")) continue;
    const of = [label("resource"), label("subresource")].filter(Boolean).join("/");
    const key = `${label("verb")} ${of}`;
    counts.set(key, (counts.get(key) ?? 0) + Number(value));
  }
  return counts;
}

/** What was written between two readings: without the kinds of write that there was none of. */
export function writesBetween(before: ApiWrites, after: ApiWrites): Readonly<Record<string, number>> {
  const grown = [...after].map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, times]) => times > 0).sort());
}
