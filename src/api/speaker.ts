import { type Static, Type } from "typebox";
import { ConditionsSchema } from "./common-schemas.ts";
import type { CustomResource } from "./crd.ts";
import type { Meta } from "./objects.ts";
import {
  BFD_STATES,
  GOBGPD_STATES,
  MOST_CONFLICTS,
  MOST_INTERFACES,
  MOST_NEIGHBOURS,
  MOST_PEERS,
  MOST_SUBNETS,
  NEIGHBOUR_STATES,
  SESSION_STATES,
  WITHDRAWN_REASONS,
} from "./speaker-words.ts";

const SpeakerBGPSchema = Type.Object(
  {
    gobgpd: Type.Enum(GOBGPD_STATES, { description: "What is known of the gobgpd of the node." }),
    asn: Type.Optional(Type.Integer({ description: "AS number that gobgpd runs with.", format: "int64", minimum: 0 })),
    routerID: Type.Optional(Type.String({ description: "BGP identifier of the node.", maxLength: 15 })),
    sessions: Type.String({
      description: 'How many sessions are established, of how many that there should be: "2/2".',
      maxLength: 16,
    }),
    routes: Type.Integer({ description: "How many routes the node advertises.", minimum: 0 }),
    withdrawn: Type.Optional(
      Type.Enum(WITHDRAWN_REASONS, { description: "Why it advertises none, where that is so on purpose." }),
    ),
    peers: Type.Array(
      Type.Object({
        name: Type.String({ description: "Name of the BGPPeer.", maxLength: 253 }),
        address: Type.String({
          description: "Address of the router, or the interface behind which it is.",
          maxLength: 61,
        }),
        asn: Type.Integer({ description: "AS number of the router.", format: "int64", minimum: 0 }),
        state: Type.Enum(SESSION_STATES, { description: "State of the session; docs/bgp.md explains each." }),
        since: Type.Optional(
          Type.String({ description: "Since when it is established, or is not.", format: "date-time" }),
        ),
        lastError: Type.Optional(
          Type.String({ description: "Why it is not established, or was not the last time.", maxLength: 512 }),
        ),
        holdTime: Type.Optional(Type.String({ description: "Negotiated with the router.", maxLength: 32 })),
        keepaliveTime: Type.Optional(Type.String({ description: "Negotiated with the router.", maxLength: 32 })),
        advertised: Type.Optional(Type.Integer({ description: "Routes that the router is told.", minimum: 0 })),
        accepted: Type.Optional(
          Type.Integer({ description: "Routes of the router that gobgpd found valid; none is used.", minimum: 0 }),
        ),
        flaps: Type.Optional(
          Type.Integer({ description: "How often the session went down since the speaker started.", minimum: 0 }),
        ),
        bfd: Type.Optional(Type.Enum(BFD_STATES, { description: "State of its BFD session, where it has one." })),
      }),
      { description: "The sessions, by name of the BGPPeer.", maxItems: MOST_PEERS },
    ),
  },
  { description: "What the speaker does in BGP. Absent: no BGPPeer selects the node." },
);

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
          owned: Type.Optional(Type.Integer({ description: "How many addresses this node owns.", minimum: 0 })),
          heard: Type.Optional(
            Type.Integer({ description: "How many other speakers this one hears, over all interfaces.", minimum: 0 }),
          ),
          neighbours: Type.Optional(
            Type.Array(
              Type.Object({
                interface: Type.String({ description: "Where they are.", minLength: 1, maxLength: 15 }),
                nodes: Type.Array(
                  Type.Object({
                    node: Type.String({ description: "Name of the node.", maxLength: 253 }),
                    state: Type.Enum(NEIGHBOUR_STATES, { description: "What it is to this one." }),
                    lastHeard: Type.Optional(
                      Type.String({
                        description: "When it was last heard; of one that is heard now it is not said.",
                        format: "date-time",
                      }),
                    ),
                  }),
                  {
                    description: "Where there are too many, first those that are not heard.",
                    maxItems: MOST_NEIGHBOURS,
                  },
                ),
              }),
              { description: "The other speakers, by interface.", maxItems: MOST_INTERFACES },
            ),
          ),
          deputyFor: Type.Optional(
            Type.Array(
              Type.Object({
                node: Type.String({ description: "Name of the node.", maxLength: 253 }),
                addresses: Type.Integer({ description: "How many of its addresses.", minimum: 0 }),
              }),
              {
                description: "The nodes whose speaker is away, and for whose addresses this one answers meanwhile.",
                maxItems: MOST_NEIGHBOURS,
              },
            ),
          ),
          conflicts: Type.Optional(
            Type.Array(
              Type.Object({
                interface: Type.String({ description: "Where it was seen.", minLength: 1, maxLength: 15 }),
                ip: Type.String({ description: "The address.", maxLength: 39 }),
                mac: Type.String({ description: "Who else answers for it.", maxLength: 17 }),
                node: Type.Optional(
                  Type.String({ description: "The node whose MAC address that is, where it is one.", maxLength: 253 }),
                ),
                announced: Type.Boolean({ description: "Whether this node announces the address nevertheless." }),
                since: Type.String({ description: "When it was first seen.", format: "date-time" }),
              }),
              {
                description: "Addresses that this node would have or has, and for which another answers.",
                maxItems: MOST_CONFLICTS,
              },
            ),
          ),
        },
        { description: "What the speaker does on layer 2." },
      ),
    ),
    bgp: Type.Optional(SpeakerBGPSchema),
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
    { name: "Owned", type: "integer", jsonPath: ".status.layer2.owned", description: "Addresses that it announces." },
    {
      name: "Neighbours",
      type: "integer",
      jsonPath: ".status.layer2.heard",
      description: "Other speakers that it hears.",
    },
    {
      name: "Sessions",
      type: "string",
      jsonPath: ".status.bgp.sessions",
      description: "BGP sessions that are established, of those that should be.",
    },
    ...Object.entries({ "Hello Blocked": "HelloBlocked", Isolated: "Isolated", Conflict: "AddressConflict" }).map(
      ([name, type]) => ({
        name,
        type: "string" as const,
        jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
        description: `Its condition ${type}.`,
      }),
    ),
    { name: "Version", type: "string", jsonPath: ".status.version", description: "Version of Herald that runs there." },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since it was made." },
  ],
};
