import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { SPEAKER_POD_LABELS, speakerPods } from "./speaker-pods.ts";

const pod = (ready: string, more: object = {}) => ({
  metadata: { namespace: "herald-system", name: "herald-speaker-x", labels: { a: "b" }, ...more },
  spec: { nodeName: "n1" },
  status: { conditions: [{ type: "Ready", status: ready }] },
});

test.each([
  { name: "a ready Pod", raw: pod("True"), ready: true },
  { name: "one that is not", raw: pod("False"), ready: false },
  { name: "one that is to end", raw: pod("True", { deletionTimestamp: "2026-01-01T00:00:00Z" }), ready: false },
  { name: "one without a status", raw: { ...pod("True"), status: undefined }, ready: false },
])("of a speaker's Pod node and readiness are kept: $name", ({ raw, ready }) => {
  const kept = speakerPods("herald-system").keep(raw);
  expect(kept).toMatchObject({ nodeName: "n1", ready, meta: { labels: {} } });
});

test("the Pods are asked for by the labels that the DaemonSet gives them", () => {
  const { spec } = parse(readFileSync(new URL("../../config/speaker/speaker.yaml", import.meta.url), "utf8"));
  expect(spec.template.metadata.labels).toEqual(SPEAKER_POD_LABELS);
  expect(spec.selector.matchLabels).toEqual(SPEAKER_POD_LABELS);
  const { path, query } = speakerPods("herald-system");
  expect(path).toBe("/api/v1/namespaces/herald-system/pods");
  expect(query).toEqual({ labelSelector: "app.kubernetes.io/name=herald,app.kubernetes.io/component=speaker" });
});
