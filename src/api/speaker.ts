import { type Static, Type } from "typebox";
import { ConditionsSchema } from "./common-schemas.ts";
import type { CustomResource } from "./crd.ts";
import type { Meta } from "./objects.ts";

/** The most that the API server takes: with more it would refuse the whole status. */
export const MOST_INTERFACES = 64;
export const MOST_SUBNETS = 256;

export const SpeakerStatusSchema = Type.Object(
  {
    version: Type.Optional(Type.String({ description: "Version of Herald that runs there.", maxLength: 64 })),
    incarnation: Type.Optional(
      Type.String({
        description: "Which run of the speaker wrote this; a decimal number.",
        pattern: "^[0-9]{1,20}$",
        maxLength: 20,
      }),
    ),
    interfaces: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({ description: "Name of the interface.", minLength: 1, maxLength: 15 }),
          mac: Type.String({ description: "Its MAC address.", maxLength: 17 }),
          subnets: Type.Array(Type.String({ maxLength: 49 }), {
            description: "Its addresses with prefix lengths, such as 192.0.2.11/24.",
            maxItems: MOST_SUBNETS,
          }),
          defaultRoute: Type.Optional(Type.Boolean({ description: "The IPv4 default route leaves here." })),
        }),
        { description: "Interfaces that the speaker could announce on.", maxItems: MOST_INTERFACES },
      ),
    ),
    layer2: Type.Optional(
      Type.Object(
        {
          claims: Type.Array(
            Type.Object({
              interface: Type.String({ description: "Where these claims hold.", minLength: 1, maxLength: 15 }),
              ips: Type.Array(Type.String({ maxLength: 61 }), {
                description: 'Claimed addresses, each with the epoch of its claim: "192.0.2.10=17".',
                maxItems: 65536,
              }),
            }),
            { description: "The addresses that this node owns, by interface.", maxItems: MOST_INTERFACES },
          ),
        },
        { description: "What the speaker does on layer 2." },
      ),
    ),
    conditions: Type.Optional(ConditionsSchema),
  },
  { description: "What is: written by the speaker of the node." },
);

export type SpeakerStatus = Static<typeof SpeakerStatusSchema>;

/** What one node's speaker says of itself; named after the node. */
export interface Speaker {
  readonly meta: Meta;
  readonly status: SpeakerStatus;
}

export const SpeakerResource: CustomResource = {
  kind: "Speaker",
  plural: "speakers",
  singular: "speaker",
  shortNames: ["hspeaker"],
  description:
    "What the Herald speaker of one node says of itself. Named after the node; made and written by the speaker.",
  status: SpeakerStatusSchema,
  columns: [
    { name: "Version", type: "string", jsonPath: ".status.version", description: "Version of Herald that runs there." },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since it was made." },
  ],
};
