import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { IPPoolSpecSchema, IPPoolStatusSchema } from "./ippool.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

const announce: Schema | undefined = (IPPoolSpecSchema as Schema).properties?.announce?.items;

/** The names in the first column of the tables whose heading begins with `heading`, in their order. */
function rows(heading: string): string[] {
  const tables = read("docs/ippool.md")
    .split("\n\n")
    .filter((block) => block.startsWith(`| ${heading} |`));
  return tables
    .flatMap((table) => table.split("\n").slice(2))
    .flatMap((row) => row.split("|")[1]?.match(/[a-zA-Z0-9]+/g) ?? []);
}

test.each([
  {
    heading: "field",
    of: { properties: { ...IPPoolSpecSchema.properties, ...IPPoolStatusSchema.properties } },
    besides: ["announce"],
  },
  { heading: "field of `layer2`", of: announce?.properties?.layer2, besides: [] },
  { heading: "field of `bgp`", of: announce?.properties?.bgp, besides: [] },
])("docs/ippool.md explains each $heading", ({ heading, of, besides }) => {
  expect([...rows(heading), ...besides].toSorted()).toEqual(Object.keys(of?.properties ?? {}).toSorted());
});

test("config/samples has a pool with every field", () => {
  const { spec } = parse(read("config/samples/ippool-all-fields.yaml"));
  const names = (schema: Schema | undefined) => Object.keys(schema?.properties ?? {});
  expect(Object.keys(spec).toSorted()).toEqual(names(IPPoolSpecSchema as Schema).toSorted());
  for (const kind of ["layer2", "bgp"]) {
    const entry = spec.announce.find((one: object) => kind in one)[kind];
    expect(Object.keys(entry)).toEqual(names(announce?.properties?.[kind]));
  }
});
