import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const text = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

test("proto/ is shipped with what reads it: in the package and in the image", () => {
  expect(JSON.parse(text("package.json")).files).toContain("proto");
  expect(text("Dockerfile")).toContain("COPY --from=build /herald/proto proto\n");
});
