import { Type } from "typebox";

/** Pieces of schema that several kinds share, as Kubernetes defines them. */

export const LabelSelectorSchema = Type.Object(
  {
    matchLabels: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 63 }), {
        description: "Labels and the value each must have.",
        maxProperties: 64,
      }),
    ),
    matchExpressions: Type.Optional(
      Type.Array(
        Type.Object(
          {
            key: Type.String({ description: "The label.", minLength: 1, maxLength: 317 }),
            operator: Type.Enum(["In", "NotIn", "Exists", "DoesNotExist"], {
              description: "How the label is compared with the values.",
            }),
            values: Type.Optional(
              Type.Array(Type.String({ maxLength: 63 }), {
                description: "At least one for In and NotIn, none for Exists and DoesNotExist.",
                maxItems: 64,
              }),
            ),
          },
          {
            "x-kubernetes-validations": [
              {
                rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
                messageExpression:
                  "self.operator in ['In', 'NotIn'] ? 'operator ' + self.operator + ' needs values; add at least one' : 'operator ' + self.operator + ' takes no values; remove them'",
                message: "values must be given for In and NotIn only",
              },
            ],
          },
        ),
        { description: "Requirements that must all hold.", maxItems: 64 },
      ),
    ),
  },
  { "x-kubernetes-map-type": "atomic" },
);

/** A field that holds a label selector, described for what it selects. */
export function labelSelector(description: string) {
  return Type.Object(LabelSelectorSchema.properties, { ...LabelSelectorSchema, description });
}

export const ConditionsSchema = Type.Array(
  Type.Object({
    type: Type.String({ description: "What the condition is about.", maxLength: 316 }),
    status: Type.Enum(["True", "False", "Unknown"], { description: "Whether it holds." }),
    reason: Type.String({ description: "Why, in one word of a documented list.", minLength: 1, maxLength: 1024 }),
    message: Type.String({ description: "Why, for a person.", maxLength: 32768 }),
    lastTransitionTime: Type.String({ description: "When the status last changed.", format: "date-time" }),
    observedGeneration: Type.Optional(
      Type.Integer({ description: "The metadata.generation that the condition speaks of.", minimum: 0 }),
    ),
  }),
  {
    description: "What Herald says about this object.",
    maxItems: 16,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
  },
);
