import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";

/** What is wrong with a part of an object: `path` in it, and a sentence about it that ends with the remedy. */
export interface Problem {
  /** As the API server writes paths: "spec.addresses[3]". */
  readonly path: string;
  readonly message: string;
}

/** A kind, and what a spec of the right types is held to besides. */
export interface SpecRules<T extends TSchema> {
  /** With its article, as people say it: "an IPPool". */
  readonly kind: string;
  readonly schema: T;
  readonly check: (spec: Static<T>) => readonly Problem[];
}

/** Finds what is wrong with a spec as it stands in a manifest, after the defaults are filled in as the API server does. */
export function validateSpec<T extends TSchema>(
  { kind, schema, check }: SpecRules<T>,
  spec: unknown,
): readonly Problem[] {
  const filled = Value.Default(schema, structuredClone(spec));
  const unknown = unknownFields(kind, schema as Schema, filled, "spec");
  if (Value.Check(schema, filled)) return [...unknown, ...check(filled as Static<T>)];
  const wrong = Value.Errors(schema, filled).map(({ instancePath, message }) => ({
    path: `spec${instancePath.replace(/\/(\d+)(?=\/|$)/g, "[$1]").replaceAll("/", ".")}`,
    message,
  }));
  return [...unknown, ...wrong];
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** Finds what kubectl refuses, and what the API server would drop without a word. */
function unknownFields(kind: string, { properties, items }: Schema, value: unknown, path: string): readonly Problem[] {
  if (Array.isArray(value))
    return value.flatMap((item, at) => (items ? unknownFields(kind, items, item, `${path}[${at}]`) : []));
  if (properties === undefined || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (schema) return unknownFields(kind, schema, field, `${path}.${name}`);
    return [{ path: `${path}.${name}`, message: `is no field of ${kind}; correct its name, or remove it` }];
  });
}
