import type { TSchema } from "typebox";
import { GROUP, VERSION } from "./names.ts";

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
}

/** A kind of Herald's API; all are cluster-scoped. */
export interface CustomResource {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  /** Absent for kinds that only report. */
  readonly spec?: TSchema;
  /** Absent for kinds that only ask. */
  readonly status?: TSchema;
  readonly columns: readonly PrinterColumn[];
}

/** Gives the CustomResourceDefinition of a kind, ready to be written as YAML. */
export function crdOf(resource: CustomResource): object {
  const { kind, plural, singular, shortNames, description, spec, status, columns } = resource;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames },
      scope: "Cluster",
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(status && { subresources: { status: {} } }),
          additionalPrinterColumns: columns,
          schema: {
            openAPIV3Schema: {
              description,
              type: "object",
              ...(spec && { required: ["spec"] }),
              properties: {
                apiVersion: { type: "string", description: "Version of the API that this object is written in." },
                kind: { type: "string", description: "Kind of this object." },
                metadata: { type: "object" },
                ...(spec && { spec: structural(spec as JsonSchema) }),
                ...(status && { status: structural(status as JsonSchema) }),
              },
            },
          },
        },
      ],
    },
  };
}

/** What a JSON schema of TypeBox may hold here; everything else is copied as it is. */
interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly [key: string]: unknown;
}

/**
 * Turns a TypeBox schema into the structural schema that Kubernetes wants: maps as additionalProperties, enums
 * with a type, and what has a default not required.
 */
function structural(schema: JsonSchema): object {
  const { type, properties, required, items, patternProperties, ...rest } = schema;
  const needed = required?.filter((name) => properties?.[name]?.default === undefined) ?? [];
  const [values] = Object.values(patternProperties ?? {});
  return {
    type: rest.enum ? "string" : type,
    ...rest,
    ...(needed.length > 0 && { required: needed }),
    ...(properties && { properties: mapValues(properties, structural) }),
    ...(items && { items: structural(items) }),
    ...(values && { additionalProperties: structural(values) }),
  };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
