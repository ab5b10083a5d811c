/**
 * Runs a benchmark by its name: `npm run bench -- NAME [PART...] [SIZE]`. Prints one JSON line a figure. PART, where a
 * benchmark has such, is what of it to run; without one it runs all. SIZE, where it has one, makes it smaller for a first
 * look: its limits are those of the whole size.
 */
import { readdirSync } from "node:fs";
import type { Benchmark, Figure } from "./figure.ts";

const folder = new URL(".", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && !["main.ts", "figure.ts"].includes(file) && !file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -3))
  .sort();

const [name = "", ...rest] = process.argv.slice(2);
const size = /^[1-9]\d*$/.test(rest.at(-1) ?? "") ? Number(rest.pop()) : undefined;
if (names.includes(name)) {
  const loaded = (await import(new URL(`${name}.ts`, folder).href)) as { run: Benchmark; parts?: readonly string[] };
  const { run, parts = [] } = loaded;
  const unknown = rest.filter((part) => !parts.includes(part));
  if (unknown.length > 0) {
    const known = parts.length > 0 ? `its parts are: ${parts.join(", ")}` : "it has no parts";
    refuse(`${name} ${unknown[0]}: ${known}`);
  } else {
    const emit = (figure: Figure) => console.log(JSON.stringify(figure, (_, value) => rounded(value)));
    await run(emit, size, rest.length > 0 ? rest : parts);
  }
} else refuse(`usage: npm run bench -- NAME [PART...] [SIZE], where NAME is one of: ${names.join(", ")}`);

function refuse(why: string): void {
  console.error(why);
  process.exitCode = 2;
}

/** No figure means more than three decimals. */
function rounded(value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}
