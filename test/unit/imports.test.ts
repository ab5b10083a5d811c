import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const SRC = resolve(import.meta.dirname, "../../src");

/** Which folders of src/ a folder may import, besides itself: arrows run one way. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  ".": ["controller", "speaker", "cli", "kube", "l2", "bgp", "election", "ipam", "api"],
  controller: ["kube", "election", "ipam", "api"],
  speaker: ["kube", "l2", "bgp", "election", "ipam", "api"],
  cli: ["kube", "election", "ipam", "api"],
  l2: ["election", "ipam", "api"],
  bgp: ["election", "ipam", "api"],
  election: ["ipam", "api"],
  ipam: ["api"],
  kube: ["api"],
  api: [],
};
/** Files of src/ itself that every folder may import; those that are not pure, pure folders as types only. */
const SHARED = ["errors.ts", "log.ts", "clock.ts", "http.ts", "persistent-map.ts", "binary-search.ts"];
const SHARED_PURE = ["errors.ts", "persistent-map.ts", "binary-search.ts"];
/** Folders that take values and give values: what they decide can be tried, replayed and explained without a cluster. */
const PURE = ["api", "ipam", "election"];
/** Node's modules that do no I/O. */
const HARMLESS = ["node:crypto", "node:util"];
const IMPURE =
  /\b(Math\.random|Date\.now|performance\.now|setTimeout|setInterval|randomBytes|process\.\w+)\b|new Date\(\)/;
/** A program of its own that writes files, kept with the schemas that it writes. */
const PROGRAMS = ["api/generate-crds.ts"];

/** What costs a speaker too much memory and time, and the one file that may import it; that one is imported when needed. */
const HEAVY = "@kubernetes/client-node";
const HEAVY_USER = "kube/kubeconfig.ts";

/** Loads fetch and HTTP/2 with it, and the file that has it without them. */
const WHOLE_HTTP = "node:http";
const LEAN_HTTP = "http.ts";

/** Makes the schemas, at 24 MB: nothing that a role loads at its start may lead to it. */
const SCHEMAS = "typebox";
const ROLES = ["controller/controller.ts", "speaker/speaker.ts", "speaker/segment-worker.ts"];

interface Import {
  readonly file: string;
  readonly from: string;
  readonly how: "value" | "type" | "dynamic";
}

/** Finds the imports in the text of a file; comments do not count. */
function importsOf(file: string, text: string): Import[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const fixed = code.matchAll(/^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm);
  const dynamic = code.matchAll(/\bimport\("([^"]+)"\)/g);
  return [
    ...[...fixed].map(([, type, from]) => ({
      file,
      from: from ?? "",
      how: type ? ("type" as const) : ("value" as const),
    })),
    ...[...dynamic].map(([, from]) => ({ file, from: from ?? "", how: "dynamic" as const })),
  ];
}

/** Gives the reason why an import may not be there, or undefined. */
function objection({ file, from, how }: Import): string | undefined {
  const folder = dirname(file);
  const top = folder.split("/")[0] ?? ".";
  const pure = PURE.includes(top) && !PROGRAMS.includes(file);
  if (from.startsWith(".")) {
    const target = relative(SRC, resolve(SRC, folder, from));
    if (target.startsWith("..")) return how === "type" ? undefined : "what is shipped is in src/ alone";
    if (SHARED.includes(target)) {
      const impure = pure && how !== "type" && !SHARED_PURE.includes(target);
      return impure ? `${top}/ is pure: time and logs are passed in, so take the type alone` : undefined;
    }
    if (target === HEAVY_USER && how === "value") return `it costs 85 MB and most of a second: use \`await import\``;
    const to = target.includes("/") ? (target.split("/")[0] ?? "") : ".";
    if (to === top || ARROWS[top]?.includes(to)) return undefined;
    if (to === ".") return `only ${SHARED.join(", ")} are for everybody; the other files of src/ are main.ts's own`;
    return `${top}/ may import ${ARROWS[top]?.map((one) => `${one}/`).join(", ") || "no other folder"}: arrows run one way`;
  }
  if (pure && from.startsWith("node:") && !HARMLESS.includes(from) && how !== "type") {
    return `${top}/ is pure: I/O is done by the folders that import it`;
  }
  if (from === HEAVY && how !== "type" && file !== HEAVY_USER) {
    return `it costs 85 MB and most of a second, on every node: only ${HEAVY_USER} may; \`import type\` is free`;
  }
  if (from === WHOLE_HTTP && how !== "type") {
    return `it loads fetch and HTTP/2: ${LEAN_HTTP} has it without them; \`import type\` is free`;
  }
  return undefined;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .sort()
  .map((file) => ({ file, text: readFileSync(join(SRC, file), "utf8") }));

test("every folder of src/ has its arrows", () => {
  const folders = new Set(files.map(({ file }) => (file.includes("/") ? file.split("/")[0] : ".")));
  expect([...folders].filter((folder) => ARROWS[folder ?? ""] === undefined)).toEqual([]);
});

test("imports follow the arrows", () => {
  const wrong = files
    .flatMap(({ file, text }) => importsOf(file, text))
    .map((one) => ({ one, reason: objection(one) }))
    .filter(({ reason }) => reason !== undefined)
    .map(({ one, reason }) => `src/${one.file} imports ${one.from}: ${reason}`);
  expect(wrong).toEqual([]);
});

test("pure folders read no clock, draw no chance and see no process", () => {
  const wrong = files
    .filter(({ file }) => PURE.includes(file.split("/")[0] ?? "") && !PROGRAMS.includes(file))
    .map(({ file, text }) => ({ file, found: IMPURE.exec(text)?.[0] }))
    .filter(({ found }) => found !== undefined)
    .map(({ file, found }) => `src/${file} uses ${found}: pass it in`);
  expect(wrong).toEqual([]);
});

test.each(ROLES)("%s loads no schemas", (role) => {
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  /** By file, through which it is loaded. */
  const loaded = new Map([[role, role]]);
  for (const [file, way] of loaded) {
    for (const { from, how } of importsOf(file, texts.get(file) ?? "")) {
      if (how !== "value") continue;
      expect(`${way}: ${from}`).not.toBe(`${way}: ${SCHEMAS}`);
      const target = relative(SRC, resolve(SRC, dirname(file), from));
      if (from.startsWith(".") && !loaded.has(target)) loaded.set(target, `${way} <- ${target}`);
    }
  }
  expect(loaded.size).toBeGreaterThan(10);
});

test.each([
  { name: "against an arrow", file: "api/a.ts", text: 'import { a } from "../kube/b.ts";', want: "no other folder" },
  { name: "of I/O in a pure folder", file: "ipam/a.ts", text: 'import { a } from "node:fs";', want: "is pure" },
  {
    name: "of the clock in a pure folder",
    file: "election/a.ts",
    text: 'import { a } from "../clock.ts";',
    want: "type alone",
  },
  { name: "of main.ts's own files", file: "kube/a.ts", text: 'import { a } from "../main.ts";', want: "main.ts's own" },
  {
    name: "over several lines",
    file: "kube/a.ts",
    text: 'import {\n  a,\n} from "../l2/b.ts";',
    want: "may import api/",
  },
  {
    name: "of client-node as a value",
    file: "kube/a.ts",
    text: 'export * from "@kubernetes/client-node";',
    want: "85 MB",
  },
  { name: "of all of node:http", file: "kube/a.ts", text: 'import * as a from "node:http";', want: "http.ts has" },
  { name: "of a test's file", file: "l2/a.ts", text: 'import "../../test/a.ts";', want: "in src/ alone" },
])("an import $name is refused", ({ file, text, want }) => {
  expect(importsOf(file, text).map(objection)).toEqual([expect.stringContaining(want)]);
});

test.each([
  { name: "the clock's type in a pure folder", file: "ipam/a.ts", text: 'import type { a } from "../clock.ts";' },
  { name: "kubeconfigs when needed", file: "kube/a.ts", text: 'const a = await import("./kubeconfig.ts");' },
  { name: "types of client-node", file: "kube/a.ts", text: 'import type { a } from "@kubernetes/client-node";' },
  { name: "a type of node:http", file: "kube/a.ts", text: 'import type { Agent } from "node:http";' },
  { name: "the part of it that is used", file: "kube/a.ts", text: 'import { http } from "../http.ts";' },
  { name: "along an arrow", file: "speaker/a.ts", text: 'import { a } from "../l2/b.ts";' },
])("an import is allowed: $name", ({ file, text }) => {
  expect(importsOf(file, text).map(objection)).toEqual([undefined]);
});
