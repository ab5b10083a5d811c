import { Value } from "typebox/value";
import { IPPoolSpecSchema } from "../api/ippool.ts";
import { checkPool, type Problem } from "./check-pool.ts";

/**
 * Finds what is wrong with the spec of an IPPool, as it stands in a manifest, without asking an API server. Empty where
 * it is good. What the API server refuses is refused here too, and so is what only the controller finds.
 */
export function validateIPPool(spec: unknown): readonly Problem[] {
  const filled = Value.Default(IPPoolSpecSchema, structuredClone(spec));
  const unknown = unknownFields(IPPoolSpecSchema as Schema, filled, "spec");
  if (Value.Check(IPPoolSpecSchema, filled)) return [...unknown, ...checkPool(filled)];
  const wrong = Value.Errors(IPPoolSpecSchema, filled).map(({ instancePath, message }) => ({
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
function unknownFields({ properties, items }: Schema, value: unknown, path: string): readonly Problem[] {
  if (Array.isArray(value))
    return value.flatMap((item, at) => (items ? unknownFields(items, item, `${path}[${at}]`) : []));
  if (properties === undefined || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (schema) return unknownFields(schema, field, `${path}.${name}`);
    return [{ path: `${path}.${name}`, message: "is no field of an IPPool; correct its name, or remove it" }];
  });
}
