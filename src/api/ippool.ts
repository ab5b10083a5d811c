import { type Static, Type } from "typebox";
import { entryRules, overlapRules, poolRules } from "./address-rules.ts";
import { AnnounceSchema } from "./announce.ts";
import { ConditionsSchema, labelSelector } from "./common-schemas.ts";
import type { CustomResource } from "./crd.ts";
import type { Meta } from "./objects.ts";

const EntrySchema = Type.String({ maxLength: 96, "x-kubernetes-validations": entryRules() });

/** Fields with a default are never absent here: the API server fills them in, and so does `keepIPPool`. */
export const IPPoolSpecSchema = Type.Object(
  {
    addresses: Type.Array(
      Type.String({
        ...EntrySchema,
        description:
          'A CIDR ("192.0.2.0/28"), a range ("192.0.2.10-192.0.2.20") or a single address, IPv4 or IPv6. All addresses of a CIDR are given out, also the first and the last.',
      }),
      {
        description: "What the pool gives out, in this order and the lowest first.",
        minItems: 1,
        maxItems: 256,
        "x-kubernetes-list-type": "set",
        "x-kubernetes-validations": overlapRules(),
      },
    ),
    exclude: Type.Array(
      Type.String({ ...EntrySchema, description: "A CIDR, a range or a single address, as in addresses." }),
      {
        description: "Addresses of the pool that are never given out.",
        maxItems: 256,
        default: [],
        "x-kubernetes-list-type": "set",
      },
    ),
    autoAssign: Type.Boolean({
      description: "Whether Services get an address from this pool without asking for it.",
      default: true,
    }),
    avoidBuggyIPs: Type.Boolean({
      description:
        "Whether IPv4 addresses that end in .0 or .255 are never given out, for equipment that takes them for no hosts.",
      default: false,
    }),
    disabled: Type.Boolean({
      description: "Whether nothing new is given out. What Services hold stays theirs, and stays announced.",
      default: false,
    }),
    priority: Type.Integer({
      description: "Pools of a higher priority are tried first; those of the same in the order of their names.",
      format: "int32",
      minimum: -(2 ** 31),
      maximum: 2 ** 31 - 1,
      default: 0,
    }),
    namespaceSelector: Type.Optional(
      labelSelector("Labels of the namespaces whose Services may have addresses of this pool. Absent: all namespaces."),
    ),
    serviceSelector: Type.Optional(
      labelSelector("Labels of the Services that may have addresses of this pool. Absent: all Services."),
    ),
    announce: Type.Array(AnnounceSchema, {
      description:
        "How the network learns where the addresses are. An empty list: addresses are given out and not announced.",
      maxItems: 16,
      default: [{ layer2: {} }],
    }),
  },
  { description: "What is wanted.", "x-kubernetes-validations": poolRules() },
);

export type IPPoolSpec = Static<typeof IPPoolSpecSchema>;

const UsageSchema = (family: string) =>
  Type.Object(
    {
      total: Type.Integer({
        description: "Addresses in the pool, without those that are never given out.",
        minimum: 0,
      }),
      assigned: Type.Integer({ description: "Of these, held by Services.", minimum: 0 }),
      available: Type.Integer({
        description: "Of these, to be had now: 0 where the pool gives out nothing.",
        minimum: 0,
      }),
    },
    { description: `How full the pool is in ${family}; saturates at 2^53 - 1.` },
  );

export const IPPoolStatusSchema = Type.Object(
  {
    ipv4: Type.Optional(UsageSchema("IPv4")),
    ipv6: Type.Optional(UsageSchema("IPv6")),
    stranded: Type.Optional(
      Type.Integer({
        description: "Addresses that Services hold though the pool would no longer give them to these.",
        minimum: 0,
      }),
    ),
    conditions: Type.Optional(ConditionsSchema),
  },
  { description: "What is: written by the controller." },
);

export type IPPoolStatus = Static<typeof IPPoolStatusSchema>;

/** Addresses to give to Services, and how to announce them. */
export interface IPPool {
  readonly meta: Meta;
  readonly generation: number;
  readonly spec: IPPoolSpec;
  readonly status: IPPoolStatus;
}

export const IPPoolResource: CustomResource = {
  kind: "IPPool",
  plural: "ippools",
  singular: "ippool",
  shortNames: ["hpool"],
  description: "Addresses that Herald gives to Services of type LoadBalancer, and how it announces them.",
  spec: IPPoolSpecSchema,
  status: IPPoolStatusSchema,
  columns: [
    {
      name: "Ready",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: "False: see the condition's message.",
    },
    {
      name: "IPv4 Used",
      type: "integer",
      jsonPath: ".status.ipv4.assigned",
      description: "Addresses held by Services.",
    },
    { name: "IPv4 Total", type: "integer", jsonPath: ".status.ipv4.total", description: "Addresses in the pool." },
    {
      name: "IPv6 Used",
      type: "integer",
      jsonPath: ".status.ipv6.assigned",
      description: "Addresses held by Services.",
    },
    { name: "IPv6 Total", type: "integer", jsonPath: ".status.ipv6.total", description: "Addresses in the pool." },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since it was made." },
  ],
};
