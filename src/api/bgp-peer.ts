import { type Static, Type } from "typebox";
import {
  addressRules,
  interfaceNameRules,
  PEER_TEXT,
  peerRules,
  routerIDRules,
  secretKeyRules,
  secretNameRules,
} from "./bgp-peer-rules.ts";
import { TIMER_LIMITS } from "./bgp-timers.ts";
import { labelSelector } from "./common-schemas.ts";
import type { CustomResource } from "./crd.ts";
import { type DurationLimits, durationRules } from "./durations.ts";
import type { Meta } from "./objects.ts";

const durationField = (description: string, limits: DurationLimits) => ({
  description,
  maxLength: 32,
  "x-kubernetes-validations": durationRules(limits),
});

const asn = (description: string) =>
  Type.Integer({
    description,
    format: "int64",
    minimum: 1,
    maximum: 0xffff_ffff,
  });

const BFDSchema = Type.Object(
  {
    transmitInterval: Type.String({
      ...durationField("How often packets are sent; the router must take so many.", TIMER_LIMITS.bfd),
      default: "300ms",
    }),
    receiveInterval: Type.String({
      ...durationField("How often packets of the router are taken; it may send them more rarely.", TIMER_LIMITS.bfd),
      default: "300ms",
    }),
    detectMultiplier: Type.Integer({
      description: "After so many packets missed the router takes this node for gone.",
      format: "int32",
      minimum: 2,
      maximum: 255,
      default: 3,
    }),
  },
  { description: "Single-hop BFD (RFC 5880, 5881). Absent: none. The router must have it switched on too." },
);

/** Fields with a default are never absent here: the API server fills them in, and so does `keepBGPPeer`. */
export const BGPPeerSpecSchema = Type.Object(
  {
    myASN: asn("AS number of the nodes."),
    peerASN: asn("AS number of the router. The same as myASN: iBGP."),
    peerAddress: Type.Optional(
      Type.String({
        description: "Address of the router, IPv4 or IPv6. Exactly one of peerAddress and peerInterface is given.",
        maxLength: 45,
        "x-kubernetes-validations": addressRules(PEER_TEXT.router),
      }),
    ),
    peerInterface: Type.Optional(
      Type.String({
        description:
          "Interface behind which the router is, which is found there by its link-local address (unnumbered).",
        maxLength: 64,
        "x-kubernetes-validations": interfaceNameRules(),
      }),
    ),
    peerPort: Type.Integer({
      description: "TCP port of the router.",
      format: "int32",
      minimum: 1,
      maximum: 65535,
      default: 179,
    }),
    sourceAddress: Type.Optional(
      Type.String({
        description:
          "The node's address that the session comes from, of the family of peerAddress; nodeSelector must choose one node. Absent: what the node's routes say.",
        maxLength: 45,
        "x-kubernetes-validations": addressRules(PEER_TEXT.source),
      }),
    ),
    bindInterface: Type.Optional(
      Type.String({
        description: "Interface or VRF that the session is bound to. Absent: what the node's routes say.",
        maxLength: 64,
        "x-kubernetes-validations": interfaceNameRules(),
      }),
    ),
    passive: Type.Boolean({
      description: "Whether the node waits for the router to connect. It listens on port 179 then.",
      default: false,
    }),
    nodeSelector: Type.Optional(
      labelSelector("Labels of the nodes that hold a session with this router. Absent: all nodes."),
    ),
    routerID: Type.Optional(
      Type.String({
        description:
          "BGP identifier of the node, as an IPv4 address; nodeSelector must choose one node. Absent: the node's first IPv4 InternalIP, else a number made of its name.",
        maxLength: 45,
        "x-kubernetes-validations": routerIDRules(),
      }),
    ),
    holdTime: Type.String({
      ...durationField(
        "After so long without a word from the other side the session ends; the shorter of both sides' counts.",
        TIMER_LIMITS.holdTime,
      ),
      default: "9s",
    }),
    keepaliveTime: Type.Optional(
      Type.String(
        durationField(
          "How often the node says that it is there. Absent: a third of holdTime.",
          TIMER_LIMITS.keepaliveTime,
        ),
      ),
    ),
    connectRetryTime: Type.String({
      ...durationField("How long after a failed attempt the next one is made.", TIMER_LIMITS.connectRetryTime),
      default: "5s",
    }),
    ebgpMultihop: Type.Optional(
      Type.Object(
        {
          ttl: Type.Integer({
            description: "How many hops the packets may make.",
            format: "int32",
            minimum: 2,
            maximum: 255,
          }),
        },
        { description: "For a router of another AS that is not on the node's own network. Absent: it is." },
      ),
    ),
    passwordSecretRef: Type.Optional(
      Type.Object(
        {
          name: Type.String({
            description: "Name of the Secret, in Herald's own namespace.",
            maxLength: 253,
            "x-kubernetes-validations": secretNameRules(),
          }),
          key: Type.String({
            description: "The key in it.",
            maxLength: 253,
            "x-kubernetes-validations": secretKeyRules(),
            default: "password",
          }),
        },
        {
          description:
            "Where the password of the session is (TCP MD5, RFC 2385). While it can't be had the session stays closed.",
        },
      ),
    ),
    bfd: Type.Optional(BFDSchema),
    gracefulRestart: Type.Optional(
      Type.Object(
        {
          restartTime: Type.String({
            ...durationField(
              "How long the router keeps the routes while BGP on the node is away.",
              TIMER_LIMITS.restartTime,
            ),
            default: "120s",
          }),
        },
        { description: "Graceful restart (RFC 4724). Absent: off." },
      ),
    ),
    addressFamilies: Type.Array(Type.Enum(["ipv4", "ipv6"]), {
      description: "Of which families routes are told over this session.",
      minItems: 1,
      maxItems: 2,
      default: ["ipv4", "ipv6"],
      "x-kubernetes-list-type": "set",
    }),
  },
  { description: "What is wanted.", "x-kubernetes-validations": peerRules() },
);

export type BGPPeerSpec = Static<typeof BGPPeerSpecSchema>;

/** A router that nodes tell of the addresses they serve. What became of each session is in the Speaker objects. */
export interface BGPPeer {
  readonly meta: Meta;
  readonly generation: number;
  readonly spec: BGPPeerSpec;
}

export const BGPPeerResource: CustomResource = {
  kind: "BGPPeer",
  plural: "bgppeers",
  singular: "bgppeer",
  shortNames: ["hpeer"],
  description:
    "A router that nodes hold a BGP session with, to tell it of the addresses of pools that have a bgp entry.",
  spec: BGPPeerSpecSchema,
  columns: [
    { name: "My ASN", type: "integer", jsonPath: ".spec.myASN", description: "AS number of the nodes." },
    { name: "Peer ASN", type: "integer", jsonPath: ".spec.peerASN", description: "AS number of the router." },
    { name: "Peer Address", type: "string", jsonPath: ".spec.peerAddress", description: "Address of the router." },
    {
      name: "Interface",
      type: "string",
      jsonPath: ".spec.peerInterface",
      description: "Interface behind which an unnumbered router is.",
    },
    {
      name: "BFD",
      type: "string",
      jsonPath: ".spec.bfd.transmitInterval",
      description: "How often BFD packets are sent; empty: no BFD.",
    },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since it was made." },
  ],
};
