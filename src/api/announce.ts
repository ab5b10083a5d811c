import { type Static, Type } from "typebox";
import { labelSelector } from "./common-schemas.ts";
import { communityRules } from "./communities.ts";
import { interfaceRules } from "./interface-patterns.ts";

/** The ways in which a pool's addresses are announced: the entries of an IPPool's `spec.announce`. */

const Layer2Schema = Type.Object(
  {
    interfaces: Type.Optional(
      Type.Array(Type.String({ maxLength: 128, "x-kubernetes-validations": interfaceRules() }), {
        description:
          "Network interfaces to announce on: names, or regular expressions between slashes that match the whole name. Absent: the interface whose subnet holds the address, else that of the default route.",
        minItems: 1,
        maxItems: 16,
        "x-kubernetes-list-type": "set",
      }),
    ),
    nodeSelector: Type.Optional(labelSelector("Labels of the nodes that may announce. Absent: all nodes.")),
    preferredNodes: Type.Optional(
      Type.Array(
        Type.Object({
          weight: Type.Integer({
            description: "What such a node is worth; a node's weights are added up, and the highest sum goes first.",
            minimum: 1,
            maximum: 100,
          }),
          selector: labelSelector("Labels of the nodes that are preferred."),
        }),
        {
          description: "Which of these nodes should rather announce. Any other does where no preferred one can.",
          maxItems: 16,
        },
      ),
    ),
  },
  { description: "One node answers ARP and neighbor solicitations for each address (layer 2)." },
);

const BGPSchema = Type.Object(
  {
    peers: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
        description: "Names of the BGPPeers that are told of the addresses. Absent: all.",
        minItems: 1,
        maxItems: 64,
        "x-kubernetes-list-type": "set",
      }),
    ),
    nodeSelector: Type.Optional(labelSelector("Labels of the nodes that may announce. Absent: all nodes.")),
    aggregationLength: Type.Integer({
      description: "Prefix length of the IPv4 routes. Shorter than 32: one route stands for all addresses in it.",
      minimum: 0,
      maximum: 32,
      default: 32,
    }),
    aggregationLengthV6: Type.Integer({
      description: "Prefix length of the IPv6 routes. Shorter than 128: one route stands for all addresses in it.",
      minimum: 0,
      maximum: 128,
      default: 128,
    }),
    localPref: Type.Optional(
      Type.Integer({
        description: "LOCAL_PREF of the routes, which only peers of the own AS see. The highest wins. Absent: 100.",
        format: "int64",
        minimum: 0,
        maximum: 0xffff_ffff,
      }),
    ),
    med: Type.Optional(
      Type.Integer({
        description: "MULTI_EXIT_DISC of the routes. The lowest wins. Absent: none is sent.",
        format: "int64",
        minimum: 0,
        maximum: 0xffff_ffff,
      }),
    ),
    communities: Type.Optional(
      Type.Array(Type.String({ maxLength: 64, "x-kubernetes-validations": communityRules() }), {
        description:
          'Communities of the routes: "65000:100", a large one as "large:65000:1:2", or a well-known name such as "no-export".',
        maxItems: 64,
        "x-kubernetes-list-type": "set",
      }),
    ),
  },
  { description: "Every node that is selected advertises the addresses to its BGP peers." },
);

/** One way to announce; the API server takes it only with exactly one of the two fields. */
export const AnnounceSchema = Type.Object(
  { layer2: Type.Optional(Layer2Schema), bgp: Type.Optional(BGPSchema) },
  {
    description: "One way to announce: exactly one of layer2 and bgp.",
    "x-kubernetes-validations": [
      {
        rule: "has(self.layer2) != has(self.bgp)",
        message: "must have exactly one of layer2 and bgp; make it two entries for both",
      },
    ],
  },
);

export type Announce = Static<typeof AnnounceSchema>;
export type Layer2Announce = Static<typeof Layer2Schema>;
export type BGPAnnounce = Static<typeof BGPSchema>;
