import type { Meta } from "../api/objects.ts";
import { list, record, text } from "./raw.ts";
import { keepMeta, type Resource } from "./resource.ts";

/** The Pod of a speaker. */
export interface SpeakerPod {
  readonly meta: Meta;
  /** "" while it has no node. */
  readonly nodeName: string;
  /** It is Ready, and nobody asked it to end. */
  readonly ready: boolean;
}

/** The labels by which a speaker's Pod is known, as the DaemonSet gives them. */
export const SPEAKER_POD_LABELS = {
  "app.kubernetes.io/name": "herald",
  "app.kubernetes.io/component": "speaker",
} as const;

/** The Pods of the speakers in Herald's own namespace. */
export function speakerPods(namespace: string): Resource<SpeakerPod> {
  const labels = Object.entries(SPEAKER_POD_LABELS).map(([key, value]) => `${key}=${value}`);
  return {
    kind: "Pod",
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
    query: { labelSelector: labels.join() },
    keep: (raw) => {
      const { spec, status } = record(raw);
      const meta = keepMeta(raw, { label: () => false });
      const ready = list(record(status).conditions)
        .map(record)
        .some((condition) => condition.type === "Ready" && condition.status === "True");
      return { meta, nodeName: text(record(spec).nodeName), ready: ready && !meta.deleting };
    },
  };
}
