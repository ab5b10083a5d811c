/** Runs a benchmark by its name: `npm run bench -- NAME`. Prints one JSON line a figure. */
import { readdirSync } from "node:fs";
import type { Benchmark } from "./figure.ts";

const folder = new URL(".", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && !["main.ts", "figure.ts"].includes(file) && !file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -3))
  .sort();

const [name = "", ...rest] = process.argv.slice(2);
if (!names.includes(name) || rest.length > 0) {
  console.error(`usage: npm run bench -- NAME, where NAME is one of: ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  const { run } = (await import(new URL(`${name}.ts`, folder).href)) as { run: Benchmark };
  await run((figure) => console.log(JSON.stringify(figure)));
}
