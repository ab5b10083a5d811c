import { readdirSync, readFileSync } from "node:fs";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createControllerMetrics } from "../../src/controller/metrics.ts";
import { createRequestMetrics } from "../../src/kube/request-metrics.ts";
import { createBGPMetrics } from "../../src/speaker/bgp/metrics.ts";
import { createSpeakerMetrics } from "../../src/speaker/metrics.ts";

/** What is written in the code and in docs/ is the same. */

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
/** The first cells of a page's table rows, where they are code. */
const rows = (file: string) => [...read(file).matchAll(/^\| `([^`]+)` *\|/gm)].map((match) => match[1]).sort();

test("docs/errors.md explains exactly the error codes that there are", () => {
  const source = read("src/errors.ts");
  const union = source.slice(source.indexOf("type ErrorCode")).split(";")[0] ?? "";
  expect(rows("docs/errors.md")).toEqual([...union.matchAll(/"([A-Za-z]+)"/g)].map((match) => match[1]).sort());
});

test("docs/metrics.md explains exactly the metrics that there are", async () => {
  const registry = new Registry();
  createSpeakerMetrics(registry);
  createBGPMetrics(registry);
  createControllerMetrics(registry);
  createRequestMetrics(registry);
  const names = (await registry.getMetricsAsJSON()).map(({ name }) => name);
  expect(rows("docs/metrics.md")).toEqual(names.sort());
});

test("docs/responder.md explains exactly the counters that there are", () => {
  const source = read("native/src/counters.h");
  const names = [...source.slice(source.indexOf("kCounterNames")).matchAll(/"([A-Za-z0-9]+)"/g)].map(
    (match) => match[1],
  );
  const lines = [...read("docs/responder.md").matchAll(/^- ((?:`[A-Za-z0-9]+`(?:, )?)+):/gm)].map(
    (match) => match[1] ?? "",
  );
  const explained = lines.flatMap((line) => [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
  expect(explained).toEqual(names);
});

test("docs/bgp.md explains errors of sessions by the words that they begin with", () => {
  const sources = [
    ...["src/speaker/bgp/session-story.ts", "src/speaker/bgp/own-bgp.ts", "src/speaker/bgp/secrets-reading.ts"],
    ...["src/bgp/peers.ts", "src/bgp/listener.ts", "src/bgp/gobgp.ts"],
  ];
  const said = sources.flatMap((file) =>
    [...read(file).matchAll(/`([^`]*)`|"([^"]*)"/g)].map(([, long, text = ""]) =>
      (long ?? text).replaceAll(/\$\{[^}]*\}/g, "..."),
    ),
  );
  const table = read("docs/bgp.md").split("`lastError` begins with")[1]?.split("\n\n")[0] ?? "";
  const explained = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]*)`/g)].map(([, text = ""]) => text.replace(/^IPv6/, "...")),
  );
  expect(explained.length).toBeGreaterThan(10);
  for (const text of explained)
    expect(
      said.some((one) => one.startsWith(text)),
      text,
    ).toBe(true);
});

test("links between pages lead somewhere", () => {
  const pages = [
    "README.md",
    "CONTRIBUTING.md",
    ...readdirSync(new URL("../../docs", import.meta.url)).map((f) => `docs/${f}`),
  ];
  for (const page of pages.filter((file) => file.endsWith(".md"))) {
    for (const [, target = ""] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      const folder = page.includes("/") ? "docs/" : "";
      expect(() => read(folder + target), `${page} -> ${target}`).not.toThrow();
    }
  }
});
