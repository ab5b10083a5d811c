/**
 * Runs a benchmark by its name: `npm run bench -- NAME [SIZE]`. Prints one JSON line a figure. SIZE, where a benchmark
 * has one, makes it smaller for a first look: its limits are those of the whole size.
 */
import { readdirSync } from "node:fs";
import type { Benchmark, Figure } from "./figure.ts";

const folder = new URL(".", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && !["main.ts", "figure.ts"].includes(file) && !file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -3))
  .sort();

const [name = "", size, ...rest] = process.argv.slice(2);
if (!names.includes(name) || rest.length > 0 || !/^[1-9]\d*$/.test(size ?? "1")) {
  console.error(`usage: npm run bench -- NAME [SIZE], where NAME is one of: ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  const { run } = (await import(new URL(`${name}.ts`, folder).href)) as { run: Benchmark };
  const emit = (figure: Figure) => console.log(JSON.stringify(figure, (_, value) => rounded(value)));
  await run(emit, size === undefined ? undefined : Number(size));
}

/** No figure means more than three decimals. */
function rounded(value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}
